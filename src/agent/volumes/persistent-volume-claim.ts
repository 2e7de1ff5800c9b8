import { stat } from 'node:fs/promises';
import { checkHostPath } from './host-path.ts';
import type { VolumeKind } from './volume.ts';

/** A claim bound to a `local` or `hostPath` volume of this node. */
export const persistentVolumeClaim: VolumeKind = {
  live: false,
  async mount({ pod, volume, objects }) {
    const { claimName = '', readOnly = false } = volume.persistentVolumeClaim ?? {};
    const namespace = pod.metadata.namespace ?? '';
    const claim = await objects.claim(namespace, claimName);
    if (claim === undefined) throw new Error(`persistentvolumeclaim "${claimName}" not found`);
    const name = claim.spec?.volumeName;
    if (claim.status?.phase !== 'Bound' || name === undefined || name === '')
      throw new Error(`PersistentVolumeClaim ${namespace}/${claimName} is not bound`);
    const found = await objects.volume(name);
    if (found === undefined) throw new Error(`persistentvolume "${name}" not found`);
    const { local, hostPath, claimRef } = found.spec ?? {};
    if (claimRef?.uid !== undefined && claimRef.uid !== claim.metadata.uid)
      throw new Error(`PersistentVolume ${name} is bound to another claim`);
    if (local !== undefined) {
      if ((await stat(local.path).catch(() => undefined)) === undefined)
        throw new Error(`path ${JSON.stringify(local.path)} of local volume ${name} does not exist`);
      return { hostPath: local.path, ownable: true, readOnly };
    }
    if (hostPath !== undefined) return { hostPath: await checkHostPath(hostPath), ownable: false, readOnly };
    throw new Error(
      `PersistentVolume ${name} is of a type that this node does not support (local, hostPath)`,
    );
  },
};
