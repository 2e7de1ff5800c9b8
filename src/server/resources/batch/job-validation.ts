import { IMMUTABLE, invalidValue, notSupported, required, tooLong } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { SelectorError, selectorFromObject, validateLabelSelector } from '../../../api/labels.ts';
import type { FieldError } from '../../../api/status.ts';
import type {
  Job,
  JobSpec,
  LabelSelector,
  PodFailurePolicyRule,
  PodTemplateSpec,
} from '../../../api/types.gen.ts';
import { domainPrefixedPath, eachOf, nonNegative } from '../field-checks.ts';
import { validatePodTemplate } from '../pod-template/validate.ts';
import { validateSuccessPolicy } from './success-policy-validation.ts';

const MAX_PARALLEL_INDEXES = 100_000;
const MAX_MANAGED_BY = 63;

const COUNTS = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
] as const satisfies readonly (keyof JobSpec)[];

/** What a Job, and the Jobs that a CronJob makes, have in common. */
export function validateJobSpec(spec: JobSpec, path: string): FieldError[] {
  const errors = COUNTS.flatMap((field) => nonNegative(`${path}.${field}`, spec[field]));
  if (spec.completionMode === 'Indexed') {
    if (spec.completions === undefined) {
      errors.push(required(`${path}.completions`, `when completion mode is Indexed`));
    }
    if ((spec.parallelism ?? 0) > MAX_PARALLEL_INDEXES) {
      const why = `must be less than or equal to ${MAX_PARALLEL_INDEXES} when completion mode is Indexed`;
      errors.push(invalidValue(`${path}.parallelism`, spec.parallelism, why));
    }
  } else if (spec.backoffLimitPerIndex !== undefined) {
    errors.push(
      invalidValue(
        `${path}.backoffLimitPerIndex`,
        spec.backoffLimitPerIndex,
        'requires indexed completion mode',
      ),
    );
  }
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined) {
    errors.push(required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified'));
  }
  if (spec.managedBy !== undefined) {
    errors.push(...domainPrefixedPath(`${path}.managedBy`, spec.managedBy));
    if (spec.managedBy.length > MAX_MANAGED_BY) errors.push(tooLong(`${path}.managedBy`, MAX_MANAGED_BY));
  }
  errors.push(
    ...validateFailurePolicy(spec, path),
    ...validateSuccessPolicy(spec, path),
    ...validateTemplate(spec, path),
  );
  return errors;
}

function validateTemplate(spec: JobSpec, path: string): FieldError[] {
  const errors = validatePodTemplate(spec.template, `${path}.template`);
  const policy = spec.template?.spec?.restartPolicy;
  const field = `${path}.template.spec.restartPolicy`;
  // `Always` is the default for pods, so that a Job has to say something.
  if (policy === 'Always') {
    errors.push(required(field, 'valid values: "OnFailure", "Never"'));
  } else if (policy !== 'OnFailure' && policy !== 'Never') {
    errors.push(notSupported(field, policy, ['OnFailure', 'Never']));
  } else if (spec.podFailurePolicy && policy !== 'Never') {
    errors.push(invalidValue(field, policy, 'only "Never" is supported when podFailurePolicy is specified'));
  }
  return errors;
}

const MAX_RULES = 20;

function validateFailurePolicy(
  { podFailurePolicy, template, backoffLimitPerIndex }: JobSpec,
  path: string,
): FieldError[] {
  const rules = podFailurePolicy?.rules;
  const field = `${path}.podFailurePolicy.rules`;
  if (rules === undefined) return [];
  const errors: FieldError[] = [];
  if (rules.length > MAX_RULES) {
    errors.push({
      field,
      reason: 'FieldValueTooMany',
      message: `Too many: ${rules.length}: must have at most ${MAX_RULES} items`,
    });
  }
  const names = [...(template.spec?.containers ?? []), ...(template.spec?.initContainers ?? [])].map(
    ({ name }) => name,
  );
  return [
    ...errors,
    ...eachOf(rules, field, (rule, at) => validateRule(rule, at, names, backoffLimitPerIndex)),
  ];
}

const ACTIONS = ['Count', 'FailIndex', 'FailJob', 'Ignore'];

function validateRule(
  rule: PodFailurePolicyRule,
  path: string,
  containers: readonly string[],
  backoffLimitPerIndex: number | undefined,
): FieldError[] {
  const errors: FieldError[] = [];
  if (!rule.action)
    errors.push(
      required(`${path}.action`, `valid values: ${ACTIONS.map((one) => JSON.stringify(one)).join(', ')}`),
    );
  else if (!ACTIONS.includes(rule.action)) errors.push(notSupported(`${path}.action`, rule.action, ACTIONS));
  if (rule.action === 'FailIndex' && backoffLimitPerIndex === undefined) {
    errors.push(invalidValue(`${path}.action`, rule.action, 'requires the backoffLimitPerIndex to be set'));
  }
  const { onExitCodes, onPodConditions } = rule;
  if (onExitCodes) {
    const at = `${path}.onExitCodes`;
    const { operator, values = [], containerName } = onExitCodes;
    if (values.length === 0)
      errors.push(invalidValue(`${at}.values`, values, 'at least one value is required'));
    if (operator === 'In' && values.includes(0)) {
      errors.push(invalidValue(`${at}.values[${values.indexOf(0)}]`, 0, 'must not be 0 for the In operator'));
    }
    if (containerName !== undefined && !containers.includes(containerName)) {
      errors.push(
        invalidValue(
          `${at}.containerName`,
          containerName,
          'must be one of the container or initContainer names in the pod template',
        ),
      );
    }
  }
  if (onExitCodes && onPodConditions?.length) {
    errors.push(invalidValue(path, '', 'specifying both OnExitCodes and OnPodConditions is not supported'));
  } else if (!onExitCodes && !onPodConditions?.length) {
    errors.push(invalidValue(path, '', 'specifying one of OnExitCodes and OnPodConditions is required'));
  }
  return errors;
}

export function validateJob(job: Job): FieldError[] {
  const { spec, metadata } = job;
  if (spec === undefined) return [required('spec.template')];
  const errors = validateJobSpec(spec, 'spec');
  if (spec.selector === undefined) return [...errors, required('spec.selector')];
  errors.push(...validateLabelSelector(spec.selector, 'spec.selector'));
  const labels = spec.template?.metadata?.labels ?? {};
  if (!selects(spec.selector, labels)) {
    errors.push(
      invalidValue('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'),
    );
  }
  if (spec.manualSelector) return errors;
  const expected = {
    'batch.kubernetes.io/controller-uid': metadata.uid,
    'batch.kubernetes.io/job-name': metadata.name,
  };
  for (const [key, value] of Object.entries(expected)) {
    if (labels[key] !== value) {
      errors.push(invalidValue('spec.template.metadata.labels', labels, `must be '${value}'`));
    }
  }
  if (!selects(spec.selector, expected))
    errors.push(invalidValue('spec.selector', spec.selector, '`selector` not auto-generated'));
  return errors;
}

/** True also of a selector that cannot be read, of which others complain. */
function selects(selector: LabelSelector, labels: Readonly<Record<string, string | undefined>>): boolean {
  try {
    return selectorFromObject(selector).matches(labels as Record<string, string>);
  } catch (error) {
    if (error instanceof SelectorError) return true;
    throw error;
  }
}

/** The parts of a template that may change before the Job has run anything. */
function withoutScheduling(template: PodTemplateSpec | undefined): unknown {
  const {
    nodeSelector: _n,
    affinity: _a,
    tolerations: _t,
    schedulingGates: _g,
    ...spec
  } = template?.spec ?? { containers: [] };
  const { labels: _l, annotations: _o, ...metadata } = template?.metadata ?? {};
  return { ...template, metadata, spec };
}

export function validateJobUpdate(job: Job, old: Job): FieldError[] {
  const spec = job.spec as JobSpec;
  const before = old.spec as JobSpec;
  const errors: FieldError[] = [];
  const fixed = (field: keyof JobSpec): void => {
    if (!equalJson(spec[field], before[field]))
      errors.push(invalidValue(`spec.${field}`, spec[field], IMMUTABLE));
  };
  const mayScale = spec.completionMode === 'Indexed' && spec.completions === spec.parallelism;
  if (!mayScale) fixed('completions');
  for (const field of [
    'selector',
    'completionMode',
    'podFailurePolicy',
    'backoffLimitPerIndex',
    'managedBy',
    'successPolicy',
  ] as const) {
    fixed(field);
  }
  const neverRan = Boolean(before.suspend) && old.status?.startTime === undefined;
  const same = neverRan
    ? equalJson(withoutScheduling(spec.template), withoutScheduling(before.template))
    : equalJson(spec.template, before.template);
  if (!same) errors.push(invalidValue('spec.template', spec.template, IMMUTABLE));
  return errors;
}

export function validateJobStatus({ status = {} }: Job): FieldError[] {
  const errors = (['active', 'succeeded', 'failed', 'ready', 'terminating'] as const).flatMap((field) =>
    nonNegative(`status.${field}`, status[field]),
  );
  const is = (type: string): boolean =>
    status.conditions?.some((one) => one.type === type && one.status === 'True') ?? false;
  if (is('Complete') && is('Failed')) {
    errors.push(
      invalidValue(
        'status.conditions',
        status.conditions,
        'cannot set Complete=True and Failed=true conditions',
      ),
    );
  }
  if (status.completionTime && !is('Complete')) {
    errors.push(
      invalidValue(
        'status.completionTime',
        status.completionTime,
        'cannot set completionTime when there is no Complete=True condition',
      ),
    );
  }
  if (is('Complete') && !status.completionTime) {
    errors.push(required('status.completionTime', 'completionTime is required for Complete jobs'));
  }
  return errors;
}
