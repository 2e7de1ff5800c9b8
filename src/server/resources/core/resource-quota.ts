import { invalidValue, notSupported } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { labelKeyProblems } from '../../../api/names.ts';
import { parseQuantity } from '../../../api/quantity.ts';
import { resourceQuotas } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { Quantity, ResourceQuota } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';
import { AT_LEAST_ZERO, problemsOf } from '../field-checks.ts';

/** `requests.cpu: 1/2, pods: 3/10`, split as upstream does: limits have a column of their own. */
function usage({ status, spec }: ResourceQuota, part: 'request' | 'limit'): string {
  const hard = status?.hard ?? spec?.hard ?? {};
  return Object.keys(hard)
    .filter((name) => name.startsWith('limits.') === (part === 'limit'))
    .sort()
    .map((name) => `${name}: ${status?.used?.[name] ?? '0'}/${hard[name]}`)
    .join(', ');
}

const PLAIN: ReadonlySet<string> = new Set([
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'pods',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'resourcequotas',
  'services.nodeports',
  'services.loadbalancers',
]);

function validateName(name: string, field: string): FieldError[] {
  const errors = problemsOf(field, name, labelKeyProblems);
  if (errors.length > 0 || name.includes('/')) return errors;
  return PLAIN.has(name) || name.startsWith('hugepages-') || name.startsWith('requests.hugepages-')
    ? []
    : [invalidValue(field, name, 'must be a standard resource type or fully qualified')];
}

const COMPUTE_SCOPES = [
  'Terminating',
  'NotTerminating',
  'NotBestEffort',
  'PriorityClass',
  'CrossNamespacePodAffinity',
];

function validateScopes({ spec }: ResourceQuota): FieldError[] {
  const scopes = spec?.scopes ?? [];
  const errors: FieldError[] = [];
  const known = ['BestEffort', 'VolumeAttributesClass', ...COMPUTE_SCOPES];
  for (const scope of scopes) {
    if (!known.includes(scope)) errors.push(notSupported('spec.scopes', scope, known));
    if (scope !== 'BestEffort') continue;
    for (const name of Object.keys(spec?.hard ?? {})) {
      if (name !== 'pods' && !name.startsWith('count/')) {
        errors.push(invalidValue('spec.scopes', 'BestEffort', 'unsupported scope applied to resource'));
      }
    }
  }
  for (const [one, other] of [
    ['BestEffort', 'NotBestEffort'],
    ['Terminating', 'NotTerminating'],
  ] as const) {
    if (scopes.includes(one) && scopes.includes(other)) {
      errors.push(invalidValue('spec.scopes', scopes, 'conflicting scopes'));
    }
  }
  return errors;
}

function validateHard(hard: Readonly<Record<string, Quantity>> | undefined): FieldError[] {
  return Object.entries(hard ?? {}).flatMap(([name, quantity]) => {
    const field = `spec.hard[${name}]`;
    const { nano } = parseQuantity(quantity);
    const errors = validateName(name, field);
    if (nano < 0n) errors.push(invalidValue(field, quantity, AT_LEAST_ZERO));
    return errors;
  });
}

export const resourceQuota: ResourceDefinition<ResourceQuota> = {
  resource: resourceQuotas,
  singular: 'resourcequota',
  shortNames: ['quota'],
  returnsDeleted: true,
  columns: [
    nameColumn,
    textColumn('Request', 'Requests used and allowed.', (object: ResourceQuota) => usage(object, 'request')),
    textColumn('Limit', 'Limits used and allowed.', (object: ResourceQuota) => usage(object, 'limit')),
    ageColumn,
  ],
  strategy: {
    hasGeneration: false,
    validate: (object) => [...validateHard(object.spec?.hard), ...validateScopes(object)],
    validateUpdate: ({ spec }, old) =>
      equalJson([...(spec?.scopes ?? [])].sort(), [...(old.spec?.scopes ?? [])].sort())
        ? []
        : [invalidValue('spec.scopes', spec?.scopes, 'field is immutable')],
  },
  subresources: [{ name: 'status' }],
};
