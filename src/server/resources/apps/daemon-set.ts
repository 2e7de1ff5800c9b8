import { invalidValue, required } from '../../../api/field-errors.ts';
import { daemonSets } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { DaemonSet, DaemonSetStatus } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import {
  ageColumn,
  containerColumns,
  formatLabels,
  integerColumn,
  nameColumn,
  selectorColumn,
  textColumn,
} from '../columns.ts';
import { defaultPodTemplate } from '../pod-template/defaults.ts';
import {
  isZero,
  validateCount,
  validateIntOrPercent,
  validateRunningTemplate,
  validateSelector,
  validateSelectorUpdate,
  workloadWarnings,
} from '../workload.ts';
import {
  carryTemplateGeneration,
  defaultTemplateGeneration,
  startTemplateGeneration,
} from './template-generation.ts';

const HISTORY = 10;

function defaultDaemonSet(set: DaemonSet): void {
  defaultTemplateGeneration(set);
  const { spec } = set;
  if (spec === undefined) return;
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
    spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
  }
  spec.revisionHistoryLimit ??= HISTORY;
  defaultPodTemplate(spec.template);
}

function validateStrategy({ updateStrategy }: NonNullable<DaemonSet['spec']>): FieldError[] {
  if (updateStrategy?.type !== 'RollingUpdate') return [];
  const path = 'spec.updateStrategy.rollingUpdate';
  const rolling = updateStrategy.rollingUpdate;
  if (rolling === undefined) return [required(path)];
  const errors = [
    ...validateIntOrPercent(`${path}.maxUnavailable`, rolling.maxUnavailable, true),
    ...validateIntOrPercent(`${path}.maxSurge`, rolling.maxSurge, true),
  ];
  const surges = !isZero(rolling.maxSurge);
  const yields = !isZero(rolling.maxUnavailable);
  if (surges && yields) {
    errors.push(
      invalidValue(`${path}.maxSurge`, rolling.maxSurge, 'may not be set when maxUnavailable is non-zero'),
    );
  }
  if (!surges && !yields) {
    errors.push(required(`${path}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'));
  }
  return errors;
}

function validateDaemonSet({ spec }: DaemonSet): FieldError[] {
  if (spec === undefined) return [];
  return [
    ...validateSelector(spec.selector, spec.template, 'daemonset'),
    ...validateRunningTemplate(spec.template),
    ...validateCount('spec.minReadySeconds', spec.minReadySeconds),
    ...validateStrategy(spec),
    ...validateCount('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
  ];
}

const COUNTS = [
  'currentNumberScheduled',
  'numberMisscheduled',
  'desiredNumberScheduled',
  'numberReady',
  'observedGeneration',
  'updatedNumberScheduled',
  'numberAvailable',
  'numberUnavailable',
] as const satisfies readonly (keyof DaemonSetStatus)[];

const count = (name: string, description: string, field: (typeof COUNTS)[number]) =>
  integerColumn(name, description, ({ status }: DaemonSet) => status?.[field]);

export const daemonSet: ResourceDefinition<DaemonSet> = {
  resource: daemonSets,
  singular: 'daemonset',
  shortNames: ['ds'],
  categories: ['all'],
  columns: [
    nameColumn,
    count('Desired', 'Nodes that should run the pod.', 'desiredNumberScheduled'),
    count('Current', 'Nodes that run it.', 'currentNumberScheduled'),
    count('Ready', 'Nodes where it is ready.', 'numberReady'),
    count('Up-to-date', 'Nodes that run the newest template.', 'updatedNumberScheduled'),
    count('Available', 'Nodes where it has been ready for long enough.', 'numberAvailable'),
    textColumn('Node Selector', 'Labels of the nodes.', ({ spec }: DaemonSet) =>
      formatLabels(spec?.template?.spec?.nodeSelector),
    ),
    ageColumn,
    ...containerColumns(({ spec }: DaemonSet) => spec?.template?.spec?.containers),
    selectorColumn(({ spec }: DaemonSet) => spec?.selector),
  ],
  strategy: {
    default: defaultDaemonSet,
    prepareCreate: (object) => {
      startTemplateGeneration(object);
      object.status = {
        currentNumberScheduled: 0,
        desiredNumberScheduled: 0,
        numberMisscheduled: 0,
        numberReady: 0,
      };
    },
    prepareUpdate: carryTemplateGeneration,
    validate: validateDaemonSet,
    validateUpdate: validateSelectorUpdate,
    warnings: workloadWarnings,
  },
  subresources: [
    {
      name: 'status',
      prepareUpdate: carryTemplateGeneration,
      validateUpdate: ({ status }) =>
        COUNTS.flatMap((field) => validateCount(`status.${field}`, status?.[field])),
    },
  ],
};
