import { scaledValue } from '../../api/int-or-string.ts';
import type { Deployment, ReplicaSet } from '../../api/types.gen.ts';
import { timeMs } from '../framework/pods.ts';
import { canonicalJson } from '../framework/template-hash.ts';

export const HASH_LABEL = 'pod-template-hash';
export const REVISION = 'deployment.kubernetes.io/revision';
export const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';

export const replicasOf = (object: Deployment | ReplicaSet): number => object.spec?.replicas ?? 1;

export const sum = (sets: readonly ReplicaSet[], of: (set: ReplicaSet) => number): number =>
  sets.reduce((total, set) => total + of(set), 0);

export const availableOf = (set: ReplicaSet): number => set.status?.availableReplicas ?? 0;

export const isRolling = (deployment: Deployment): boolean => deployment.spec?.strategy?.type !== 'Recreate';

/** How far a rolling update may go above and below; never both zero, or it could not move. */
export function bounds(deployment: Deployment): { maxSurge: number; maxUnavailable: number } {
  if (!isRolling(deployment)) return { maxSurge: 0, maxUnavailable: 0 };
  const replicas = replicasOf(deployment);
  const { maxSurge = '25%', maxUnavailable = '25%' } = deployment.spec?.strategy?.rollingUpdate ?? {};
  const surge = scaledValue(maxSurge, replicas, 'up');
  const unavailable = scaledValue(maxUnavailable, replicas, 'down');
  return {
    maxSurge: surge,
    maxUnavailable: Math.min(replicas, surge === 0 && unavailable === 0 ? 1 : unavailable),
  };
}

/** The template as its ReplicaSets carry it, without the label that tells them apart. */
export function templateKey(template: { metadata?: object; spec?: object } | undefined): string {
  const { labels, ...metadata } = (template?.metadata ?? {}) as { labels?: Record<string, string> };
  const { [HASH_LABEL]: _, ...rest } = labels ?? {};
  return canonicalJson({ metadata: { ...metadata, labels: rest }, spec: template?.spec });
}

export function byAge(sets: readonly ReplicaSet[]): ReplicaSet[] {
  return sets.toSorted(
    (a, b) =>
      timeMs(a.metadata.creationTimestamp) - timeMs(b.metadata.creationTimestamp) ||
      ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1),
  );
}

/** The oldest set that has the deployment's template now. */
export function findNewSet(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  const wanted = templateKey(deployment.spec?.template);
  return byAge(sets).find(({ spec }) => templateKey(spec?.template) === wanted);
}

/** Upstream's revisions are 64-bit integers; what is none counts as 0. */
export function parseRevision(text: string | undefined): bigint {
  return text !== undefined && /^\d{1,19}$/.test(text) ? BigInt(text) : 0n;
}

export function revisionOf(set: ReplicaSet): bigint {
  return parseRevision(set.metadata.annotations?.[REVISION]);
}

export function annotatedNumber(set: ReplicaSet, annotation: string): number | undefined {
  const text = set.metadata.annotations?.[annotation];
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}
