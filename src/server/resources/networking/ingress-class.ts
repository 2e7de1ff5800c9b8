import { IMMUTABLE, invalidValue, notSupported, required } from '../../../api/field-errors.ts';
import { labelKeyProblems } from '../../../api/names.ts';
import { ingressClasses } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { IngressClass } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, orNone, textColumn } from '../columns.ts';
import { problemsOf } from '../field-checks.ts';

/** `IngressParameters.k8s.example.com/external` */
function parametersText({ spec }: IngressClass): string {
  const parameters = spec?.parameters;
  if (parameters === undefined) return '<none>';
  const { kind, apiGroup, name } = parameters;
  return `${apiGroup ? `${kind}.${apiGroup}` : kind}/${name}`;
}

function validateParameters({ spec }: IngressClass): FieldError[] {
  const parameters = spec?.parameters;
  if (parameters === undefined) return [];
  const path = 'spec.parameters';
  const errors: FieldError[] = [];
  if (!parameters.kind) errors.push(required(`${path}.kind`));
  if (!parameters.name) errors.push(required(`${path}.name`));
  const { scope, namespace } = parameters;
  if (!scope) errors.push(required(`${path}.scope`));
  else if (scope !== 'Cluster' && scope !== 'Namespace') {
    errors.push(notSupported(`${path}.scope`, scope, ['Cluster', 'Namespace']));
  }
  if (scope === 'Namespace' && !namespace) {
    errors.push(required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'"));
  }
  if (scope === 'Cluster' && namespace !== undefined) {
    errors.push({
      field: `${path}.namespace`,
      reason: 'FieldValueForbidden',
      message: "Forbidden: `parameters.scope` is set to 'Cluster'",
    });
  }
  return errors;
}

export const ingressClass: ResourceDefinition<IngressClass> = {
  resource: ingressClasses,
  singular: 'ingressclass',
  columns: [
    nameColumn,
    textColumn('Controller', 'What serves this class.', ({ spec }: IngressClass) => spec?.controller),
    textColumn('Parameters', 'Where its parameters are.', (object: IngressClass) =>
      orNone(parametersText(object)),
    ),
    ageColumn,
  ],
  strategy: {
    default: ({ spec }) => {
      if (spec?.parameters !== undefined) spec.parameters.scope ??= 'Cluster';
    },
    validate: (object) => {
      const controller = object.spec?.controller;
      const errors = controller
        ? problemsOf('spec.controller', controller, labelKeyProblems)
        : [required('spec.controller')];
      return [...errors, ...validateParameters(object)];
    },
    validateUpdate: ({ spec }, old) =>
      spec?.controller === old.spec?.controller
        ? []
        : [invalidValue('spec.controller', spec?.controller, IMMUTABLE)],
  },
};
