import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Exec } from '../../lib/exec.ts';
import { LIMITS } from '../../lib/limits.ts';
import { isImageId, normalizeReference, repositoryOf } from '../image-reference.ts';
import type { Image, PullOptions } from '../port.ts';
import { type Ctr, ctrMessage, ignoringNotFound, isAlreadyExists, isNotFound } from './ctr.ts';
import { type ImageMetadata, lowerDirs, parseImageList, readImageMetadata } from './image-metadata.ts';
import { pullWithPassword } from './pull.ts';
import { Records } from './records.ts';

export interface ImagesOptions {
  readonly ctr: Ctr;
  readonly exec: Exec;
  readonly snapshotter: string;
  /** containerd's own root, where blobs can be read as files; absent for somebody else's containerd. */
  readonly contentDir?: string;
  /** `hosts.toml` files for mirrors and private certificates. */
  readonly hostsDir?: string;
  readonly recordDir: string;
  readonly arch: string;
}

/** A root filesystem kept from containerd's garbage collection for as long as the image or a container needs it. */
interface View {
  readonly chainId: string;
  readonly lowerDirs: readonly string[];
}

export interface LocalImage extends Image {
  readonly metadata: ImageMetadata;
}

/** Images in containerd's store. The list is cached until an image event says that it changed. */
export class Images {
  readonly #options: ImagesOptions;
  readonly #views: Records<View>;
  /** By digest of the name's target; small and immutable. */
  readonly #metadata = new Map<string, ImageMetadata>();
  #cached: Promise<readonly LocalImage[]> | undefined;

  constructor(options: ImagesOptions) {
    this.#options = options;
    this.#views = new Records(options.recordDir);
  }

  /** To be called on every image event and whenever events may have been missed. */
  invalidate(): void {
    this.#cached = undefined;
  }

  /** `fresh` asks containerd even when nothing is known to have changed. */
  async list(fresh: boolean): Promise<readonly LocalImage[]> {
    if (fresh || this.#cached === undefined) {
      const loading = this.#load();
      this.#cached = loading;
      loading.catch(() => {
        if (this.#cached === loading) this.#cached = undefined;
      });
    }
    return this.#cached as Promise<readonly LocalImage[]>;
  }

  async find(reference: string, fresh: boolean): Promise<LocalImage | undefined> {
    const images = await this.list(fresh);
    if (isImageId(reference)) {
      const id = reference.startsWith('sha256:') ? reference : `sha256:${reference}`;
      const found = images.find((image) => image.id === id);
      if (found) return found;
    }
    const name = normalizeReference(reference);
    return images.find(({ references, digests }) => references.includes(name) || digests.includes(name));
  }

  /** Directories for an overlay's `lowerdir`, the top layer first. */
  async lowerDirs(image: LocalImage): Promise<readonly string[]> {
    const { chainId } = image.metadata;
    const known = this.#views.get(viewKey(chainId));
    if (known) return known.lowerDirs;
    const { ctr, snapshotter } = this.#options;
    const snapshots = (...args: string[]) => ctr.run(['snapshots', '--snapshotter', snapshotter, ...args]);
    const key = viewKey(chainId);
    // `prepare`, not `view`: only it marks the snapshot as in use in the same step.
    const view = (): Promise<{ stdout: string }> =>
      snapshots('prepare', '--target', '/', key, chainId).catch((error) => {
        if (isAlreadyExists(error)) return snapshots('mounts', '/', key);
        throw error;
      });
    const mounts = await view().catch(async (error) => {
      if (!isNotFound(error)) throw error;
      // The name is there but was never unpacked for this snapshotter.
      const name = image.references[0] ?? image.digests[0];
      if (name === undefined) throw error;
      await ctr.run(['images', 'mount', '--snapshotter', snapshotter, name, '/']).catch(() => {});
      return view();
    });
    const dirs = lowerDirs(mounts.stdout);
    if (!dirs)
      throw new Error(`snapshotter ${snapshotter} gives no directories to build a root filesystem from`);
    await this.#views.save(key, { chainId, lowerDirs: dirs });
    return dirs;
  }

  async pull(reference: string, options: PullOptions): Promise<LocalImage> {
    const { ctr, exec, snapshotter, hostsDir } = this.#options;
    const name = normalizeReference(reference);
    const args = ['images', 'pull', '--snapshotter', snapshotter];
    if (hostsDir !== undefined) args.push('--hosts-dir', hostsDir);
    const limits = {
      timeoutMs: LIMITS.runtime.pullTimeoutMs,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    };
    try {
      if (options.credentials) {
        const { username, password } = options.credentials;
        const argv = ctr.argv([...args, '--user', username, name]);
        await pullWithPassword({ exec, argv, password, ...limits });
      } else {
        await ctr.run([...args, name], limits);
      }
    } catch (cause) {
      if (options.signal?.aborted) throw options.signal.reason;
      throw new Error(`failed to pull and unpack image "${name}": ${ctrMessage(cause)}`, { cause });
    }
    const image = await this.find(name, true);
    if (!image) throw new Error(`image ${name} was pulled but containerd does not list it`);
    return image;
  }

  async importArchive(archive: string | Readable): Promise<readonly string[]> {
    const { ctr, snapshotter } = this.#options;
    const args = ['images', 'import', '--snapshotter', snapshotter];
    const timeoutMs = LIMITS.runtime.pullTimeoutMs;
    const { stdout } =
      typeof archive === 'string'
        ? await ctr.run([...args, archive], { timeoutMs })
        : await ctr.run([...args, '-'], { timeoutMs, stdin: archive });
    this.invalidate();
    return [...stdout.matchAll(/^unpacking (\S+) \(/gm)].map(([, name]) => name ?? '');
  }

  /** Removes every name of the image and its unpacked root filesystem. */
  async remove(id: string): Promise<void> {
    const image = await this.find(id, true);
    if (!image) return;
    const { ctr, snapshotter } = this.#options;
    await ignoringNotFound(ctr.run(['images', 'remove', ...image.references, ...image.digests]));
    this.invalidate();
    const key = viewKey(image.metadata.chainId);
    const others = await this.list(true);
    if (this.#views.get(key) && !others.some(({ metadata }) => viewKey(metadata.chainId) === key)) {
      await ignoringNotFound(ctr.run(['snapshots', '--snapshotter', snapshotter, 'remove', key]));
      await this.#views.remove(key);
    }
  }

  async #load(): Promise<readonly LocalImage[]> {
    const { stdout } = await this.#options.ctr.run(['images', 'list']);
    const names = parseImageList(stdout);
    const byId = new Map<string, { metadata: ImageMetadata; references: string[]; digests: Set<string> }>();
    for (const { reference, digest } of names) {
      const metadata = await this.#read(digest).catch(() => undefined);
      // Content that is still being fetched or belongs to another platform is no usable image.
      if (!metadata) continue;
      const entry = byId.get(metadata.id) ?? { metadata, references: [], digests: new Set<string>() };
      byId.set(metadata.id, entry);
      if (reference.includes('@')) entry.digests.add(reference);
      else if (!isImageId(reference)) {
        entry.references.push(reference);
        entry.digests.add(`${repositoryOf(reference)}@${digest}`);
      }
    }
    const current = new Set(names.map(({ digest }) => digest));
    for (const digest of this.#metadata.keys()) if (!current.has(digest)) this.#metadata.delete(digest);
    return [...byId.values()].map(({ metadata, references, digests }) => ({
      id: metadata.id,
      references,
      digests: [...digests],
      sizeBytes: metadata.sizeBytes,
      user: metadata.config.User ?? '',
      ...(metadata.config.StopSignal ? { stopSignal: metadata.config.StopSignal } : {}),
      metadata,
    }));
  }

  async #read(digest: string): Promise<ImageMetadata> {
    const known = this.#metadata.get(digest);
    if (known) return known;
    const metadata = await readImageMetadata(digest, this.#options.arch, (blob) => this.#blob(blob));
    this.#metadata.set(digest, metadata);
    return metadata;
  }

  /** The content store is a directory of files named by digest; reading one costs no process. */
  async #blob(digest: string): Promise<string> {
    const { contentDir, ctr } = this.#options;
    if (contentDir !== undefined) {
      const text = await readFile(join(contentDir, 'blobs', ...digest.split(':')), 'utf8').catch(
        () => undefined,
      );
      if (text !== undefined) return text;
    }
    return (await ctr.run(['content', 'get', digest])).stdout;
  }
}

const viewKey = (chainId: string): string => `kedge-view-${chainId.replace(':', '-')}`;
