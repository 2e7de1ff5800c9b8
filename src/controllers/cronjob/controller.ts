import type { KubeObject, Resource } from '../../api/resource.ts';
import * as resources from '../../api/resources.gen.ts';
import { isAlreadyExists, isNotFound } from '../../api/status.ts';
import type { CronJob, Job } from '../../api/types.gen.ts';
import { splitKey } from '../../client/informer.ts';
import { controllerOf } from '../../client/object-store.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { errorText } from '../../lib/log.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { Expectations, STALE_STORE_MS } from '../framework/expectations.ts';
import { controllerReference } from '../framework/owners.ts';
import { isNamespaceTerminating } from '../framework/pod-control.ts';
import { timeMs } from '../framework/pods.ts';
import { writeStatus } from '../framework/status-writer.ts';
import { finishedCondition } from '../job/plan.ts';
import type { Controller, ControllerContext } from '../port.ts';
import { isStartedBy, jobName, planCronHistory, planCronJob } from './plan.ts';
import { localTime, parseSchedule } from './schedule.ts';

/** Starts Jobs on time. */
export const cronJobController: Controller = {
  name: 'cronjob-controller',
  start(context) {
    const crons = context.informers.for(resources.cronJobs);
    const jobs = context.informers.for(resources.jobs);
    const started = new Expectations(jobs.store);
    const statuses = new Expectations(crons.store);
    const own = { ...context, events: context.events.for('cronjob-controller') };
    const loop = startControlLoop({
      context,
      name: 'cronjob-controller',
      informers: [crons, jobs],
      reconcile: async (key) => {
        const { namespace, name } = splitKey(key);
        const cron = crons.store.get(namespace, name);
        if (!cron) {
          started.forget(key);
          statuses.forget(key);
          return undefined;
        }
        if (!started.met(key) || !statuses.met(key)) return STALE_STORE_MS;
        const mine = jobs.store
          .ownedBy(cron.metadata.uid ?? '')
          .filter((job) => controllerOf(job)?.uid === cron.metadata.uid);
        return await syncCronJob(own, cron, mine, (written, job) => {
          if (written !== cron) statuses.wrote(key, written);
          if (job) started.wrote(key, job);
        });
      },
    });
    loop.enqueueAll(crons);
    loop.onAny(jobs, (job) => {
      const owner = controllerOf(job);
      if (owner?.kind === 'CronJob') loop.add(`${job.metadata.namespace}/${owner.name}`);
    });
    return loop.stop;
  },
};

async function syncCronJob(
  context: ControllerContext,
  cron: CronJob,
  mine: readonly Job[],
  wrote: (cron: CronJob, job: Job | undefined) => void,
): Promise<number | undefined> {
  const { client, events, clock } = context;
  const unfinished = mine.filter((job) => !finishedCondition(job));
  const active = unfinished.filter((job) => isStartedBy(cron, job));
  // `kubectl create job --from` makes such: they run beside the schedule.
  for (const { metadata } of unfinished.filter((job) => !active.includes(job))) {
    const message = `Saw a job that the controller did not create or forgot: ${metadata.name}`;
    events.event(cron, 'Warning', 'UnexpectedJob', message);
  }
  tellOfFinished(context, cron, mine);
  for (const job of planCronHistory(cron, mine)) await deleteJob(context, cron, job);
  const schedule = readSchedule(context, cron);
  if (!schedule) return undefined;
  const plan = planCronJob(cron, schedule, active, clock.now());
  if (plan.neverDue) {
    // Upstream's words: it finds no first time and no second, and so nothing between them.
    const why = 'time difference between two schedules is less than 1 second';
    events.event(cron, 'Warning', 'InvalidSchedule', `invalid schedule: ${cron.spec?.schedule} : ${why}`);
  }
  if (plan.tooManyMissed) {
    const message =
      'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew';
    events.event(cron, 'Warning', 'TooManyMissedTimes', message);
  }
  if (plan.skipped === 'Forbid')
    events.event(
      cron,
      'Normal',
      'JobAlreadyActive',
      'Not starting job because prior execution is running and concurrency policy is Forbid',
    );
  for (const job of plan.replace) await deleteJob(context, cron, job);
  let running = active.filter((job) => !plan.replace.includes(job));
  let created: Job | undefined;
  if (plan.startMs !== undefined) {
    created = await startJob(context, cron, plan.startMs);
    if (created) running = [...running, created];
  }
  const succeeded = mine.filter((job) => finishedCondition(job)?.type === 'Complete');
  const lastMs = Math.max(
    timeMs(cron.status?.lastSuccessfulTime),
    ...succeeded.map((job) => timeMs(job.status?.completionTime)),
  );
  const written = await writeStatus(client, resources.cronJobs, cron, {
    ...cron.status,
    active: running.map(({ metadata }) => ({
      kind: 'Job',
      apiVersion: 'batch/v1',
      name: metadata.name ?? '',
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
    })),
    ...(plan.startMs === undefined ? {} : { lastScheduleTime: rfc3339(plan.startMs) }),
    ...(lastMs > 0 ? { lastSuccessfulTime: rfc3339(lastMs) } : {}),
  });
  wrote(written, created);
  return plan.againMs;
}

function readSchedule({ events }: ControllerContext, cron: CronJob) {
  const { schedule = '', timeZone } = cron.spec ?? {};
  try {
    localTime(timeZone ?? 'UTC');
  } catch {
    events.event(cron, 'Warning', 'UnknownTimeZone', `invalid timeZone: "${timeZone}"`);
    return undefined;
  }
  try {
    return parseSchedule(schedule);
  } catch (error) {
    events.event(
      cron,
      'Warning',
      'UnparseableSchedule',
      `unparseable schedule "${schedule}": ${errorText(error)}`,
    );
    return undefined;
  }
}

async function startJob(
  { client, events }: ControllerContext,
  cron: CronJob,
  startMs: number,
): Promise<Job | undefined> {
  const { metadata: template, spec } = cron.spec?.jobTemplate ?? {};
  const name = jobName(cron, startMs);
  const { namespace } = cron.metadata;
  const job: Job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...template?.labels },
      annotations: {
        ...template?.annotations,
        'batch.kubernetes.io/cronjob-scheduled-timestamp': rfc3339(startMs),
      },
      ownerReferences: [controllerReference(cron, resources.cronJobs as Resource<KubeObject>)],
    },
    ...(spec === undefined ? {} : { spec: structuredClone(spec) }),
  };
  try {
    const created = await client.create(resources.jobs, job);
    events.event(cron, 'Normal', 'SuccessfulCreate', `Created job ${name}`);
    return created;
  } catch (error) {
    // Started before a crash kept the status from saying so.
    if (isAlreadyExists(error)) {
      const found = await client.get(resources.jobs, { name, namespace });
      return controllerOf(found)?.uid === cron.metadata.uid ? found : undefined;
    }
    if (isNamespaceTerminating(error)) return undefined;
    events.event(cron, 'Warning', 'FailedCreate', `Error creating job: ${errorText(error)}`);
    throw error;
  }
}

async function deleteJob({ client, events }: ControllerContext, cron: CronJob, job: Job): Promise<void> {
  const { name = '', namespace } = job.metadata;
  try {
    await client.delete(resources.jobs, { name, namespace }, { propagationPolicy: 'Background' });
    events.event(cron, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Jobs that the status still calls active. */
function tellOfFinished({ events }: ControllerContext, cron: CronJob, mine: readonly Job[]): void {
  const listed = new Set(cron.status?.active?.map(({ uid }) => uid));
  for (const job of mine) {
    const ended = finishedCondition(job);
    if (!ended || !listed.has(job.metadata.uid ?? '')) continue;
    const message = `Saw completed job: ${job.metadata.name}, condition: ${ended.type}`;
    events.event(cron, 'Normal', 'SawCompletedJob', message);
  }
}
