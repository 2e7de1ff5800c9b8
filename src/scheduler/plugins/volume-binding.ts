import { matchesAnyTerm, type SelectableNode } from '../../api/node-selector.ts';
import { wholeValue } from '../../api/quantity.ts';
import type { PersistentVolume, PersistentVolumeClaim, StorageClass, Volume } from '../../api/types.gen.ts';
import { type Plugin, Rejection, type Storage } from '../plugin.ts';
import { type PodInfo, selectorOf } from '../pod-info.ts';

const fatal = (reason: string): Rejection => new Rejection(reason, { isResolvable: false });
const WRONG_NODE = fatal("node(s) didn't match PersistentVolume's node affinity");
const NO_VOLUME = fatal("node(s) didn't find available persistent volumes to bind");
const VOLUME_GONE = fatal('node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)');

/** Nodes where the pod's claims are or can be bound. */
export const volumeBinding: Plugin = {
  name: 'VolumeBinding',
  wakesOn: ['NodeAdded', 'NodeLabels', 'Storage'],
  filter: (pod, cluster) => {
    const { storage } = cluster;
    const found = claimsOf(pod, storage);
    if (typeof found === 'string') return fatal(found);
    if (found.bound.length === 0 && found.delayed.length === 0) return undefined;
    return (node) => {
      for (const { spec } of found.bound) {
        const volume = storage.volume(spec?.volumeName ?? '');
        if (!volume) return VOLUME_GONE;
        if (!isReachable(volume, node)) return WRONG_NODE;
      }
      return planVolumes(found.delayed, node, storage) ? undefined : NO_VOLUME;
    };
  },
};

export interface PodClaims {
  readonly bound: readonly PersistentVolumeClaim[];
  /** Unbound, and waiting for a pod to be scheduled. */
  readonly delayed: readonly PersistentVolumeClaim[];
}

/** The pod's claims, or why it cannot run anywhere yet, in upstream's words. */
export function claimsOf(pod: PodInfo, storage: Storage): PodClaims | string {
  const bound: PersistentVolumeClaim[] = [];
  const delayed: PersistentVolumeClaim[] = [];
  for (const volume of pod.pod.spec?.volumes ?? []) {
    const name = claimName(pod, volume);
    if (name === undefined) continue;
    const claim = storage.claim(pod.namespace, name);
    if (!claim) {
      return volume.ephemeral
        ? `waiting for ephemeral volume controller to create the persistentvolumeclaim ${JSON.stringify(name)}`
        : `persistentvolumeclaim ${JSON.stringify(name)} not found`;
    }
    if (claim.status?.phase === 'Lost') {
      const lost = JSON.stringify(claim.spec?.volumeName ?? '');
      return `persistentvolumeclaim ${JSON.stringify(name)} bound to non-existent persistentvolume ${lost}`;
    }
    if (claim.metadata.deletionTimestamp)
      return `persistentvolumeclaim ${JSON.stringify(name)} is being deleted`;
    if (volume.ephemeral && !claim.metadata.ownerReferences?.some((owner) => owner.uid === pod.uid)) {
      return `PVC ${pod.namespace}/${name} was not created for pod ${pod.key} (pod is not owner)`;
    }
    if (isBound(claim)) bound.push(claim);
    else if (isDelayed(claim, storage)) delayed.push(claim);
    else return 'pod has unbound immediate PersistentVolumeClaims';
  }
  return { bound, delayed };
}

export function isBound(claim: PersistentVolumeClaim): boolean {
  return (
    Boolean(claim.spec?.volumeName) &&
    claim.metadata.annotations?.['pv.kubernetes.io/bind-completed'] !== undefined
  );
}

function claimName(pod: PodInfo, volume: Volume): string | undefined {
  if (volume.ephemeral) return `${pod.pod.metadata.name}-${volume.name}`;
  return volume.persistentVolumeClaim?.claimName;
}

function isDelayed(claim: PersistentVolumeClaim, storage: Storage): boolean {
  // A claim that names its volume is the volume controller's to bind.
  if (claim.spec?.volumeName) return false;
  return classOf(claim, storage)?.volumeBindingMode === 'WaitForFirstConsumer';
}

function classOf(claim: PersistentVolumeClaim, storage: Storage): StorageClass | undefined {
  return storage.storageClass(claim.spec?.storageClassName ?? '');
}

/** What binding would do on a node: a volume that is there already, or one to be provisioned. */
export interface VolumePlan {
  readonly claim: PersistentVolumeClaim;
  readonly volume: PersistentVolume | undefined;
}

/** How each claim can be satisfied on the node; `undefined` where one cannot. Smaller volumes are taken first. */
export function planVolumes(
  claims: readonly PersistentVolumeClaim[],
  node: SelectableNode,
  storage: Storage,
): VolumePlan[] | undefined {
  const taken = new Set<string>();
  const plans: VolumePlan[] = [];
  for (const claim of claims) {
    const selected = claim.metadata.annotations?.['volume.kubernetes.io/selected-node'];
    if (selected && selected !== node.name) return undefined;
    const volume = selected ? undefined : findVolume(claim, { node, storage, taken });
    if (volume) taken.add(volume.metadata.name ?? '');
    else if (!canProvision(classOf(claim, storage), node)) return undefined;
    plans.push({ claim, volume });
  }
  return plans;
}

function findVolume(
  claim: PersistentVolumeClaim,
  { node, storage, taken }: { node: SelectableNode; storage: Storage; taken: ReadonlySet<string> },
): PersistentVolume | undefined {
  const key = `${claim.metadata.namespace}/${claim.metadata.name}`;
  const wanted = claim.spec ?? {};
  const wantedBytes = wholeValue(wanted.resources?.requests?.['storage']);
  const selector = wanted.selector ? selectorOf(wanted.selector) : undefined;
  let best: PersistentVolume | undefined;
  for (const volume of storage.volumes()) {
    const { spec = {}, metadata, status } = volume;
    const name = metadata.name ?? '';
    const reserved = spec.claimRef
      ? `${spec.claimRef.namespace}/${spec.claimRef.name}`
      : storage.assumedClaim(name);
    if (taken.has(name) || (reserved !== undefined && reserved !== key) || metadata.deletionTimestamp)
      continue;
    if (spec.claimRef?.uid && spec.claimRef.uid !== claim.metadata.uid) continue;
    if (reserved === undefined && status?.phase !== 'Available') continue;
    if ((spec.storageClassName ?? '') !== (wanted.storageClassName ?? '')) continue;
    if ((spec.volumeMode ?? 'Filesystem') !== (wanted.volumeMode ?? 'Filesystem')) continue;
    if (!(wanted.accessModes ?? []).every((mode) => spec.accessModes?.includes(mode))) continue;
    if (wholeValue(spec.capacity?.['storage']) < wantedBytes) continue;
    if (selector && !selector.matches(metadata.labels)) continue;
    if (!isReachable(volume, node)) continue;
    if (spec.claimRef) return volume;
    if (!best || wholeValue(spec.capacity?.['storage']) < wholeValue(best.spec?.capacity?.['storage']))
      best = volume;
  }
  return best;
}

function canProvision(storageClass: StorageClass | undefined, node: SelectableNode): boolean {
  if (!storageClass || storageClass.provisioner === 'kubernetes.io/no-provisioner') return false;
  const { allowedTopologies = [] } = storageClass;
  if (allowedTopologies.length === 0) return true;
  return allowedTopologies.some(({ matchLabelExpressions = [] }) =>
    matchLabelExpressions.every(({ key, values }) => values.includes(node.labels[key] ?? '')),
  );
}

function isReachable({ spec }: PersistentVolume, node: SelectableNode): boolean {
  const terms = spec?.nodeAffinity?.required?.nodeSelectorTerms;
  return !terms || matchesAnyTerm(node, terms);
}
