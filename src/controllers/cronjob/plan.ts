import type { CronJob, Job } from '../../api/types.gen.ts';
import { timeMs } from '../framework/pods.ts';
import { finishedCondition } from '../job/plan.ts';
import { nextTime, type Schedule } from './schedule.ts';

export interface CronPlan {
  /** The scheduled time of the Job to create now. */
  readonly startMs: number | undefined;
  /** Jobs to delete before that one starts (`Replace`). */
  readonly replace: readonly Job[];
  readonly skipped: 'Forbid' | 'missed' | undefined;
  readonly tooManyMissed: boolean;
  /** No day is like that, such as February 31st. */
  readonly neverDue: boolean;
  readonly againMs: number | undefined;
}

/** More unmet times than this deserve a warning: a clock that jumped, or a controller that was away for long. */
const MANY_MISSED = 100;
/** Timers fire a little early on some clocks. */
const NUDGE_MS = 100;

/** What a CronJob does now and when it has to be looked at next. Pure. */
export function planCronJob(
  cron: CronJob,
  schedule: Schedule,
  active: readonly Job[],
  nowMs: number,
): CronPlan {
  const { suspend, concurrencyPolicy, startingDeadlineSeconds, timeZone = 'UTC' } = cron.spec ?? {};
  const idle = {
    ...{ startMs: undefined, replace: [], skipped: undefined },
    ...{ tooManyMissed: false, neverDue: false },
  } as const;
  if (suspend || cron.metadata.deletionTimestamp) return { ...idle, againMs: undefined };
  const last = cron.status?.lastScheduleTime ?? cron.metadata.creationTimestamp;
  const deadlineMs = startingDeadlineSeconds === undefined ? undefined : startingDeadlineSeconds * 1000;
  const sinceMs = Math.max(timeMs(last), deadlineMs === undefined ? 0 : nowMs - deadlineMs);
  const { latestMs, count } = unmet(schedule, sinceMs, nowMs, timeZone);
  const next = nextTime(schedule, nowMs, timeZone);
  const againMs = next === undefined ? undefined : next - nowMs + NUDGE_MS;
  if (latestMs === undefined) return { ...idle, neverDue: next === undefined, againMs };
  const tooManyMissed = count > MANY_MISSED;
  if (active.length > 0 && concurrencyPolicy === 'Forbid')
    return { ...idle, skipped: 'Forbid', tooManyMissed, againMs };
  const replace = concurrencyPolicy === 'Replace' ? active : [];
  return { ...idle, startMs: latestMs, replace, tooManyMissed, againMs };
}

/** The latest time between two that was not met, and (up to a bound) how many there were. */
function unmet(
  schedule: Schedule,
  sinceMs: number,
  nowMs: number,
  timeZone: string,
): { latestMs: number | undefined; count: number } {
  let latestMs: number | undefined;
  let count = 0;
  for (let at = nextTime(schedule, sinceMs, timeZone); at !== undefined && at <= nowMs; ) {
    latestMs = at;
    if (++count > MANY_MISSED) {
      // Too many to walk through: go on close to the end, half the distance at a time.
      const closerMs = at + Math.floor((nowMs - at) / 2);
      const jump = nextTime(schedule, closerMs, timeZone);
      at = jump !== undefined && jump <= nowMs ? jump : (nextTime(schedule, at, timeZone) ?? nowMs + 1);
    } else at = nextTime(schedule, at, timeZone) ?? nowMs + 1;
  }
  return { latestMs, count };
}

/** Finished Jobs beyond the history limits, oldest first. Pure. */
export function planCronHistory(cron: CronJob, jobs: readonly Job[]): Job[] {
  const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cron.spec ?? {};
  const of = (type: string): Job[] =>
    jobs
      .filter((job) => finishedCondition(job)?.type === type && !job.metadata.deletionTimestamp)
      .sort((a, b) => timeMs(a.status?.startTime) - timeMs(b.status?.startTime));
  const beyond = (all: Job[], limit: number): Job[] => all.slice(0, Math.max(0, all.length - limit));
  return [
    ...beyond(of('Complete'), successfulJobsHistoryLimit),
    ...beyond(of('Failed'), failedJobsHistoryLimit),
  ];
}

/** Named after the minute it was due, so that a second controller cannot start it twice. */
export function jobName(cron: CronJob, startMs: number): string {
  return `${cron.metadata.name}-${Math.floor(startMs / 60_000)}`;
}

/** Whether the controller started a Job, as its status or, after a crash before that was written, the name tells. Pure. */
export function isStartedBy({ metadata, status }: CronJob, job: Job): boolean {
  const isKnown = status?.active?.some(({ uid }) => uid !== undefined && uid === job.metadata.uid) ?? false;
  const name = job.metadata.name ?? '';
  const prefix = `${metadata.name}-`;
  return isKnown || (name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)));
}
