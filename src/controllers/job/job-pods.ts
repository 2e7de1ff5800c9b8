import type { Job, Pod, PodFailurePolicyRule } from '../../api/types.gen.ts';
import { containerStatuses, timeMs } from '../framework/pods.ts';

export const INDEX = 'batch.kubernetes.io/job-completion-index';
export const TRACKING = 'batch.kubernetes.io/job-tracking';

export const isTracked = ({ metadata }: Pod): boolean => metadata.finalizers?.includes(TRACKING) ?? false;
export const isIndexed = ({ spec }: Job): boolean => spec?.completionMode === 'Indexed';

/** Failed, or told to go before it could succeed; a pod that is replaced only when Failed counts only then. */
export function hasFailed(job: Job, pod: Pod): boolean {
  if (pod.status?.phase === 'Failed') return true;
  const onlyFailed = job.spec?.podReplacementPolicy === 'Failed' || job.spec?.podFailurePolicy !== undefined;
  return !onlyFailed && pod.metadata.deletionTimestamp !== undefined && pod.status?.phase !== 'Succeeded';
}

export function indexOf(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[INDEX];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** `0-2,5` as a set; text that is no such list counts as far as it goes. */
export function parseIndexes(text: string | undefined): Set<number> {
  const indexes = new Set<number>();
  for (const part of (text ?? '').split(',').filter((one) => /^\d+(-\d+)?$/.test(one))) {
    const [first = 0, last = first] = part.split('-').map(Number);
    for (let index = first; index <= last; index++) indexes.add(index);
  }
  return indexes;
}

/** A set as `0-2,5`; two in a row are written `0,1` as upstream does. */
export function formatIndexes(indexes: ReadonlySet<number>): string {
  const parts: string[] = [];
  const sorted = [...indexes].sort((a, b) => a - b);
  for (let i = 0; i < sorted.length; ) {
    let end = i;
    while (sorted[end + 1] === (sorted[end] ?? 0) + 1) end++;
    if (end - i >= 2) parts.push(`${sorted[i]}-${sorted[end]}`);
    else parts.push(...sorted.slice(i, end + 1).map(String));
    i = end + 1;
  }
  return parts.join(',');
}

/** When a pod ended: its last container's end, or failing that its deletion or the last word of its conditions. */
export function finishedMs(pod: Pod): number {
  const ends = containerStatuses(pod).map(({ state }) => timeMs(state?.terminated?.finishedAt));
  const last = Math.max(0, ...ends);
  if (last > 0) return last;
  return timeMs(pod.metadata.deletionTimestamp) || timeMs(pod.metadata.creationTimestamp);
}

export interface PolicyMatch {
  readonly action: string;
  readonly message: string;
}

/** What the failure policy says about one failed pod; undefined when no rule matches. */
export function matchFailurePolicy(job: Job, pod: Pod): PolicyMatch | undefined {
  const rules = job.spec?.podFailurePolicy?.rules ?? [];
  for (const [at, rule] of rules.entries()) {
    const why = ruleMatches(rule, pod);
    if (why !== undefined)
      return { action: rule.action, message: `${why} matching ${rule.action} rule at index ${at}` };
  }
  return undefined;
}

function ruleMatches({ onExitCodes, onPodConditions }: PodFailurePolicyRule, pod: Pod): string | undefined {
  const name = `${pod.metadata.namespace}/${pod.metadata.name}`;
  for (const { name: container, state } of containerStatuses(pod)) {
    const code = state?.terminated?.exitCode;
    if (!onExitCodes || code === undefined || code === 0) continue;
    if (onExitCodes.containerName && onExitCodes.containerName !== container) continue;
    const listed = onExitCodes.values.includes(code);
    if (listed === (onExitCodes.operator === 'In'))
      return `Container ${container} for pod ${name} failed with exit code ${code}`;
  }
  for (const pattern of onPodConditions ?? []) {
    const found = pod.status?.conditions?.find(({ type }) => type === pattern.type);
    if (found && found.status === (pattern.status ?? 'True'))
      return `Pod ${name} has condition ${found.type}`;
  }
  return undefined;
}
