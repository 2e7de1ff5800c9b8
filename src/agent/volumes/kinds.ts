import type { Volume } from '../../api/types.gen.ts';
import { configMap } from './config-map.ts';
import { downwardAPI } from './downward-api.ts';
import { emptyDir } from './empty-dir.ts';
import { hostPath } from './host-path.ts';
import { image } from './image.ts';
import { persistentVolumeClaim } from './persistent-volume-claim.ts';
import { projected } from './projected.ts';
import { secret } from './secret.ts';
import type { VolumeKind } from './volume.ts';

/** Every type of volume this node can mount, by its field of `Volume`. A new one is a file and a line here. */
export const VOLUME_KINDS = {
  emptyDir,
  hostPath,
  configMap,
  secret,
  downwardAPI,
  projected,
  persistentVolumeClaim,
  image,
} as const satisfies Partial<Record<keyof Volume, VolumeKind>>;

export function volumeKind(volume: Volume): VolumeKind {
  for (const [field, kind] of Object.entries(VOLUME_KINDS))
    if (volume[field as keyof typeof VOLUME_KINDS] !== undefined) return kind;
  const type = Object.keys(volume).find((field) => field !== 'name');
  // A volume without a source is an emptyDir, as the API defaults it.
  if (type === undefined) return emptyDir;
  throw new Error(`volume ${volume.name}: type ${type} is not supported by this node`);
}
