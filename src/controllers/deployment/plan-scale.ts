import type { Deployment, ReplicaSet } from '../../api/types.gen.ts';
import {
  annotatedNumber,
  availableOf,
  bounds,
  byAge,
  DESIRED_REPLICAS,
  isRolling,
  MAX_REPLICAS,
  replicasOf,
  revisionOf,
  sum,
} from './replica-counts.ts';

export interface Scaling {
  readonly set: ReplicaSet;
  readonly replicas: number;
}

export interface Rollout {
  readonly deployment: Deployment;
  /** The set with the current template, once it exists. */
  readonly current: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
}

const active = (sets: readonly ReplicaSet[]): ReplicaSet[] => sets.filter((set) => replicasOf(set) > 0);

/** How many replicas the current set should have now, or start with (`current` undefined). Pure. */
export function replicasOfNew({ deployment, current, old }: Rollout): number {
  const wanted = replicasOf(deployment);
  if (!isRolling(deployment)) return wanted;
  const has = current ? replicasOf(current) : 0;
  const most = wanted + bounds(deployment).maxSurge;
  const total = has + sum(old, replicasOf);
  if (total >= most) return has;
  return has + Math.max(0, Math.min(most - total, wanted - has));
}

/** One step of a rolling update: first the new set, then the old ones. Empty when nothing may move. Pure. */
export function planRollingUpdate(rollout: Rollout): Scaling[] {
  const { deployment, current } = rollout;
  if (!current) return [];
  const wanted = replicasOf(deployment);
  const next = replicasOf(current) > wanted ? wanted : replicasOfNew(rollout);
  if (next !== replicasOf(current)) return [{ set: current, replicas: next }];
  return planScaleDownOld(rollout, current);
}

/** Removes unhealthy old pods first, since nobody misses them, then as many others as availability allows. */
function planScaleDownOld({ deployment, old }: Rollout, current: ReplicaSet): Scaling[] {
  const sets = byAge(active(old));
  if (sets.length === 0) return [];
  const least = replicasOf(deployment) - bounds(deployment).maxUnavailable;
  const unavailableNew = replicasOf(current) - availableOf(current);
  const total = sum(sets, replicasOf) + replicasOf(current);
  let spare = total - least - unavailableNew;
  if (spare <= 0) return [];
  const planned = new Map(sets.map((set) => [set, replicasOf(set)]));
  for (const set of sets) {
    const unhealthy = Math.max(0, replicasOf(set) - availableOf(set));
    const down = Math.min(spare, unhealthy);
    planned.set(set, replicasOf(set) - down);
    spare -= down;
  }
  let healthy = sum([...sets, current], availableOf) - least;
  for (const set of sets) {
    if (healthy <= 0) break;
    const left = planned.get(set) ?? 0;
    const down = Math.min(left, healthy);
    planned.set(set, left - down);
    healthy -= down;
  }
  return [...planned]
    .filter(([set, replicas]) => replicas !== replicasOf(set))
    .map(([set, replicas]) => ({ set, replicas }));
}

/** Replicas changed while nothing else did: true until every active set has heard of the new number. */
export function isScalingEvent({ deployment, current, old }: Rollout): boolean {
  return active(current ? [current, ...old] : old).some((set) => {
    const desired = annotatedNumber(set, DESIRED_REPLICAS);
    return desired !== undefined && desired !== replicasOf(deployment);
  });
}

/**
 * Carries a changed number of replicas to the sets: to the only active one, or in proportion to their sizes while a
 * rollout is under way. Pure.
 */
export function planScale(rollout: Rollout): Scaling[] {
  const { deployment, current, old } = rollout;
  const wanted = replicasOf(deployment);
  const all = current ? [current, ...old] : [...old];
  const running = active(all);
  const only =
    running.length === 1 ? running[0] : running.length === 0 ? (current ?? byAge(old).at(-1)) : undefined;
  if (only) return replicasOf(only) === wanted ? [] : [{ set: only, replicas: wanted }];
  if (current && isSaturated(deployment, current)) return active(old).map((set) => ({ set, replicas: 0 }));
  return isRolling(deployment) ? proportional(deployment, running) : [];
}

/** The current set has all replicas, knows so, and they are available. */
function isSaturated(deployment: Deployment, current: ReplicaSet): boolean {
  const wanted = replicasOf(deployment);
  return (
    replicasOf(current) === wanted &&
    annotatedNumber(current, DESIRED_REPLICAS) === wanted &&
    availableOf(current) === wanted
  );
}

function proportional(deployment: Deployment, running: readonly ReplicaSet[]): Scaling[] {
  const wanted = replicasOf(deployment);
  const total = sum(running, replicasOf);
  const allowed = wanted > 0 ? wanted + bounds(deployment).maxSurge : 0;
  const toAdd = allowed - total;
  const sign = toAdd > 0 ? 1 : -1;
  // Newest first when growing, oldest first when shrinking; larger ones take more either way.
  const bySize = byAge(running);
  if (toAdd > 0) bySize.reverse();
  const sorted = bySize.toSorted((a, b) => replicasOf(b) - replicasOf(a));
  let added = 0;
  const planned = sorted.map((set) => {
    const share = toAdd === 0 ? 0 : fraction(set, deployment, allowed);
    const left = toAdd - added;
    const change = sign > 0 ? Math.min(share, left) : Math.max(share, left);
    added += change;
    return { set, replicas: replicasOf(set) + change };
  });
  // What rounding left over goes to the largest.
  const [largest] = planned;
  if (largest) largest.replicas = Math.max(0, largest.replicas + toAdd - added);
  return planned;
}

function fraction(set: ReplicaSet, deployment: Deployment, allowed: number): number {
  if (replicasOf(deployment) === 0) return -replicasOf(set);
  const before = annotatedNumber(set, MAX_REPLICAS) ?? allowed;
  if (before <= 0) return 0;
  return Math.round((replicasOf(set) * allowed) / before) - replicasOf(set);
}

/** Old sets beyond the history limit that are empty and settled, oldest revision first. Pure. */
export function planHistory({ deployment, old }: Rollout): ReplicaSet[] {
  const limit = deployment.spec?.revisionHistoryLimit ?? 10;
  const alive = old.filter(({ metadata }) => !metadata.deletionTimestamp);
  const surplus = alive.length - limit;
  if (surplus <= 0) return [];
  return byRevision(alive)
    .slice(0, surplus)
    .filter(
      (set) =>
        (set.status?.replicas ?? 0) === 0 &&
        replicasOf(set) === 0 &&
        (set.metadata.generation ?? 0) <= (set.status?.observedGeneration ?? 0),
    );
}

function byRevision(sets: readonly ReplicaSet[]): ReplicaSet[] {
  return byAge(sets).toSorted((a, b) => Number(revisionOf(a) - revisionOf(b)));
}
