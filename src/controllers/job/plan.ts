import type { Job, JobStatus, Pod } from '../../api/types.gen.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { isReady, isTerminal, timeMs } from '../framework/pods.ts';
import {
  finishedMs,
  formatIndexes,
  hasFailed,
  indexOf,
  isIndexed,
  isTracked,
  matchFailurePolicy,
  parseIndexes,
} from './job-pods.ts';

export interface JobPlan {
  readonly status: JobStatus;
  /** Completion indexes of pods to create; `undefined` entries for jobs without indexes. */
  readonly create: readonly (number | undefined)[];
  readonly delete: readonly Pod[];
  /** Counted in `status`, so that their finalizer may go. */
  readonly release: readonly Pod[];
  readonly finished:
    | { readonly type: 'Complete' | 'Failed'; readonly reason: string; readonly message: string }
    | undefined;
  readonly againMs: number | undefined;
}

export function finishedCondition(job: Job) {
  return job.status?.conditions?.find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
}

interface Verdict {
  readonly type: 'SuccessCriteriaMet' | 'FailureTarget';
  readonly reason: string;
  readonly message: string;
}

interface Count {
  succeeded: number;
  failed: number;
  readonly completedIndexes: Set<number>;
  readonly failedIndexes: Set<number>;
  readonly failuresOfIndex: Map<number, number>;
  policyFailure: string | undefined;
  /** When the last uncounted or kept failure ended, and how many of them there are. */
  lastFailureMs: number;
}

/**
 * What a Job needs next. Counting is exact: a pod counts when its finalizer is still on, and the status with the new
 * count is written before the finalizer goes; `uncounted` remembers those in between. Pure.
 */
export function planJob(job: Job, pods: readonly Pod[], nowMs: number): JobPlan {
  const { spec } = job;
  const old = job.status ?? {};
  const parallelism = spec?.parallelism ?? 1;
  const counted = new Set([
    ...(old.uncountedTerminatedPods?.succeeded ?? []),
    ...(old.uncountedTerminatedPods?.failed ?? []),
  ]);
  const count = countPods(job, pods, counted);
  const active = pods.filter((pod) => !isTerminal(pod) && !pod.metadata.deletionTimestamp);
  const terminating = pods.filter((pod) => pod.metadata.deletionTimestamp && !isTerminal(pod));
  const startTime = spec?.suspend ? undefined : (old.startTime ?? rfc3339(nowMs));
  const verdict = earlierVerdict(job) ?? judge(job, count, active.length, startTime, nowMs);
  const suspended = spec?.suspend === true && verdict === undefined;

  let create: (number | undefined)[] = [];
  let remove: Pod[] = [];
  let againMs: number | undefined;
  if (verdict || suspended) remove = [...active];
  else {
    const blocked =
      spec?.podReplacementPolicy === 'Failed' || spec?.podFailurePolicy ? terminating.length : 0;
    const wanted = wantedActive(job, count, parallelism);
    remove = surplus(job, active, wanted, count);
    const missing = Math.min(
      LIMITS.controllers.burstPods,
      wanted - (active.length - remove.length) - blocked,
    );
    const waitMs = missing > 0 ? backoffMs(count, nowMs) : 0;
    if (missing > 0 && waitMs === 0) create = nextIndexes(job, pods, count, missing);
    againMs = soonest(waitMs > 0 ? waitMs : undefined, deadlineMs(job, startTime, nowMs));
  }
  const release = pods.filter(
    (pod) => isTracked(pod) && (isTerminal(pod) || isLost(job, pod) || verdict !== undefined),
  );
  const done = verdict !== undefined && active.length === 0 && terminating.length === 0;
  const finished = done && verdict ? finish(verdict) : undefined;
  const uncounted = {
    succeeded: newlyDone(pods, (pod) => pod.status?.phase === 'Succeeded'),
    failed: newlyDone(pods, (pod) => pod.status?.phase !== 'Succeeded' && hasFailed(job, pod)),
  };
  const status: JobStatus = {
    ...(startTime === undefined ? {} : { startTime }),
    active: Math.max(0, active.length - remove.length),
    ready: active.filter((pod) => isReady(pod) && !remove.includes(pod)).length,
    terminating: terminating.length,
    ...(count.succeeded > 0 ? { succeeded: count.succeeded } : {}),
    ...(count.failed > 0 ? { failed: count.failed } : {}),
    ...(isIndexed(job) && count.completedIndexes.size > 0
      ? { completedIndexes: formatIndexes(count.completedIndexes) }
      : {}),
    ...(spec?.backoffLimitPerIndex === undefined
      ? {}
      : { failedIndexes: formatIndexes(count.failedIndexes) }),
    uncountedTerminatedPods: {
      ...(uncounted.succeeded.length > 0 ? { succeeded: uncounted.succeeded } : {}),
      ...(uncounted.failed.length > 0 ? { failed: uncounted.failed } : {}),
    },
    conditions: conditionsOf(job, verdict, suspended, finished, nowMs),
    ...(finished?.type === 'Complete' ? { completionTime: rfc3339(nowMs) } : {}),
  };
  return { status, create, delete: remove, release, finished, againMs };
}

/** Pods that count now and still carry the finalizer: remembered, so that a crash does not count them twice. */
function newlyDone(pods: readonly Pod[], is: (pod: Pod) => boolean): string[] {
  return pods.filter((pod) => isTracked(pod) && is(pod)).map(({ metadata }) => metadata.uid ?? '');
}

/** Told to go without having ended, where that counts as a failure. */
function isLost(job: Job, pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined && hasFailed(job, pod);
}

function countPods(job: Job, pods: readonly Pod[], counted: ReadonlySet<string>): Count {
  const count: Count = {
    succeeded: job.status?.succeeded ?? 0,
    failed: job.status?.failed ?? 0,
    completedIndexes: parseIndexes(job.status?.completedIndexes),
    failedIndexes: parseIndexes(job.status?.failedIndexes),
    failuresOfIndex: new Map(),
    policyFailure: undefined,
    lastFailureMs: 0,
  };
  for (const pod of pods) {
    const index = indexOf(pod);
    const isNew = isTracked(pod) && !counted.has(pod.metadata.uid ?? '');
    if (pod.status?.phase === 'Succeeded') {
      if (isIndexed(job)) {
        if (index !== undefined && index < (job.spec?.completions ?? 0)) count.completedIndexes.add(index);
      } else if (isNew) count.succeeded++;
    } else if (hasFailed(job, pod)) countFailure(job, pod, index, isNew, count);
  }
  if (isIndexed(job)) count.succeeded = count.completedIndexes.size;
  return count;
}

function countFailure(job: Job, pod: Pod, index: number | undefined, isNew: boolean, count: Count): void {
  const match = pod.status?.phase === 'Failed' ? matchFailurePolicy(job, pod) : undefined;
  if (match?.action === 'Ignore') return;
  if (match?.action === 'FailJob') count.policyFailure ??= match.message;
  if (isNew) count.failed++;
  count.lastFailureMs = Math.max(count.lastFailureMs, finishedMs(pod));
  if (index === undefined || count.completedIndexes.has(index)) return;
  const failures = (count.failuresOfIndex.get(index) ?? 0) + 1;
  count.failuresOfIndex.set(index, failures);
  const limit = job.spec?.backoffLimitPerIndex;
  if (limit !== undefined && (failures > limit || match?.action === 'FailIndex'))
    count.failedIndexes.add(index);
}

/** Once decided, a Job's end does not change although its pods do. */
function earlierVerdict(job: Job): Verdict | undefined {
  const found = job.status?.conditions?.find(
    ({ type, status }) => (type === 'SuccessCriteriaMet' || type === 'FailureTarget') && status === 'True',
  );
  if (!found) return undefined;
  const { type, reason = '', message = '' } = found;
  return { type: type as Verdict['type'], reason, message };
}

function judge(
  job: Job,
  count: Count,
  active: number,
  startTime: string | undefined,
  nowMs: number,
): Verdict | undefined {
  const { completions, activeDeadlineSeconds, maxFailedIndexes, backoffLimit = 6 } = job.spec ?? {};
  const fail = (reason: string, message: string): Verdict => ({ type: 'FailureTarget', reason, message });
  const succeed = (reason: string, message: string): Verdict => ({
    type: 'SuccessCriteriaMet',
    reason,
    message,
  });
  if (count.policyFailure !== undefined) return fail('PodFailurePolicy', count.policyFailure);
  const policy = successPolicyMet(job, count);
  if (policy !== undefined) return succeed('SuccessPolicy', `Matched rules at index ${policy}`);
  if (count.failed > backoffLimit)
    return fail('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  const isLate =
    startTime !== undefined && nowMs - timeMs(startTime) >= (activeDeadlineSeconds ?? Infinity) * 1000;
  if (isLate) return fail('DeadlineExceeded', 'Job was active longer than specified deadline');
  if (maxFailedIndexes !== undefined && count.failedIndexes.size > maxFailedIndexes)
    return fail(
      'MaxFailedIndexesExceeded',
      'Job has exceeded the specified maximal number of failed indexes',
    );
  if (completions === undefined) {
    // Work queue: any success means that the work is done, once all others have ended too.
    return count.succeeded > 0 && active === 0
      ? succeed('CompletionsReached', 'Reached expected number of succeeded pods')
      : undefined;
  }
  if (count.succeeded >= completions)
    return succeed('CompletionsReached', 'Reached expected number of succeeded pods');
  if (
    count.failedIndexes.size > 0 &&
    count.succeeded + count.failedIndexes.size >= completions &&
    active === 0
  )
    return fail('FailedIndexes', 'Job has failed indexes');
  return undefined;
}

function successPolicyMet(job: Job, count: Count): number | undefined {
  const at = (job.spec?.successPolicy?.rules ?? []).findIndex(({ succeededIndexes, succeededCount }) => {
    const wanted = succeededIndexes === undefined ? undefined : parseIndexes(succeededIndexes);
    const met = [...count.completedIndexes].filter((index) => !wanted || wanted.has(index)).length;
    return met >= (succeededCount ?? wanted?.size ?? Number.POSITIVE_INFINITY);
  });
  return at < 0 ? undefined : at;
}

function wantedActive(job: Job, count: Count, parallelism: number): number {
  const { completions } = job.spec ?? {};
  if (completions === undefined) return count.succeeded > 0 ? 0 : parallelism;
  return Math.min(parallelism, Math.max(0, completions - count.succeeded - count.failedIndexes.size));
}

/** Too many, of an index that is done or beyond the end, or the second of one index. */
function surplus(job: Job, active: readonly Pod[], wanted: number, count: Count): Pod[] {
  const remove = new Set<Pod>();
  if (isIndexed(job)) {
    const seen = new Set<number>();
    for (const pod of active) {
      const index = indexOf(pod);
      const useless =
        index === undefined ||
        index >= (job.spec?.completions ?? 0) ||
        seen.has(index) ||
        count.completedIndexes.has(index) ||
        count.failedIndexes.has(index);
      if (useless) remove.add(pod);
      else seen.add(index);
    }
  }
  // A work queue whose work is done lets the others end by themselves.
  if (job.spec?.completions === undefined && count.succeeded > 0) return [...remove];
  const rest = active
    .filter((pod) => !remove.has(pod))
    .sort((a, b) => Number(isReady(a)) - Number(isReady(b)));
  for (const pod of rest.slice(0, Math.max(0, rest.length - wanted))) remove.add(pod);
  return [...remove];
}

function nextIndexes(job: Job, pods: readonly Pod[], count: Count, missing: number): (number | undefined)[] {
  if (!isIndexed(job)) return Array<undefined>(Math.max(0, missing)).fill(undefined);
  const present = new Set(pods.filter((pod) => !isTerminal(pod) && !hasFailed(job, pod)).map(indexOf));
  const free: number[] = [];
  for (let index = 0; index < (job.spec?.completions ?? 0) && free.length < missing; index++)
    if (!present.has(index) && !count.completedIndexes.has(index) && !count.failedIndexes.has(index))
      free.push(index);
  return free;
}

/** Ten seconds after the first failure, doubled by each, six minutes at most. */
function backoffMs(count: Count, nowMs: number): number {
  if (count.failed === 0 || count.lastFailureMs === 0) return 0;
  const { jobBackoffBaseMs, jobBackoffMaxMs } = LIMITS.controllers;
  const delayMs = Math.min(jobBackoffMaxMs, jobBackoffBaseMs * 2 ** Math.min(count.failed - 1, 10));
  return Math.min(delayMs, Math.max(0, count.lastFailureMs + delayMs - nowMs));
}

function deadlineMs(job: Job, startTime: string | undefined, nowMs: number): number | undefined {
  const { activeDeadlineSeconds } = job.spec ?? {};
  if (activeDeadlineSeconds === undefined || startTime === undefined) return undefined;
  return Math.max(0, timeMs(startTime) + activeDeadlineSeconds * 1000 - nowMs);
}

function soonest(...delays: (number | undefined)[]): number | undefined {
  const set = delays.filter((delay) => delay !== undefined);
  return set.length === 0 ? undefined : Math.min(...set);
}

function finish({ type, reason, message }: Verdict): NonNullable<JobPlan['finished']> {
  return { type: type === 'SuccessCriteriaMet' ? 'Complete' : 'Failed', reason, message };
}

function conditionsOf(
  job: Job,
  verdict: Verdict | undefined,
  suspended: boolean,
  finished: JobPlan['finished'],
  nowMs: number,
) {
  const now = rfc3339(nowMs);
  let all = [...(job.status?.conditions ?? [])];
  const set = (type: string, status: string, reason: string, message: string): void => {
    const old = all.find((one) => one.type === type);
    if (old?.status === status) return;
    all = all.filter((one) => one !== old);
    all.push({ type, status, reason, message, lastProbeTime: now, lastTransitionTime: now });
  };
  if (suspended) set('Suspended', 'True', 'JobSuspended', 'Job suspended');
  else if (all.some(({ type, status }) => type === 'Suspended' && status === 'True'))
    set('Suspended', 'False', 'JobResumed', 'Job resumed');
  if (verdict) set(verdict.type, 'True', verdict.reason, verdict.message);
  if (finished) set(finished.type, 'True', finished.reason, finished.message);
  return all;
}
