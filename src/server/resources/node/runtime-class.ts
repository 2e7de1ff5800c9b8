import { IMMUTABLE, invalidValue, required } from '../../../api/field-errors.ts';
import { validateLabels } from '../../../api/labels.ts';
import { dns1123LabelProblems } from '../../../api/names.ts';
import { runtimeClasses } from '../../../api/resources.gen.ts';
import type { RuntimeClass } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';
import { eachOf, problemsOf } from '../field-checks.ts';
import { validateQuantity } from '../pod-template/validate-resources.ts';
import { validateToleration } from '../pod-template/validate-scheduling.ts';

export const runtimeClass: ResourceDefinition<RuntimeClass> = {
  resource: runtimeClasses,
  singular: 'runtimeclass',
  columns: [
    nameColumn,
    textColumn('Handler', 'How the container runtime calls it.', ({ handler }: RuntimeClass) => handler),
    ageColumn,
  ],
  strategy: {
    hasGeneration: false,
    allowCreateOnUpdate: true,
    allowUnconditionalUpdate: false,
    validate: ({ handler, overhead, scheduling }) => [
      ...(handler ? problemsOf('handler', handler, dns1123LabelProblems) : [required('handler')]),
      ...Object.entries(overhead?.podFixed ?? {}).flatMap(([name, quantity]) =>
        validateQuantity(name, quantity, `overhead.podFixed[${name}]`),
      ),
      ...validateLabels(scheduling?.nodeSelector, 'scheduling.nodeSelector'),
      ...eachOf(scheduling?.tolerations, 'scheduling.tolerations', validateToleration),
    ],
    validateUpdate: (object, old) =>
      object.handler === old.handler ? [] : [invalidValue('handler', object.handler, IMMUTABLE)],
  },
};
