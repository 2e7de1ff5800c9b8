import { createHash } from 'node:crypto';
import type { ImageConfig } from '../oci/types.ts';

/** One line of `ctr images list`. */
export interface ImageName {
  readonly reference: string;
  /** Of the manifest or of the index over several platforms. */
  readonly digest: string;
}

export function parseImageList(text: string): readonly ImageName[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns.length >= 3)
    .map(([reference = '', , digest = '']) => ({ reference, digest }));
}

/** What the content store says about one image for this machine's platform. Immutable per digest. */
export interface ImageMetadata {
  /** Digest of the config: the image's id. */
  readonly id: string;
  /** Compressed layers plus config and manifest, as the CRI reports it. */
  readonly sizeBytes: number;
  readonly config: ImageConfig;
  /** Name of the committed snapshot that holds the unpacked root filesystem. */
  readonly chainId: string;
}

interface Descriptor {
  readonly digest: string;
  readonly size: number;
  readonly mediaType?: string;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
}

interface Manifest {
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
  readonly manifests?: readonly Descriptor[];
}

/** Follows index → manifest → config. `read` gives a blob by digest; a blob that is absent rejects. */
export async function readImageMetadata(
  digest: string,
  arch: string,
  read: (digest: string) => Promise<string>,
): Promise<ImageMetadata> {
  const text = await read(digest);
  const manifest = JSON.parse(text) as Manifest;
  if (manifest.manifests) {
    const child = choosePlatform(manifest.manifests, arch);
    if (!child) throw new Error(`image ${digest} has no manifest for linux/${ociArchitecture(arch)}`);
    return readImageMetadata(child.digest, arch, read);
  }
  if (!manifest.config) throw new Error(`image ${digest} has no config`);
  const config = JSON.parse(await read(manifest.config.digest)) as {
    readonly config?: ImageConfig;
    readonly rootfs?: { readonly diff_ids?: readonly string[] };
  };
  const layers = manifest.layers ?? [];
  return {
    id: manifest.config.digest,
    sizeBytes: layers.reduce((sum, { size }) => sum + size, manifest.config.size + Buffer.byteLength(text)),
    config: config.config ?? {},
    chainId: chainId(config.rootfs?.diff_ids ?? []),
  };
}

/** OCI image spec, "Layer ChainID": the name of a stack of layers. */
export function chainId(diffIds: readonly string[]): string {
  return diffIds
    .slice(1)
    .reduce(
      (chain, diff) => `sha256:${createHash('sha256').update(`${chain} ${diff}`).digest('hex')}`,
      diffIds[0] ?? '',
    );
}

/** Node's names for processors in OCI's words. */
function ociArchitecture(arch: string): string {
  return { x64: 'amd64', ia32: '386' }[arch] ?? arch;
}

function choosePlatform(manifests: readonly Descriptor[], arch: string): Descriptor | undefined {
  const wanted = ociArchitecture(arch);
  const fitting = manifests.filter(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === wanted,
  );
  // Of several 32-bit ARM builds the newest instruction set comes first, as containerd prefers it.
  const sorted = fitting.toSorted((a, b) =>
    (b.platform?.variant ?? '').localeCompare(a.platform?.variant ?? ''),
  );
  return sorted[0] ?? manifests.find(({ platform }) => platform === undefined);
}

/**
 * The directories under an image's snapshot, top layer first, from the mount that `ctr snapshots view|mounts`
 * prints: a bind for one layer, an overlay for several. Undefined for a snapshotter that works in another way.
 */
export function lowerDirs(mountCommand: string): readonly string[] | undefined {
  const [, type, source] = /^mount -t (\S+) (\S+) /m.exec(mountCommand) ?? [];
  if (type === 'bind' && source !== undefined) return [source];
  const [, lower] = /[ ,]lowerdir=([^,\s]+)/.exec(mountCommand) ?? [];
  return type === 'overlay' && lower !== undefined ? lower.split(':') : undefined;
}
