import { equalJson } from '../../api/json-value.ts';
import { selectorFromObject } from '../../api/labels.ts';
import type { KubeObject, Resource } from '../../api/resource.ts';
import * as resources from '../../api/resources.gen.ts';
import type { DaemonSet, Pod } from '../../api/types.gen.ts';
import { keyOf, splitKey } from '../../client/informer.ts';
import { controllerOf } from '../../client/object-store.ts';
import { Backoff } from '../../lib/backoff.ts';
import { LIMITS } from '../../lib/limits.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { Expectations, STALE_STORE_MS } from '../framework/expectations.ts';
import { claim, controllerReference, planClaims } from '../framework/owners.ts';
import { createPod, deletePod, isNamespaceTerminating } from '../framework/pod-control.ts';
import { nextAvailableMs, podFromTemplate } from '../framework/pods.ts';
import { currentRevision, hashOf, trimRevisions } from '../framework/revisions.ts';
import { slowStart } from '../framework/slow-start.ts';
import { writeStatus } from '../framework/status-writer.ts';
import type { Controller } from '../port.ts';
import { pinnedTo, withDaemonTolerations } from './node-fit.ts';
import { HASH, planDaemonSet } from './plan.ts';

/** One pod on every node that fits. */
export const daemonSetController: Controller = {
  name: 'daemonset-controller',
  start(context) {
    const { client, clock } = context;
    const sets = context.informers.for(resources.daemonSets);
    const pods = context.informers.for(resources.pods);
    const nodes = context.informers.for(resources.nodes);
    const revisions = context.informers.for(resources.controllerRevisions);
    const expectations = new Expectations(pods.store);
    const remembered = new Expectations(revisions.store);
    const own = { ...context, events: context.events.for('daemonset-controller') };
    const { daemonRetryBaseMs, daemonRetryMaxMs } = LIMITS.controllers;
    const failures = new Backoff({ baseMs: daemonRetryBaseMs, maxMs: daemonRetryMaxMs });
    /** Until when (monotonic) a set's failed pods stay as they are: a node that refuses a pod refuses the next, too. */
    const resting = new Map<string, number>();
    const loop = startControlLoop({
      context,
      name: 'daemonset-controller',
      informers: [sets, pods, nodes, revisions],
      concurrency: 2,
      reconcile: async (key) => {
        const { namespace = '', name } = splitKey(key);
        const set = sets.store.get(namespace, name);
        if (!set) {
          expectations.forget(key);
          remembered.forget(key);
          failures.forget(key);
          resting.delete(key);
          return undefined;
        }
        if (!expectations.met(key) || !remembered.met(key)) return STALE_STORE_MS;
        const selector = selectorFromObject(set.spec?.selector);
        if (selector.isEverything) {
          const message = 'This daemon set is selecting all pods. A non-empty selector is required.';
          own.events.event(set, 'Warning', 'SelectingAll', message);
          return undefined;
        }
        const mine = await claim({
          client,
          owner: set,
          ownerResource: resources.daemonSets,
          resource: resources.pods,
          claims: planClaims(set, selector, [
            ...pods.store.ownedBy(set.metadata.uid ?? ''),
            ...pods.store.uncontrolled(namespace),
          ]),
        });
        const { current, all } = await currentRevision(client, revisions.store, set, resources.daemonSets);
        remembered.wrote(key, current);
        const hash = hashOf(set, current);
        const nowMs = clock.now();
        const plan = planDaemonSet({ set, nodes: nodes.store.list(), pods: mine, hash, nowMs });
        const restMs = (resting.get(key) ?? 0) - clock.monotonicMs();
        const resigned = new Set(plan.failed.length > 0 && restMs > 0 ? plan.failed : []);
        if (plan.failed.length === 0 && restMs <= 0) failures.forget(key);
        else if (resigned.size === 0 && plan.failed.length > 0)
          resting.set(key, clock.monotonicMs() + failures.next(key));
        for (const { metadata, spec } of plan.failed.filter((pod) => !resigned.has(pod))) {
          const message = `Found failed daemon pod ${namespace}/${metadata.name} on node ${spec?.nodeName}, will try to kill it`;
          own.events.event(set, 'Warning', 'FailedDaemonPod', message);
        }
        for (const pod of plan.delete.filter((one) => !resigned.has(one))) {
          await deletePod(own, set, pod);
          expectations.deleted(key, pod);
        }
        const { error } = await slowStart(plan.create.length, async (at) => {
          const pod = daemonPod(set, plan.create[at] ?? '', hash);
          expectations.wrote(key, await createPod(own, set, pod));
        });
        await writeStatus(client, resources.daemonSets, set, { ...set.status, ...plan.status });
        if (error !== undefined && !isNamespaceTerminating(error)) throw error;
        const inUse = new Set(mine.map(({ metadata }) => `${name}-${metadata.labels?.[HASH]}`));
        await trimRevisions(
          client,
          all,
          inUse.add(current.metadata.name ?? ''),
          set.spec?.revisionHistoryLimit,
        );
        const availableMs = nextAvailableMs(mine, set.spec?.minReadySeconds ?? 0, nowMs);
        return resigned.size > 0 ? Math.min(restMs, availableMs ?? restMs) : availableMs;
      },
    });
    loop.enqueueAll(sets);
    loop.onAny(pods, (pod, old) => {
      for (const one of old ? [pod, old] : [pod]) {
        const owner = controllerOf(one);
        if (owner?.kind === 'DaemonSet') loop.add(`${one.metadata.namespace}/${owner.name}`);
      }
    });
    loop.onAny(nodes, (node, old) => {
      // Heartbeats change nothing that decides where daemons run.
      const isSame =
        old &&
        equalJson(old.metadata.labels ?? {}, node.metadata.labels ?? {}) &&
        equalJson(old.spec?.taints ?? [], node.spec?.taints ?? []);
      if (!isSame) for (const set of sets.store.list()) loop.add(keyOf(set));
    });
    return loop.stop;
  },
};

/** The pod for one node; pinned by affinity, since binding is the scheduler's. Pure. */
function daemonPod(set: DaemonSet, nodeName: string, hash: string): Pod {
  const pod = podFromTemplate(set.spec?.template ?? {}, set.metadata.namespace);
  pod.metadata.generateName = `${set.metadata.name}-`;
  const generation = set.metadata.annotations?.['deprecated.daemonset.template.generation'];
  pod.metadata.labels = {
    ...pod.metadata.labels,
    ...(generation === undefined ? {} : { 'pod-template-generation': generation }),
    [HASH]: hash,
  };
  pod.metadata.ownerReferences = [controllerReference(set, resources.daemonSets as Resource<KubeObject>)];
  if (pod.spec) {
    pod.spec.affinity = pinnedTo(nodeName, pod.spec.affinity);
    pod.spec.tolerations = withDaemonTolerations(pod.spec);
  }
  return pod;
}
