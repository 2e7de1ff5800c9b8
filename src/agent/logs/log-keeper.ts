import { type FSWatcher, watch } from 'node:fs';
import { appendFile, mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '../../lib/clock.ts';
import type { Exec } from '../../lib/exec.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import { LogIndex, type Sample } from './log-index.ts';

export interface LogKeeperOptions {
  readonly clock: Clock;
  readonly exec: Exec;
  readonly log: Logger;
  /** For the indexes: in memory, they are written often and worth little after a reboot. */
  readonly stateDir: string;
}

interface Kept {
  readonly path: string;
  readonly index: LogIndex;
  watcher: FSWatcher | undefined;
  timer: Timer | undefined;
  running: boolean;
}

/** Blocks of every file system that can drop a file's front; also how much is dropped at once at the least. */
const BLOCK_BYTES = 4096;

/**
 * Knows when the lines of running containers arrived, and keeps their logs within bounds. A silent log costs nothing:
 * the kernel tells of the first write, then the file is looked at once a second for as long as it grows.
 */
export class LogKeeper {
  readonly #options: LogKeeperOptions;
  readonly #logs = new Map<string, Kept>();

  constructor(options: LogKeeperOptions) {
    this.#options = options;
  }

  /** A container runs whose output goes to `path`. */
  async follow(id: string, path: string, startedAtMs: number): Promise<void> {
    if (this.#logs.has(id)) return;
    const kept: Kept = {
      path,
      index: new LogIndex(startedAtMs),
      watcher: undefined,
      timer: undefined,
      running: true,
    };
    this.#logs.set(id, kept);
    for (const sample of await this.#load(id)) kept.index.add(sample);
    await this.#look(id, kept);
  }

  /** Its container has ended: what it wrote last is dated, and nothing is watched any more. */
  async ended(id: string): Promise<void> {
    const kept = this.#logs.get(id);
    if (kept === undefined) return;
    kept.running = false;
    this.#rest(kept);
    await this.#sample(id, kept);
  }

  async forget(id: string): Promise<void> {
    const kept = this.#logs.get(id);
    if (kept !== undefined) {
      kept.running = false;
      this.#rest(kept);
    }
    this.#logs.delete(id);
    await rm(this.#file(id), { force: true });
  }

  /** For a log that is not followed: its index from disk, or one that knows only when it was last written. */
  async index(id: string, path: string): Promise<LogIndex> {
    const kept = this.#logs.get(id);
    if (kept !== undefined) {
      await this.#sample(id, kept);
      return kept.index;
    }
    const index = new LogIndex(0, await this.#load(id));
    const file = await stat(path).catch(() => undefined);
    if (file !== undefined) index.add({ offset: file.size, atMs: file.mtimeMs });
    return index;
  }

  stop(): void {
    for (const kept of this.#logs.values()) {
      kept.running = false;
      this.#rest(kept);
    }
  }

  #rest(kept: Kept): void {
    kept.watcher?.close();
    kept.watcher = undefined;
    kept.timer?.cancel();
    kept.timer = undefined;
  }

  /** Grown: date it and look again soon. Not grown: let the kernel tell. */
  async #look(id: string, kept: Kept): Promise<void> {
    kept.timer = undefined;
    const grew = await this.#sample(id, kept).catch(() => false);
    if (!kept.running) return;
    if (grew) {
      this.#again(id, kept);
      return;
    }
    try {
      kept.watcher = watch(kept.path, { persistent: false }, () => {
        this.#rest(kept);
        void this.#sample(id, kept)
          .catch(() => false)
          .then(() => kept.running && this.#again(id, kept));
      });
      kept.watcher.on('error', () => this.#rest(kept));
    } catch (error) {
      // Not there yet, or no watches left: look again, seldom.
      this.#options.log.debug('a log cannot be watched', { id, error: errorText(error) });
      kept.timer = this.#options.clock.setTimer(LIMITS.agent.logRetryMs, () => void this.#look(id, kept));
    }
  }

  #again(id: string, kept: Kept): void {
    kept.timer?.cancel();
    kept.timer = this.#options.clock.setTimer(LIMITS.agent.logSampleMs, () => void this.#look(id, kept));
  }

  async #sample(id: string, kept: Kept): Promise<boolean> {
    const file = await stat(kept.path).catch(() => undefined);
    if (file === undefined) return false;
    const sample = {
      offset: file.size,
      atMs: Math.round(kept.running ? this.#options.clock.now() : file.mtimeMs),
    };
    if (!kept.index.add(sample)) return false;
    await this.#save(id, sample);
    if (file.blocks * 512 > LIMITS.agent.logBytes) await this.#cut(id, kept);
    return true;
  }

  /** Keeps half the bound, without copying a byte; where the file system cannot drop the rest, nothing. */
  async #cut(id: string, kept: Kept): Promise<void> {
    const { exec, log } = this.#options;
    const { size } = await stat(kept.path);
    const bytes = Math.floor((size - LIMITS.agent.logBytes / 2) / BLOCK_BYTES) * BLOCK_BYTES;
    if (bytes <= 0) return;
    try {
      await exec.run([
        'fallocate',
        '--collapse-range',
        '--offset',
        '0',
        '--length',
        String(bytes),
        kept.path,
      ]);
      kept.index.shift(bytes);
    } catch (error) {
      log.debug('the front of a log cannot be dropped here, emptying it', { id, error: errorText(error) });
      await truncate(kept.path, 0);
      kept.index.shift(size);
    }
    await mkdir(join(this.#options.stateDir, 'logs'), { recursive: true });
    await writeFile(this.#file(id), kept.index.samples.map(line).join(''));
  }

  #file(id: string): string {
    return join(this.#options.stateDir, 'logs', `${id}.idx`);
  }

  async #save(id: string, sample: Sample): Promise<void> {
    await mkdir(join(this.#options.stateDir, 'logs'), { recursive: true });
    await appendFile(this.#file(id), line(sample)).catch(() => {});
  }

  async #load(id: string): Promise<readonly Sample[]> {
    const text = await readFile(this.#file(id), 'utf8').catch(() => '');
    return text
      .split('\n')
      .map((entry) => entry.split(' ').map(Number))
      .filter(([offset, atMs]) => Number.isFinite(offset) && Number.isFinite(atMs))
      .map(([offset = 0, atMs = 0]) => ({ offset, atMs }))
      .filter(({ offset }) => offset > 0);
  }
}

function line({ offset, atMs }: Sample): string {
  return `${offset} ${atMs}\n`;
}
