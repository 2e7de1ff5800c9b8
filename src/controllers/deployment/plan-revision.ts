import type { Deployment, ReplicaSet } from '../../api/types.gen.ts';
import { templateHash } from '../framework/template-hash.ts';
import {
  bounds,
  DESIRED_REPLICAS,
  HASH_LABEL,
  MAX_REPLICAS,
  parseRevision,
  REVISION,
  REVISION_HISTORY,
  replicasOf,
  revisionOf,
} from './replica-counts.ts';

/** Annotations of a Deployment that say nothing about its ReplicaSets. */
const OWN = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  'deprecated.deployment.rollback.to',
]);
/** Longest history of revisions kept in one annotation. */
const HISTORY_CHARS = 2000;

/** The revision that comes after those of all old sets. */
export function nextRevision(old: readonly ReplicaSet[]): bigint {
  const revisions = old.map(revisionOf).sort((one, other) => (one < other ? -1 : 1));
  return (revisions.at(-1) ?? 0n) + 1n;
}

/** Annotations of the current set: the Deployment's own, the revision, and former revisions on a rollback. Pure. */
export function revisionAnnotations(
  deployment: Deployment,
  set: ReplicaSet | undefined,
  revision: bigint,
): Record<string, string> {
  const annotations = { ...set?.metadata.annotations };
  for (const [key, value] of Object.entries(deployment.metadata.annotations ?? {}))
    if (!OWN.has(key)) annotations[key] = value;
  const before = annotations[REVISION];
  if (parseRevision(before) < revision) {
    annotations[REVISION] = String(revision);
    if (before && parseRevision(before) !== revision) {
      const history = annotations[REVISION_HISTORY];
      const entries = history ? [...history.split(','), before] : [before];
      while (entries.join(',').length > HISTORY_CHARS) entries.shift();
      annotations[REVISION_HISTORY] = entries.join(',');
    }
  }
  return annotations;
}

export function scaleAnnotations(deployment: Deployment): Record<string, string> {
  const replicas = replicasOf(deployment);
  return {
    [DESIRED_REPLICAS]: String(replicas),
    [MAX_REPLICAS]: String(replicas + bounds(deployment).maxSurge),
  };
}

/** A ReplicaSet for the current template, its name and labels told apart by the template's hash. Pure. */
export function newReplicaSet(deployment: Deployment, replicas: number, revision: bigint): ReplicaSet {
  const { name, namespace } = deployment.metadata;
  const { template, selector, minReadySeconds } = deployment.spec ?? {};
  const hash = templateHash(template, deployment.status?.collisionCount ?? 0);
  const labels = { ...template?.metadata?.labels, [HASH_LABEL]: hash };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name}-${hash}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels,
      annotations: {
        ...revisionAnnotations(deployment, undefined, revision),
        ...scaleAnnotations(deployment),
      },
    },
    spec: {
      replicas,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector?.matchLabels, [HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...template?.metadata, labels } },
    },
  };
}
