import { scaledValue } from '../../api/int-or-string.ts';
import { selectorFromObject } from '../../api/labels.ts';
import type { KubeObject } from '../../api/resource.ts';
import * as resources from '../../api/resources.gen.ts';
import type { Pod, PodDisruptionBudget } from '../../api/types.gen.ts';
import { keyOf, splitKey } from '../../client/informer.ts';
import { controllerOf } from '../../client/object-store.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { isReady, isTerminal, timeMs } from '../framework/pods.ts';
import { withCondition, writeStatus } from '../framework/status-writer.ts';
import type { Controller } from '../port.ts';

export interface DisruptionInput {
  readonly budget: PodDisruptionBudget;
  /** Pods the budget selects. */
  readonly pods: readonly Pod[];
  /** Replicas that the pods' controllers want together. */
  readonly expected: number;
  readonly nowMs: number;
}

/** How many more pods may be evicted now. Pure. */
function planDisruption(input: DisruptionInput): {
  status: NonNullable<PodDisruptionBudget['status']>;
  againMs: number | undefined;
} {
  const { budget, nowMs } = input;
  const { minAvailable, maxUnavailable } = budget.spec ?? {};
  const pods = input.pods.filter((pod) => !isTerminal(pod));
  const counted = maxUnavailable !== undefined || typeof minAvailable === 'string';
  const expectedPods = counted ? input.expected : pods.length;
  const desiredHealthy =
    maxUnavailable === undefined
      ? scaledValue(minAvailable ?? 1, expectedPods, 'up')
      : Math.max(0, expectedPods - scaledValue(maxUnavailable, expectedPods, 'up'));
  // Evictions that were granted count as gone until the pod really leaves, or the grant is forgotten.
  const { disruptionGrantMs } = LIMITS.controllers;
  const disrupted = Object.entries(budget.status?.disruptedPods ?? {}).filter(
    ([name, at]) =>
      nowMs - timeMs(at) < disruptionGrantMs &&
      pods.some(({ metadata }) => metadata.name === name && !metadata.deletionTimestamp),
  );
  const granted = new Set(disrupted.map(([name]) => name));
  const currentHealthy = pods.filter(
    (pod) => isReady(pod) && !pod.metadata.deletionTimestamp && !granted.has(pod.metadata.name ?? ''),
  ).length;
  const disruptionsAllowed = expectedPods > 0 ? Math.max(0, currentHealthy - desiredHealthy) : 0;
  const observedGeneration = budget.metadata.generation ?? 0;
  const conditions = withCondition(budget.status?.conditions, {
    type: 'DisruptionAllowed',
    status: disruptionsAllowed > 0 ? 'True' : 'False',
    reason: disruptionsAllowed > 0 ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    lastTransitionTime: rfc3339(nowMs),
    observedGeneration,
  });
  const expiries = disrupted.map(([, at]) => timeMs(at) + disruptionGrantMs - nowMs);
  return {
    status: {
      observedGeneration,
      currentHealthy,
      desiredHealthy,
      expectedPods,
      disruptionsAllowed,
      ...(disrupted.length > 0 ? { disruptedPods: Object.fromEntries(disrupted) } : {}),
      conditions,
    },
    againMs: expiries.length > 0 ? Math.min(...expiries) : undefined,
  };
}

/** Keeps the status of PodDisruptionBudgets, which evictions are granted by. */
export const disruptionController: Controller = {
  name: 'disruption-controller',
  start(context) {
    const { client, clock, informers } = context;
    const budgets = informers.for(resources.podDisruptionBudgets);
    const pods = informers.for(resources.pods);
    const owners = {
      ReplicaSet: informers.for(resources.replicaSets),
      ReplicationController: informers.for(resources.replicationControllers),
      StatefulSet: informers.for(resources.statefulSets),
      Deployment: informers.for(resources.deployments),
    };
    type Scalable = KubeObject & { spec?: { replicas?: number } };
    const find = (kind: string, namespace: string | undefined, name: string): Scalable | undefined =>
      (owners as unknown as Record<string, { store: { get(n: string | undefined, of: string): Scalable } }>)[
        kind
      ]?.store.get(namespace, name);
    /** The replicas wanted by whatever scales a set of pods: a Deployment for its ReplicaSets. */
    const expectedOf = (selected: readonly Pod[]): number => {
      const scales = new Map<string, number>();
      let loose = 0;
      for (const pod of selected) {
        const { namespace } = pod.metadata;
        const owner = controllerOf(pod);
        let found = owner && find(owner.kind, namespace, owner.name);
        const above = found && controllerOf(found);
        if (above?.kind === 'Deployment') found = find(above.kind, namespace, above.name) ?? found;
        if (found) scales.set(found.metadata.uid ?? '', found.spec?.replicas ?? 1);
        else loose++;
      }
      return [...scales.values()].reduce((total, replicas) => total + replicas, loose);
    };
    const matching = (budget: PodDisruptionBudget): Pod[] => {
      const selector = selectorFromObject(budget.spec?.selector);
      return pods.store
        .list(budget.metadata.namespace)
        .filter(({ metadata }) => selector.matches(metadata.labels));
    };
    const loop = startControlLoop({
      context,
      name: 'disruption-controller',
      informers: [budgets, pods, ...(Object.values(owners) as unknown as (typeof budgets)[])],
      reconcile: async (key) => {
        const { namespace, name } = splitKey(key);
        const budget = budgets.store.get(namespace, name);
        if (!budget) return undefined;
        const selected = matching(budget);
        const input = { budget, pods: selected, expected: expectedOf(selected), nowMs: clock.now() };
        const { status, againMs } = planDisruption(input);
        await writeStatus(client, resources.podDisruptionBudgets, budget, status);
        return againMs;
      },
    });
    loop.enqueueAll(budgets);
    loop.onAny(pods, (pod, old) => {
      const isSame =
        old &&
        isReady(old) === isReady(pod) &&
        old.status?.phase === pod.status?.phase &&
        old.metadata.deletionTimestamp === pod.metadata.deletionTimestamp &&
        old.metadata.labels === pod.metadata.labels;
      if (isSame) return;
      for (const budget of budgets.store.list(pod.metadata.namespace))
        if (selectorFromObject(budget.spec?.selector).matches(pod.metadata.labels)) loop.add(keyOf(budget));
    });
    for (const informer of [owners.Deployment, owners.StatefulSet])
      loop.onAny(informer as unknown as typeof owners.Deployment, (owner, old) => {
        if (old?.spec?.replicas === owner.spec?.replicas) return;
        for (const budget of budgets.store.list(owner.metadata.namespace)) loop.add(keyOf(budget));
      });
    return loop.stop;
  },
};
