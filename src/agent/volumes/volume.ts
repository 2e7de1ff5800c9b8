import type {
  ConfigMap,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  Secret,
  Volume,
} from '../../api/types.gen.ts';
import type { Exec } from '../../lib/exec.ts';
import type { DownwardContext } from '../env/fields.ts';

/** What volumes need of the cluster. undefined: does not exist; a rejection: cannot be known now. */
export interface VolumeObjects {
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<Secret | undefined>;
  claim(namespace: string, name: string): Promise<PersistentVolumeClaim | undefined>;
  volume(name: string): Promise<PersistentVolume | undefined>;
}

export interface ServiceAccountToken {
  readonly token: string;
  readonly expiresAtMs: number;
}

/** A token for a file, or undefined when the API does not answer and has not for a while. */
export type TokenSource = (
  audience: string,
  expirationSeconds: number,
) => Promise<ServiceAccountToken | undefined>;

export interface VolumeContext {
  readonly pod: Pod;
  readonly volume: Volume;
  /** A directory of this volume that survives a reboot; made by the kind that wants it. */
  readonly dataDir: string;
  /** A directory of this volume in memory: nothing secret reaches the card. */
  readonly stateDir: string;
  readonly objects: VolumeObjects;
  readonly exec: Exec;
  readonly downward: DownwardContext;
  readonly token: TokenSource;
  readonly nowMs: number;
}

export interface MountedVolume {
  /** What containers see. */
  readonly hostPath: string;
  /** Wall clock: content must be made anew then (tokens). */
  readonly refreshAtMs?: number;
  /** Whether fsGroup applies; a directory of the host is never re-owned. */
  readonly ownable: boolean;
  readonly readOnly?: boolean;
}

/** One type of volume. */
export interface VolumeKind {
  /** Makes it available; idempotent. Rejects with upstream's words. */
  mount(context: VolumeContext): Promise<MountedVolume>;
  /** Its content follows the cluster: `mount` again when a referenced object changed. */
  readonly live: boolean;
}
