import { ageOf } from '../../../api/durations.ts';
import { invalidValue, required } from '../../../api/field-errors.ts';
import { dns1123SubdomainProblems } from '../../../api/names.ts';
import { cronJobs } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { CronJob } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import {
  ageColumn,
  containerColumns,
  integerColumn,
  nameColumn,
  selectorColumn,
  textColumn,
} from '../columns.ts';
import { nonNegative } from '../field-checks.ts';
import { defaultPodTemplate } from '../pod-template/defaults.ts';
import { podTemplateWarnings } from '../pod-template/warnings.ts';
import { scheduleProblem } from './cron-schedule.ts';
import { validateJobSpec } from './job-validation.ts';

/** Jobs get a dash and ten digits of their own, and must stay names of labels. */
const MAX_NAME = 52;
const SUCCESSFUL = 3;
const FAILED = 1;

function nameProblems(name: string): readonly string[] {
  return name.length > MAX_NAME
    ? [...dns1123SubdomainProblems(name), `must be no more than ${MAX_NAME} characters`]
    : dns1123SubdomainProblems(name);
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function validateTimeZone(timeZone: string | undefined): FieldError[] {
  if (timeZone === undefined) return [];
  const field = 'spec.timeZone';
  if (timeZone === '') return [invalidValue(field, timeZone, 'timeZone must be nil or non-empty string')];
  if (timeZone.toLowerCase() === 'local') {
    return [
      invalidValue(
        field,
        timeZone,
        'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
      ),
    ];
  }
  return isTimeZone(timeZone) ? [] : [invalidValue(field, timeZone, `unknown time zone ${timeZone}`)];
}

function validateCronJob({ spec }: CronJob): FieldError[] {
  if (spec === undefined) return [required('spec.schedule')];
  const errors: FieldError[] = [];
  const { schedule, jobTemplate } = spec;
  if (!schedule) errors.push(required('spec.schedule'));
  else {
    const problem = scheduleProblem(schedule.replace(/^(CRON_)?TZ=\S+\s+/, ''));
    if (problem !== undefined) errors.push(invalidValue('spec.schedule', schedule, problem));
    if (/TZ=/.test(schedule)) {
      const why = spec.timeZone
        ? 'cannot use both timeZone field and TZ or CRON_TZ in schedule'
        : 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
      errors.push(invalidValue('spec.schedule', schedule, why));
    }
  }
  errors.push(
    ...nonNegative('spec.startingDeadlineSeconds', spec.startingDeadlineSeconds),
    ...nonNegative('spec.successfulJobsHistoryLimit', spec.successfulJobsHistoryLimit),
    ...nonNegative('spec.failedJobsHistoryLimit', spec.failedJobsHistoryLimit),
    ...validateTimeZone(spec.timeZone),
  );
  if (jobTemplate?.spec === undefined) return [...errors, required('spec.jobTemplate.spec.template')];
  if (jobTemplate.spec.manualSelector) {
    errors.push({
      field: 'spec.jobTemplate.spec.manualSelector',
      reason: 'FieldValueNotSupported',
      message: 'Unsupported value: true: supported values: "nil", "false"',
    });
  }
  return [...errors, ...validateJobSpec(jobTemplate.spec, 'spec.jobTemplate.spec')];
}

export const cronJob: ResourceDefinition<CronJob> = {
  resource: cronJobs,
  singular: 'cronjob',
  shortNames: ['cj'],
  categories: ['all'],
  validateName: nameProblems,
  columns: [
    nameColumn,
    textColumn('Schedule', 'When it runs.', ({ spec }: CronJob) => spec?.schedule),
    textColumn('Timezone', 'Time zone of the schedule.', ({ spec }: CronJob) => spec?.timeZone ?? '<none>'),
    {
      name: 'Suspend',
      type: 'boolean',
      description: 'Whether it is suspended.',
      // Upstream prints the word, with a capital letter.
      cell: ({ spec }) => (spec?.suspend === undefined ? '<unset>' : spec.suspend ? 'True' : 'False'),
    },
    integerColumn('Active', 'Jobs that run now.', ({ status }: CronJob) => status?.active?.length),
    textColumn('Last Schedule', 'Time since it last ran.', ({ status }: CronJob, nowMs) =>
      status?.lastScheduleTime ? ageOf(status.lastScheduleTime, nowMs) : '<none>',
    ),
    ageColumn,
    ...containerColumns(({ spec }: CronJob) => spec?.jobTemplate?.spec?.template?.spec?.containers),
    selectorColumn(({ spec }: CronJob) => spec?.jobTemplate?.spec?.selector),
  ],
  strategy: {
    default: ({ spec }) => {
      if (spec === undefined) return;
      spec.concurrencyPolicy ||= 'Allow';
      spec.suspend ??= false;
      spec.successfulJobsHistoryLimit ??= SUCCESSFUL;
      spec.failedJobsHistoryLimit ??= FAILED;
      // The rest of a Job gets its defaults when the Job is made.
      defaultPodTemplate(spec.jobTemplate?.spec?.template);
    },
    prepareCreate: (object) => {
      object.status = {};
    },
    validate: validateCronJob,
    warnings: ({ spec }, old) =>
      old === undefined
        ? podTemplateWarnings(spec?.jobTemplate?.spec?.template, 'spec.jobTemplate.spec.template')
        : [],
  },
  subresources: [{ name: 'status' }],
};
