import type { Job, JobSpec } from '../../../api/types.gen.ts';
import { defaultPodTemplate } from '../pod-template/defaults.ts';

const BACKOFF = 6;
const UNLIMITED = 2 ** 31 - 1;

/** Upstream's SetDefaults_Job. */
export function defaultJobSpec(spec: JobSpec): void {
  // One pod unless something is said about how many.
  if (spec.completions === undefined && spec.parallelism === undefined) {
    spec.completions = 1;
    spec.parallelism = 1;
  }
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? BACKOFF : UNLIMITED;
  spec.completionMode ||= 'NonIndexed';
  spec.suspend ??= false;
  spec.podReplacementPolicy ||= spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed';
  spec.manualSelector ??= false;
  for (const rule of spec.podFailurePolicy?.rules ?? []) {
    for (const pattern of rule.onPodConditions ?? []) pattern.status ||= 'True';
  }
  defaultPodTemplate(spec.template);
}

const UID_LABELS = ['batch.kubernetes.io/controller-uid', 'controller-uid'] as const;
const NAME_LABELS = ['batch.kubernetes.io/job-name', 'job-name'] as const;

/** Pods of a Job are told from all others by its uid, unless the user picks the selector. */
export function generateSelector(job: Job): void {
  const { spec, metadata } = job;
  if (spec === undefined) return;
  const { uid = '', name = '' } = metadata;
  spec.template ??= {};
  spec.template.metadata ??= {};
  const labels = { ...spec.template.metadata.labels };
  // Validation complains of other values, so that what is there stays.
  for (const key of UID_LABELS) labels[key] ??= uid;
  for (const key of NAME_LABELS) labels[key] ??= name;
  spec.template.metadata.labels = labels;
  spec.selector ??= {};
  spec.selector.matchLabels = { ...spec.selector.matchLabels };
  spec.selector.matchLabels[UID_LABELS[0]] ??= uid;
}
