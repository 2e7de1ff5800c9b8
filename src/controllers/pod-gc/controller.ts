import * as resources from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { Node, Pod } from '../../api/types.gen.ts';
import { keyOf } from '../../client/informer.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { isTerminal, timeMs } from '../framework/pods.ts';
import { writeStatus } from '../framework/status-writer.ts';
import type { Controller, ControllerContext } from '../port.ts';

export type Garbage = 'orphaned' | 'unscheduled' | 'out-of-service';

/** Why a pod can never end by itself; undefined when it can. Pure. */
function garbageReason(pod: Pod, node: Node | undefined): Garbage | undefined {
  const { nodeName } = pod.spec ?? {};
  const leaving = pod.metadata.deletionTimestamp !== undefined;
  if (!nodeName) return leaving ? 'unscheduled' : undefined;
  if (!node) return 'orphaned';
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  const outOfService = node.spec?.taints?.some(({ key }) => key === 'node.kubernetes.io/out-of-service');
  return leaving && outOfService && ready !== 'True' ? 'out-of-service' : undefined;
}

/** The oldest finished pods above the threshold. Pure. */
export function planTerminated(pods: readonly Pod[], threshold: number): Pod[] {
  const finished = pods.filter((pod) => isTerminal(pod) && !pod.metadata.deletionTimestamp);
  return finished
    .sort((a, b) => timeMs(a.metadata.creationTimestamp) - timeMs(b.metadata.creationTimestamp))
    .slice(0, Math.max(0, finished.length - threshold));
}

const TERMINATED = 'terminated';

/** Removes pods no agent will ever remove: of nodes that are gone, never scheduled, or finished and too many. */
export const podGCController: Controller = {
  name: 'pod-garbage-collector',
  start(context) {
    const { client } = context;
    const nodes = context.informers.for(resources.nodes);
    const pods = context.informers.for(resources.pods);
    const { terminatedPods, orphanGraceMs } = LIMITS.controllers;
    /** Pods of missing nodes, with when they were first seen so: a node that re-registers keeps its pods. */
    const orphans = new Map<string, number>();
    const loop = startControlLoop({
      context,
      name: 'pod-garbage-collector',
      informers: [nodes, pods],
      reconcile: async (key) => {
        if (key === TERMINATED) {
          for (const pod of planTerminated(pods.store.list(), terminatedPods)) await remove(client, pod);
          return undefined;
        }
        const [namespace = '', name = ''] = key.split('/');
        const pod = pods.store.get(namespace, name);
        const nodeName = pod?.spec?.nodeName ?? '';
        const why = pod && garbageReason(pod, nodes.store.get(undefined, nodeName));
        const uid = pod?.metadata.uid ?? '';
        if (!pod || !why) {
          orphans.delete(uid);
          return undefined;
        }
        if (why === 'orphaned') {
          const nowMs = context.clock.monotonicMs();
          const sinceMs = orphans.get(uid) ?? nowMs;
          orphans.set(uid, sinceMs);
          if (nowMs - sinceMs < orphanGraceMs) return sinceMs + orphanGraceMs - nowMs;
          const found = await client.get(resources.nodes, { name: nodeName }).catch(ignoreNotFound);
          if (found) return undefined;
          orphans.delete(uid);
        }
        await markFailed(context, pod, why);
        await remove(client, pod);
        return undefined;
      },
    });
    loop.onAny(pods, (pod) => {
      if (isTerminal(pod) && pods.store.size > terminatedPods) loop.add(TERMINATED);
      if (garbageReason(pod, nodes.store.get(undefined, pod.spec?.nodeName ?? ''))) loop.add(keyOf(pod));
    });
    loop.onStop(pods.onChange({ delete: ({ metadata }) => void orphans.delete(metadata.uid ?? '') }));
    loop.onAny(nodes, (node, old) => {
      const isGone = nodes.store.get(undefined, node.metadata.name ?? '') === undefined;
      const taintsChanged = old && old.spec?.taints?.length !== node.spec?.taints?.length;
      if (!isGone && !taintsChanged) return;
      for (const pod of pods.store.list())
        if (pod.spec?.nodeName === node.metadata.name) loop.add(keyOf(pod));
    });
    return loop.stop;
  },
};

async function markFailed({ client, clock }: ControllerContext, pod: Pod, why: Garbage): Promise<void> {
  if (isTerminal(pod)) return;
  const lastTransitionTime = rfc3339(clock.now());
  const disrupted = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByPodGC',
    message: 'PodGC: node no longer exists',
    lastTransitionTime,
  };
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'DisruptionTarget');
  await writeStatus(client, resources.pods, pod, {
    ...pod.status,
    phase: 'Failed',
    ...(why === 'orphaned' ? { conditions: [...others, disrupted] } : {}),
  }).catch(ignoreNotFound);
}

async function remove(client: ControllerContext['client'], pod: Pod): Promise<void> {
  const { name = '', namespace, uid = '' } = pod.metadata;
  const options = { gracePeriodSeconds: 0, preconditions: { uid } };
  await client.delete(resources.pods, { name, namespace }, options).catch(ignoreNotFound);
}

function ignoreNotFound(error: unknown): undefined {
  if (isNotFound(error)) return undefined;
  throw error;
}
