import type { Container, Pod, PodSpec, Volume } from '../../api/types.gen.ts';

/** A pod the node made up itself; counting what it names would let a node read everything. */
const MIRROR = 'kubernetes.io/config.mirror';

/** What a pod needs to run, as `resource/namespace/name`. */
export function podReferences(pod: Pod): ReadonlySet<string> {
  const found = new Set<string>();
  const { spec, metadata } = pod;
  if (!spec || metadata.annotations?.[MIRROR] !== undefined) return found;
  const add = (resource: string, name: string | undefined): void => {
    if (name !== undefined && name !== '') found.add(`${resource}/${metadata.namespace}/${name}`);
  };
  add('serviceaccounts', spec.serviceAccountName);
  for (const { name } of spec.imagePullSecrets ?? []) add('secrets', name);
  for (const container of containersOf(spec)) environment(container, add);
  for (const volume of spec.volumes ?? []) volumeReferences(volume, metadata.name ?? '', add);
  for (const { name } of pod.status?.resourceClaimStatuses ?? []) add('resourceclaims', name);
  for (const claim of spec.resourceClaims ?? []) add('resourceclaims', claim.resourceClaimName);
  return found;
}

type Add = (resource: string, name: string | undefined) => void;

function containersOf(spec: PodSpec): readonly Pick<Container, 'env' | 'envFrom'>[] {
  return [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])];
}

function environment({ env = [], envFrom = [] }: Pick<Container, 'env' | 'envFrom'>, add: Add): void {
  for (const { valueFrom } of env) {
    add('secrets', valueFrom?.secretKeyRef?.name);
    add('configmaps', valueFrom?.configMapKeyRef?.name);
  }
  for (const { secretRef, configMapRef } of envFrom) {
    add('secrets', secretRef?.name);
    add('configmaps', configMapRef?.name);
  }
}

function volumeReferences(volume: Volume, pod: string, add: Add): void {
  add('secrets', volume.secret?.secretName);
  add('configmaps', volume.configMap?.name);
  for (const { secret, configMap } of volume.projected?.sources ?? []) {
    add('secrets', secret?.name);
    add('configmaps', configMap?.name);
  }
  add('persistentvolumeclaims', volume.persistentVolumeClaim?.claimName);
  if (volume.ephemeral) add('persistentvolumeclaims', `${pod}-${volume.name}`);
  const { csi, flexVolume, iscsi, rbd, cephfs, scaleIO, storageos, azureFile, cinder } = volume;
  add('secrets', csi?.nodePublishSecretRef?.name);
  for (const source of [flexVolume, iscsi, rbd, cephfs, scaleIO, storageos, cinder])
    add('secrets', source?.secretRef?.name);
  add('secrets', azureFile?.secretName);
}
