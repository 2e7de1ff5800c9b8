import { selectorFromObject } from '../../api/labels.ts';
import type { KubeObject, Resource } from '../../api/resource.ts';
import * as resources from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { Job, Pod } from '../../api/types.gen.ts';
import { keyOf, type Store, splitKey } from '../../client/informer.ts';
import { controllerOf } from '../../client/object-store.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { Expectations, STALE_STORE_MS } from '../framework/expectations.ts';
import { claim, controllerReference, planClaims } from '../framework/owners.ts';
import { createPod, deletePod, isNamespaceTerminating } from '../framework/pod-control.ts';
import { podFromTemplate, timeMs } from '../framework/pods.ts';
import { slowStart } from '../framework/slow-start.ts';
import { writeStatus } from '../framework/status-writer.ts';
import type { Controller, ControllerContext } from '../port.ts';
import { INDEX, isIndexed, isTracked, TRACKING } from './job-pods.ts';
import { finishedCondition, type JobPlan, planJob } from './plan.ts';

/** Runs pods until enough of them succeeded; removes finished Jobs when their time to live is over. */
export const jobController: Controller = {
  name: 'job-controller',
  start(context) {
    const jobs = context.informers.for(resources.jobs);
    const pods = context.informers.for(resources.pods);
    const expectations = new Expectations(pods.store);
    const statuses = new Expectations(jobs.store);
    const own = { ...context, events: context.events.for('job-controller') };
    const loop = startControlLoop({
      context,
      name: 'job-controller',
      informers: [jobs, pods],
      concurrency: 5,
      reconcile: async (key) => {
        const { namespace, name } = splitKey(key);
        const job = jobs.store.get(namespace, name);
        if (!job) {
          expectations.forget(key);
          statuses.forget(key);
          return undefined;
        }
        if (!expectations.met(key) || !statuses.met(key)) return STALE_STORE_MS;
        return await syncJob({ context: own, job, key, pods: pods.store, expectations, statuses });
      },
    });
    loop.enqueueAll(jobs);
    loop.onAny(pods, (pod, old) => {
      for (const one of old ? [pod, old] : [pod]) {
        const owner = controllerOf(one);
        if (owner?.kind === 'Job') loop.add(`${one.metadata.namespace}/${owner.name}`);
      }
      // A pod whose Job is gone must not hang on its finalizer.
      const owner = controllerOf(pod);
      const isOrphan = owner?.kind === 'Job' && !jobs.store.get(pod.metadata.namespace, owner.name);
      if (isTracked(pod) && isOrphan && jobs.hasSynced && pod.metadata.deletionTimestamp)
        void releasePod(context.client, pod).catch(() => loop.add(keyOf(pod)));
    });
    return loop.stop;
  },
};

interface Sync {
  readonly context: ControllerContext;
  readonly job: Job;
  readonly key: string;
  readonly pods: Store<Pod>;
  readonly expectations: Expectations<Pod>;
  readonly statuses: Expectations<Job>;
}

async function syncJob(sync: Sync): Promise<number | undefined> {
  const { context, job, key, pods, expectations, statuses } = sync;
  const { client, clock } = context;
  const { uid = '', namespace = '' } = job.metadata;
  if (job.spec?.managedBy && job.spec.managedBy !== 'kubernetes.io/job-controller') return undefined;
  if (finishedCondition(job) || job.metadata.deletionTimestamp) {
    for (const pod of pods.ownedBy(uid)) if (isTracked(pod)) await releasePod(client, pod);
    return await removeWhenOld(context, job);
  }
  const selector = selectorFromObject(job.spec?.selector);
  const claimed = await claim({
    client,
    owner: job,
    ownerResource: resources.jobs,
    resource: resources.pods,
    claims: planClaims(job, selector, [...pods.ownedBy(uid), ...pods.uncontrolled(namespace)]),
  });
  const plan = planJob(job, claimed, clock.now());
  // First the count, then the finalizers: what dies in between counts once. The other way round would lose it.
  const written = await writeStatus(client, resources.jobs, job, plan.status);
  if (written !== job) statuses.wrote(key, written);
  tell(context, job, plan);
  for (const pod of plan.release) {
    const released = await releasePod(client, pod);
    if (released) expectations.wrote(key, released);
  }
  for (const pod of plan.delete) {
    await deletePod(context, job, pod);
    expectations.deleted(key, pod);
  }
  const { error } = await slowStart(plan.create.length, async (at) => {
    expectations.wrote(key, await createPod(context, job, jobPod(job, plan.create[at])));
  });
  if (error !== undefined && !isNamespaceTerminating(error)) throw error;
  return plan.finished ? await removeWhenOld(context, written) : plan.againMs;
}

function jobPod(job: Job, index: number | undefined): Pod {
  const pod = podFromTemplate(job.spec?.template ?? {}, job.metadata.namespace);
  const { name = '' } = job.metadata;
  pod.metadata.finalizers = [...(pod.metadata.finalizers ?? []).filter((one) => one !== TRACKING), TRACKING];
  pod.metadata.ownerReferences = [controllerReference(job, resources.jobs as Resource<KubeObject>)];
  if (index === undefined || !isIndexed(job) || !pod.spec) {
    pod.metadata.generateName = `${name}-`;
    return pod;
  }
  pod.metadata.generateName = `${name}-${index}-`;
  pod.metadata.annotations = { ...pod.metadata.annotations, [INDEX]: String(index) };
  pod.metadata.labels = { ...pod.metadata.labels, [INDEX]: String(index) };
  pod.spec.hostname ??= `${name}-${index}`;
  const variable = {
    name: 'JOB_COMPLETION_INDEX',
    valueFrom: { fieldRef: { fieldPath: `metadata.labels['${INDEX}']`, apiVersion: 'v1' } },
  };
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers])
    if (!container.env?.some((one) => one.name === variable.name))
      container.env = [...(container.env ?? []), structuredClone(variable)];
  return pod;
}

async function releasePod(client: ControllerContext['client'], pod: Pod): Promise<Pod | undefined> {
  const { name = '', namespace, uid, resourceVersion } = pod.metadata;
  const finalizers = (pod.metadata.finalizers ?? []).filter((one) => one !== TRACKING);
  const body = { metadata: { uid, resourceVersion, finalizers } };
  try {
    return await client.patch(resources.pods, { name, namespace }, { type: 'merge', body });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function tell({ events }: ControllerContext, job: Job, { status, finished }: JobPlan): void {
  const before = job.status?.conditions?.find(({ type }) => type === 'Suspended')?.status;
  const after = status.conditions?.find(({ type }) => type === 'Suspended')?.status;
  if (after === 'True' && before !== 'True') events.event(job, 'Normal', 'Suspended', 'Job suspended');
  if (after === 'False' && before === 'True') events.event(job, 'Normal', 'Resumed', 'Job resumed');
  if (finished?.type === 'Complete') events.event(job, 'Normal', 'Completed', 'Job completed');
  if (finished?.type === 'Failed') events.event(job, 'Warning', finished.reason, finished.message);
}

/** Deletes a finished Job whose `ttlSecondsAfterFinished` is over, or says when that will be. */
async function removeWhenOld({ client, clock }: ControllerContext, job: Job): Promise<number | undefined> {
  const { ttlSecondsAfterFinished } = job.spec ?? {};
  const ended = finishedCondition(job);
  if (ttlSecondsAfterFinished === undefined || !ended || job.metadata.deletionTimestamp) return undefined;
  const leftMs = timeMs(ended.lastTransitionTime) + ttlSecondsAfterFinished * 1000 - clock.now();
  if (leftMs > 0) return leftMs;
  const { name = '', namespace, uid = '' } = job.metadata;
  await client
    .delete(resources.jobs, { name, namespace }, { propagationPolicy: 'Foreground', preconditions: { uid } })
    .catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  return undefined;
}
