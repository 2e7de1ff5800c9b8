import type {
  ClusterTrustBundle,
  ConfigMap,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodCertificateProjection,
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
  /** All that there are. */
  trustBundles(): Promise<readonly ClusterTrustBundle[]>;
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

/** A key that was made here and what its signer said about it. */
export interface PodCertificate {
  readonly keyPem: string;
  /** The certificate first. */
  readonly chainPem: string;
  /** Wall clock: another should be asked for. */
  readonly refreshAtMs: number;
}

/** A certificate for a file; rejects while there is none. `path` tells the projections of a pod apart. */
export type CertificateSource = (path: string, source: PodCertificateProjection) => Promise<PodCertificate>;

/** Directories of the image that a volume names, the top layer first, pulled if need be. */
export type ImageSource = (volume: Volume) => Promise<readonly string[]>;

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
  readonly certificate: CertificateSource;
  readonly image: ImageSource;
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
