import { humanDuration } from '../../../api/durations.ts';
import { jobs } from '../../../api/resources.gen.ts';
import type { Job } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, containerColumns, nameColumn, selectorColumn, textColumn } from '../columns.ts';
import { workloadWarnings } from '../workload.ts';
import { defaultJobSpec, generateSelector } from './job-defaults.ts';
import { validateJob, validateJobStatus, validateJobUpdate } from './job-validation.ts';

function statusText({ metadata, status }: Job): string {
  const is = (type: string): boolean =>
    status?.conditions?.some((one) => one.type === type && one.status === 'True') ?? false;
  if (is('Complete')) return 'Complete';
  if (is('Failed')) return 'Failed';
  if (metadata.deletionTimestamp) return 'Terminating';
  if (is('Suspended')) return 'Suspended';
  if (is('FailureTarget')) return 'FailureTarget';
  return is('SuccessCriteriaMet') ? 'SuccessCriteriaMet' : 'Running';
}

function completions({ spec, status }: Job): string {
  const done = status?.succeeded ?? 0;
  if (spec?.completions !== undefined) return `${done}/${spec.completions}`;
  const parallelism = spec?.parallelism ?? 0;
  return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`;
}

function duration({ status }: Job, nowMs: number): string {
  if (!status?.startTime) return '';
  const endMs = status.completionTime ? Date.parse(status.completionTime) : nowMs;
  return humanDuration(endMs - Date.parse(status.startTime));
}

export const job: ResourceDefinition<Job> = {
  resource: jobs,
  singular: 'job',
  categories: ['all'],
  columns: [
    nameColumn,
    textColumn('Status', 'Whether it runs, is complete or has failed.', statusText),
    textColumn('Completions', 'Pods that succeeded, of those wanted.', completions),
    textColumn('Duration', 'How long it ran.', duration),
    ageColumn,
    ...containerColumns(({ spec }: Job) => spec?.template?.spec?.containers),
    selectorColumn(({ spec }: Job) => spec?.selector),
  ],
  selectableFields: { 'status.successful': ({ status }) => String(status?.succeeded ?? 0) },
  strategy: {
    // For back compatibility, in this version of the API.
    dependents: 'orphan',
    deleteWarning:
      'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
    default: ({ spec }) => {
      if (spec !== undefined) defaultJobSpec(spec);
    },
    prepareCreate: (object) => {
      object.status = {};
      if (!object.spec?.manualSelector) generateSelector(object);
    },
    validate: validateJob,
    validateUpdate: validateJobUpdate,
    warnings: workloadWarnings,
  },
  subresources: [{ name: 'status', validateUpdate: validateJobStatus }],
};
