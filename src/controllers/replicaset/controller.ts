import { type Selector, selectorFromLabels, selectorFromObject } from '../../api/labels.ts';
import type { KubeObject, Resource } from '../../api/resource.ts';
import * as resources from '../../api/resources.gen.ts';
import type { Pod, ReplicaSet, ReplicationController } from '../../api/types.gen.ts';
import { keyOf, type Store, splitKey } from '../../client/informer.ts';
import { controllerOf } from '../../client/object-store.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { errorText } from '../../lib/log.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { Expectations, STALE_STORE_MS } from '../framework/expectations.ts';
import { claim, controllerReference, planClaims } from '../framework/owners.ts';
import { createPod, deletePod, isNamespaceTerminating } from '../framework/pod-control.ts';
import { isActive, podFromTemplate } from '../framework/pods.ts';
import { slowStart } from '../framework/slow-start.ts';
import { writeStatus } from '../framework/status-writer.ts';
import type { Controller, ControllerContext } from '../port.ts';
import { planReplicaStatus, planReplicas, type ReplicaSpec, type ReplicaStatus } from './plan.ts';

/** Any kind that keeps a number of equal pods. */
interface Replicated extends KubeObject {
  status?: ReplicaStatus;
}

interface Engine<T extends Replicated> {
  readonly name: string;
  readonly resource: Resource<T>;
  readonly specOf: (object: T) => ReplicaSpec;
  readonly selectorOf: (object: T) => Selector;
  readonly withTerminating: boolean;
}

/** Keeps as many pods as each ReplicaSet wants. */
export const replicaSetController: Controller = replicaController<ReplicaSet>({
  name: 'replicaset-controller',
  resource: resources.replicaSets,
  specOf: ({ spec }) => ({
    replicas: spec?.replicas ?? 1,
    minReadySeconds: spec?.minReadySeconds ?? 0,
    template: spec?.template ?? {},
  }),
  selectorOf: ({ spec }) => selectorFromObject(spec?.selector),
  withTerminating: true,
});

/** The same for ReplicationControllers. */
export const replicationController: Controller = replicaController<ReplicationController>({
  name: 'replication-controller',
  resource: resources.replicationControllers,
  specOf: ({ spec }) => ({
    replicas: spec?.replicas ?? 1,
    minReadySeconds: spec?.minReadySeconds ?? 0,
    template: spec?.template ?? {},
  }),
  selectorOf: ({ spec }) => selectorFromLabels(spec?.selector ?? spec?.template?.metadata?.labels),
  withTerminating: false,
});

function replicaController<T extends Replicated>(engine: Engine<T>): Controller {
  return {
    name: engine.name,
    start(context) {
      const sets = context.informers.for(engine.resource);
      const pods = context.informers.for(resources.pods);
      const expectations = new Expectations(pods.store);
      const own = { ...context, events: context.events.for(engine.name) };
      const loop = startControlLoop({
        context,
        name: engine.name,
        informers: [sets, pods],
        concurrency: 5,
        reconcile: async (key) => {
          const { namespace, name } = splitKey(key);
          const set = sets.store.get(namespace, name);
          if (!set) {
            expectations.forget(key);
            return undefined;
          }
          if (!expectations.met(key)) return STALE_STORE_MS;
          return await syncReplicas({
            context: own,
            engine,
            set,
            pods: pods.store,
            sets: sets.store,
            expectations,
          });
        },
      });
      loop.enqueueAll(sets);
      loop.onAny(pods, (pod, old) => {
        for (const one of old ? [pod, old] : [pod]) {
          const owner = controllerOf(one);
          if (owner?.kind === engine.resource.kind) loop.add(`${one.metadata.namespace}/${owner.name}`);
        }
        if (!controllerOf(pod) && !pod.metadata.deletionTimestamp) {
          for (const set of sets.store.list(pod.metadata.namespace))
            if (engine.selectorOf(set).matches(pod.metadata.labels)) loop.add(keyOf(set));
        }
      });
      return loop.stop;
    },
  };
}

interface Sync<T extends Replicated> {
  readonly context: ControllerContext;
  readonly engine: Engine<T>;
  readonly set: T;
  readonly sets: Store<T>;
  readonly pods: Store<Pod>;
  readonly expectations: Expectations<Pod>;
}

async function syncReplicas<T extends Replicated>(sync: Sync<T>): Promise<number | undefined> {
  const { context, engine, set, pods } = sync;
  const { clock, client } = context;
  const { uid = '', namespace = '', generation = 0 } = set.metadata;
  const selector = engine.selectorOf(set);
  if (selector.isEverything || selector.isNothing) return undefined;
  const candidates = [...pods.ownedBy(uid), ...pods.uncontrolled(namespace)];
  const claims = planClaims(
    set,
    selector,
    candidates.filter((pod) => pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed'),
  );
  const claimed = await claim<T, Pod>({
    client,
    owner: set,
    ownerResource: engine.resource,
    resource: resources.pods,
    claims,
  });
  const outcome = set.metadata.deletionTimestamp ? { error: undefined } : await scale(sync, claimed);
  const nowMs = clock.now();
  const { status, againMs } = planReplicaStatus({
    spec: engine.specOf(set),
    generation,
    old: set.status,
    claimed,
    failure: 'failure' in outcome ? outcome.failure : undefined,
    withTerminating: engine.withTerminating,
    now: rfc3339(nowMs),
    nowMs,
  });
  await writeStatus<T>(client, engine.resource, set, status as NonNullable<T['status']>);
  if (outcome.error !== undefined) throw outcome.error;
  return againMs;
}

interface Outcome {
  readonly error: unknown;
  readonly failure?: { reason: 'FailedCreate' | 'FailedDelete'; message: string };
}

/** Creates or deletes what the plan says; a failure comes back, since the status must tell of it. */
async function scale<T extends Replicated>(sync: Sync<T>, claimed: readonly Pod[]): Promise<Outcome> {
  const { context, engine, set, expectations } = sync;
  const spec = engine.specOf(set);
  const plan = planReplicas(spec, claimed, peersOf(sync), context.clock.now());
  const key = keyOf(set);
  if (plan.create > 0) {
    const { error } = await slowStart(plan.create, async () => {
      const pod = podFromTemplate(spec.template, set.metadata.namespace);
      pod.metadata.generateName = `${set.metadata.name}-`;
      pod.metadata.ownerReferences = [controllerReference(set, engine.resource as Resource)];
      expectations.wrote(key, await createPod(context, set, pod));
    });
    if (error === undefined || isNamespaceTerminating(error)) return { error: undefined };
    return { error, failure: { reason: 'FailedCreate', message: errorText(error) } };
  }
  const results = await Promise.allSettled(
    plan.delete.map(async (pod) => {
      await deletePod(context, set, pod);
      expectations.deleted(key, pod);
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (!failed) return { error: undefined };
  return { error: failed.reason, failure: { reason: 'FailedDelete', message: errorText(failed.reason) } };
}

/** Active pods of all sets with the same controller, such as one Deployment's. */
function peersOf<T extends Replicated>({ set, sets, pods }: Sync<T>): Pod[] {
  const controller = controllerOf(set);
  const family = controller ? sets.ownedBy(controller.uid) : [set];
  return family.flatMap(({ metadata: { uid = '' } }) => pods.ownedBy(uid).filter(isActive));
}
