import { invalidValue } from '../../../api/field-errors.ts';
import { validateLabelSelector } from '../../../api/labels.ts';
import { podDisruptionBudgets } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { PodDisruptionBudget } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, integerColumn, nameColumn, textColumn } from '../columns.ts';
import { nonNegative } from '../field-checks.ts';
import { validateIntOrPercent } from '../workload.ts';

function validateBudget({ spec }: PodDisruptionBudget): FieldError[] {
  const { minAvailable, maxUnavailable, selector } = spec ?? {};
  const errors: FieldError[] = [];
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    errors.push(invalidValue('spec', spec, 'minAvailable and maxUnavailable cannot be both set'));
  }
  return [
    ...errors,
    ...validateIntOrPercent('spec.minAvailable', minAvailable, true),
    ...validateIntOrPercent('spec.maxUnavailable', maxUnavailable, true),
    ...validateLabelSelector(selector, 'spec.selector'),
  ];
}

export const podDisruptionBudget: ResourceDefinition<PodDisruptionBudget> = {
  resource: podDisruptionBudgets,
  singular: 'poddisruptionbudget',
  shortNames: ['pdb'],
  columns: [
    nameColumn,
    textColumn('Min Available', 'Pods that must stay available.', ({ spec }: PodDisruptionBudget) =>
      String(spec?.minAvailable ?? 'N/A'),
    ),
    textColumn('Max Unavailable', 'Pods that may be unavailable.', ({ spec }: PodDisruptionBudget) =>
      String(spec?.maxUnavailable ?? 'N/A'),
    ),
    integerColumn(
      'Allowed Disruptions',
      'Pods that may be disrupted now.',
      ({ status }: PodDisruptionBudget) => status?.disruptionsAllowed,
    ),
    ageColumn,
  ],
  anyFinalizer: true,
  strategy: {
    allowUnconditionalUpdate: false,
    validate: validateBudget,
    warnings: ({ spec }, old) =>
      old === undefined &&
      spec?.selector !== undefined &&
      Object.keys(spec.selector.matchLabels ?? {}).length === 0 &&
      !spec.selector.matchExpressions?.length
        ? ['spec.selector: an empty selector selects all pods in the namespace']
        : [],
  },
  subresources: [
    {
      name: 'status',
      validateUpdate: ({ status }) =>
        (['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const).flatMap(
          (field) => nonNegative(`status.${field}`, status?.[field]),
        ),
    },
  ],
};
