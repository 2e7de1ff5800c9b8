import * as resources from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { Node, Pod } from '../../api/types.gen.ts';
import { keyOf, type Store, splitKey } from '../../client/informer.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { isTerminal } from '../framework/pods.ts';
import { writeStatus } from '../framework/status-writer.ts';
import type { Controller, ControllerContext } from '../port.ts';
import { evictionDelayMs, planPodNotReady, planSilence, planTaints, readyOf } from './plan.ts';

const LEASES = 'kube-node-lease';

/** What we saw of a node, in monotonic time of our own: neither its clock nor a jump of ours can make it look silent. */
interface Heard {
  readonly renewTime: string | undefined;
  readonly heartbeat: string | undefined;
  readonly atMs: number;
}

/** Notices nodes that fell silent, taints nodes by their conditions, and marks their pods not ready. */
export const nodeLifecycleController: Controller = {
  name: 'node-controller',
  start(context) {
    const { clock, client } = context;
    const own = { ...context, events: context.events.for('node-controller') };
    const nodes = context.informers.for(resources.nodes);
    const leases = context.informers.for(resources.leases);
    const pods = context.informers.for(resources.pods);
    const heard = new Map<string, Heard>();
    const { nodeSilenceMs } = LIMITS.controllers;

    const listen = (name: string, node: Node): Heard => {
      const renewTime = leases.store.get(LEASES, name)?.spec?.renewTime;
      const heartbeat = readyOf(node)?.lastHeartbeatTime;
      const before = heard.get(name);
      if (before && before.renewTime === renewTime && before.heartbeat === heartbeat) return before;
      const now = { renewTime, heartbeat, atMs: clock.monotonicMs() };
      heard.set(name, now);
      return now;
    };
    const loop = startControlLoop({
      context,
      name: 'node-controller',
      informers: [nodes, leases, pods],
      reconcile: async (name) => {
        const node = nodes.store.get(undefined, name);
        if (!node) {
          heard.delete(name);
          return undefined;
        }
        const silentMs = clock.monotonicMs() - listen(name, node).atMs;
        const judged = silentMs >= nodeSilenceMs ? await markSilent(own, node) : node;
        await writeTaints(own, judged);
        if (readyOf(judged)?.status !== 'True')
          await markPodsNotReady(client, judged, pods.store, clock.now());
        // One timer for each node, which renewals push ahead without a wake-up: see below.
        return silentMs >= nodeSilenceMs ? undefined : nodeSilenceMs - silentMs;
      },
    });
    loop.enqueueAll(nodes);
    loop.onAny(leases, (lease) => {
      const { name = '', namespace } = lease.metadata;
      if (namespace !== LEASES) return;
      const node = nodes.store.get(undefined, name);
      if (!node) return;
      // A renewal only moves what `listen` remembers. The timer that is running will see it and wait again.
      const isNew = !heard.has(name);
      listen(name, node);
      if (isNew || readyOf(node)?.status === 'Unknown') loop.add(name);
    });
    return loop.stop;
  },
};

async function markSilent({ client, clock, events }: ControllerContext, node: Node): Promise<Node> {
  const conditions = planSilence(node, rfc3339(clock.now()));
  if (!conditions) return node;
  const wasReady = readyOf(node)?.status === 'True';
  const marked = await writeStatus(client, resources.nodes, node, { ...node.status, conditions });
  if (wasReady) {
    const { name } = node.metadata;
    events.event(node, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
  }
  return marked;
}

async function writeTaints({ client, clock }: ControllerContext, node: Node): Promise<void> {
  const taints = planTaints(node, rfc3339(clock.now()));
  if (!taints) return;
  const { name = '', uid, resourceVersion } = node.metadata;
  const body = { metadata: { uid, resourceVersion }, spec: { taints } };
  await client.patch(resources.nodes, { name }, { type: 'merge', body });
}

async function markPodsNotReady(
  client: ControllerContext['client'],
  node: Node,
  pods: Store<Pod>,
  nowMs: number,
): Promise<void> {
  for (const pod of podsOn(pods, node.metadata.name ?? '')) {
    const status = planPodNotReady(pod, rfc3339(nowMs));
    if (!status) continue;
    await writeStatus(client, resources.pods, pod, status).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
}

function podsOn(pods: Store<Pod>, nodeName: string): Pod[] {
  return pods.list().filter((pod) => pod.spec?.nodeName === nodeName);
}

/** Deletes pods from nodes whose NoExecute taints they do not, or no longer, tolerate. */
export const taintEvictionController: Controller = {
  name: 'taint-eviction-controller',
  start(context) {
    const { clock, client } = context;
    const events = context.events.for('taint-eviction-controller');
    const nodes = context.informers.for(resources.nodes);
    const pods = context.informers.for(resources.pods);
    /** Pod uid → when we first saw it under which taints, monotonic. A jump of the wall clock evicts nobody. */
    const since = new Map<string, { taints: string; atMs: number }>();
    const loop = startControlLoop({
      context,
      name: 'taint-eviction-controller',
      informers: [nodes, pods],
      reconcile: async (key) => {
        const { namespace, name } = splitKey(key);
        const pod = pods.store.get(namespace, name);
        const uid = pod?.metadata.uid ?? '';
        const node = nodes.store.get(undefined, pod?.spec?.nodeName ?? '');
        const taints = (node?.spec?.taints ?? []).filter(({ effect }) => effect === 'NoExecute');
        if (!pod || pod.metadata.deletionTimestamp || isTerminal(pod)) return undefined;
        if (taints.length === 0) {
          if (since.delete(uid))
            events.event(pod, 'Normal', 'TaintManagerEviction', `Cancelling deletion of Pod ${key}`);
          return undefined;
        }
        const delayMs = evictionDelayMs(pod, taints);
        if (delayMs === undefined) return undefined;
        const mark = taints
          .map(({ key: of, value = '' }) => `${of}=${value}`)
          .sort()
          .join(',');
        const known = since.get(uid);
        const begun = known?.taints === mark ? known : { taints: mark, atMs: clock.monotonicMs() };
        since.set(uid, begun);
        const leftMs = begun.atMs + delayMs - clock.monotonicMs();
        if (leftMs > 0) return leftMs;
        events.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${key}`);
        await markDisrupted(context, pod);
        await client
          .delete(resources.pods, { namespace, name }, { preconditions: { uid } })
          .catch((error: unknown) => {
            if (!isNotFound(error)) throw error;
          });
        since.delete(uid);
        return undefined;
      },
    });
    const isTainted = (node: Node | undefined): boolean =>
      node?.spec?.taints?.some(({ effect }) => effect === 'NoExecute') ?? false;
    loop.onAny(pods, (pod) => {
      if (isTainted(nodes.store.get(undefined, pod.spec?.nodeName ?? ''))) loop.add(keyOf(pod));
    });
    loop.onStop(pods.onChange({ delete: ({ metadata }) => void since.delete(metadata.uid ?? '') }));
    loop.onAny(nodes, (node, old) => {
      if (!isTainted(node) && !isTainted(old)) return;
      for (const pod of podsOn(pods.store, node.metadata.name ?? '')) loop.add(keyOf(pod));
    });
    return loop.stop;
  },
};

/** Says on the pod itself why it goes, which Jobs' failure policies read. */
async function markDisrupted({ client, clock }: ControllerContext, pod: Pod): Promise<void> {
  const conditions = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'DisruptionTarget');
  const disrupted = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByTaintManager',
    message: 'Taint manager: deleting due to NoExecute taint',
    lastTransitionTime: rfc3339(clock.now()),
  };
  await writeStatus(client, resources.pods, pod, {
    ...pod.status,
    conditions: [...conditions, disrupted],
  }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}
