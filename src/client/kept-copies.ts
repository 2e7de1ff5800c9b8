import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { KubeObject } from '../api/resource.ts';
import { Backoff } from '../lib/backoff.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import { LIMITS } from '../lib/limits.ts';
import type { Logger } from '../lib/log.ts';
import { readText, writeFileAtomic } from '../lib/secret-file.ts';

/** What an informer knows, as it is kept for a start without the server. */
export interface KeptContent {
  readonly resourceVersion: string;
  readonly items: readonly KubeObject[];
}

/** The copy of one informer on the disk. */
export interface KeptCopy {
  /** `undefined` where there is none, none that can be read, or one of another cluster. */
  load(): Promise<KeptContent | undefined>;
  /** Something changed; `content` is asked when it is time to write. */
  changed(content: () => KeptContent): void;
  /** Writes what is not written yet. */
  stop(): Promise<void>;
}

export interface Keep {
  /** Name of the file; one for each informer that is kept. */
  readonly as: string;
  /** Kept in memory (`/run`): it is of no use once the pods that it tells of are gone. */
  readonly until?: 'reboot';
  /** Written almost at once: what it holds protects somebody, and changes rarely. */
  readonly isUrgent?: boolean;
}

/** Where informers keep copies. */
export interface KeptCopies {
  open(keep: Keep): KeptCopy;
}

export interface KeptCopiesOptions {
  /** Such as `/var/lib/kedge/agent`, and `/run/kedge/agent` for what a reboot ends. */
  readonly dataDir: string;
  readonly stateDir: string;
  /** Tells clusters apart: what was known of one is wrong in another. */
  readonly cluster: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export function createKeptCopies(options: KeptCopiesOptions): KeptCopies {
  return {
    open({ as, until, isUrgent = false }) {
      const dir = until === 'reboot' ? options.stateDir : options.dataDir;
      const { keptDelayMs, keptUrgentDelayMs } = LIMITS.informer;
      const path = join(dir, 'known', `${as}.json`);
      return new CopyFile(options, { path, delayMs: isUrgent ? keptUrgentDelayMs : keptDelayMs });
    },
  };
}

interface FileContent extends KeptContent {
  readonly cluster: string;
}

/**
 * Writes rarely: changes that come together are written together, what is the same is not written at all, and what
 * changes all the time is written no faster than bytes are earned (`LIMITS.informer.keptBytesPerSecond`).
 */
class CopyFile implements KeptCopy {
  readonly #options: KeptCopiesOptions;
  readonly #path: string;
  readonly #delayMs: number;
  /** Digest of the items in the file; unknown before it was read or written. */
  #digest: string | undefined;
  /** Bytes that may be written now, as of `#earnedMono`; below zero after a write that was larger. */
  #earnedBytes: number = LIMITS.informer.keptBurstBytes;
  #earnedMono: number;
  #timer: Timer | undefined;
  #content: (() => KeptContent) | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** After a write that failed, such as on a full disk; nobody else would try again. */
  readonly #backoff = new Backoff(LIMITS.informer.keptRetry);
  #isStopped = false;

  constructor(options: KeptCopiesOptions, { path, delayMs }: { path: string; delayMs: number }) {
    this.#options = options;
    this.#path = path;
    this.#delayMs = delayMs;
    this.#earnedMono = options.clock.monotonicMs();
  }

  async load(): Promise<KeptContent | undefined> {
    try {
      const text = await readText(this.#path);
      if (text === undefined) return undefined;
      const content = JSON.parse(text) as unknown;
      if (!isContent(content)) throw new Error('it does not hold what was written');
      if (content.cluster !== this.#options.cluster) return undefined;
      this.#digest = digestOf(JSON.stringify(content.items));
      return content;
    } catch (error) {
      this.#options.log.warn('what was last known cannot be read', { path: this.#path, error });
      return undefined;
    }
  }

  changed(content: () => KeptContent): void {
    this.#content = content;
    this.#writeLater(this.#delayMs);
  }

  #writeLater(atLeastMs: number): void {
    if (this.#timer !== undefined || this.#isStopped) return;
    const { keptBytesPerSecond } = LIMITS.informer;
    const debtMs = (-Math.min(0, this.#earn()) / keptBytesPerSecond) * 1000;
    this.#timer = this.#options.clock.setTimer(Math.max(atLeastMs, debtMs), () => {
      this.#timer = undefined;
      this.#writing = this.#writing.then(() => this.#write());
    });
  }

  #earn(): number {
    const { keptBytesPerSecond, keptBurstBytes } = LIMITS.informer;
    const nowMono = this.#options.clock.monotonicMs();
    const earned = ((nowMono - this.#earnedMono) / 1000) * keptBytesPerSecond;
    this.#earnedBytes = Math.min(keptBurstBytes, this.#earnedBytes + earned);
    this.#earnedMono = nowMono;
    return this.#earnedBytes;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#writing;
    await this.#write();
  }

  /** Never rejects: a full disk must not stop what the informer is for. */
  async #write(): Promise<void> {
    const content = this.#content;
    this.#content = undefined;
    if (content === undefined) return;
    const { cluster, log } = this.#options;
    const { resourceVersion, items } = content();
    const text = JSON.stringify(items);
    const digest = digestOf(text);
    if (this.#digest === undefined) await this.load();
    if (digest === this.#digest) return;
    const { keptBytes } = LIMITS.informer;
    if (text.length > keptBytes) {
      log.warn('too much is known to be kept for a start without the server', {
        path: this.#path,
        bytes: text.length,
      });
      return;
    }
    const head = `{"cluster":${JSON.stringify(cluster)},"resourceVersion":${JSON.stringify(resourceVersion)}`;
    try {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      await writeFileAtomic(this.#path, `${head},"items":${text}}\n`);
      this.#digest = digest;
      this.#backoff.forget(this.#path);
    } catch (error) {
      log.warn('what is known cannot be kept for a start without the server', { path: this.#path, error });
      this.#content ??= content;
      this.#writeLater(this.#backoff.next(this.#path));
    }
    // Whatever became of it, it cost the card as much.
    this.#earnedBytes = this.#earn() - text.length;
  }
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64');

function isContent(value: unknown): value is FileContent {
  const { cluster, resourceVersion, items } = (value ?? {}) as Partial<FileContent>;
  return (
    typeof cluster === 'string' &&
    typeof resourceVersion === 'string' &&
    Array.isArray(items) &&
    items.every((item: Partial<KubeObject> | null) => typeof item?.metadata?.name === 'string')
  );
}
