import { mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import type { AuditSink } from './audit.ts';

export interface AuditLogOptions {
  /** `-` is standard output. */
  readonly path: string;
  /** Days that rotated files are kept; 0: for ever. */
  readonly maxAgeDays: number;
  /** Rotated files that are kept; 0: all. */
  readonly maxBackups: number;
  /** A file is rotated before it grows beyond this. */
  readonly maxSizeBytes: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Lines that end in a file, which is rotated by size as upstream's. Writing never waits for the disk: lines queue in a
 * bounded buffer and go out together. What does not fit is dropped and counted.
 */
export class AuditLog implements AuditSink {
  readonly #options: AuditLogOptions;
  #queue: string[] = [];
  #queuedBytes = 0;
  #writing: Promise<void> | undefined;
  #sizeBytes: number | undefined;
  /** When an error was last said, and events lost since. */
  #saidMs: number | undefined;
  #unsaid = 0;
  dropped = 0;
  errors = 0;

  constructor(options: AuditLogOptions) {
    this.#options = options;
  }

  write(line: string): void {
    const sizeBytes = Buffer.byteLength(line) + 1;
    if (this.#queuedBytes + sizeBytes > LIMITS.audit.queueBytes) {
      this.dropped++;
      return;
    }
    this.#queue.push(line);
    this.#queuedBytes += sizeBytes;
    this.#writing ??= this.#drain();
  }

  /** Resolves once everything has been written. */
  async close(): Promise<void> {
    await this.#writing;
  }

  async #drain(): Promise<void> {
    // What comes within this turn of the event loop goes out in one piece.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0) {
      const lines = this.#queue;
      this.#queue = [];
      this.#queuedBytes = 0;
      try {
        await this.#append(`${lines.join('\n')}\n`);
      } catch (error) {
        this.#sizeBytes = undefined;
        this.#lost(lines.length, error);
      }
    }
    this.#writing = undefined;
  }

  /** A full disk fails every write: that is said now and then. */
  #lost(events: number, error: unknown): void {
    const { clock, log } = this.#options;
    this.errors += events;
    this.#unsaid += events;
    const nowMs = clock.monotonicMs();
    if (this.#saidMs !== undefined && nowMs - this.#saidMs < LIMITS.audit.sayErrorMs) return;
    log.error('the audit log cannot be written', { error: errorText(error), events: this.#unsaid });
    this.#saidMs = nowMs;
    this.#unsaid = 0;
  }

  async #append(text: string): Promise<void> {
    const { path, maxSizeBytes } = this.#options;
    if (path === '-') {
      await new Promise<void>((resolve, reject) => {
        process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
      });
      return;
    }
    const addedBytes = Buffer.byteLength(text);
    this.#sizeBytes ??= await sizeOf(path);
    if (this.#sizeBytes > 0 && this.#sizeBytes + addedBytes > maxSizeBytes) await this.#rotate();
    const file = await open(path, 'a', 0o600);
    try {
      await file.appendFile(text);
    } finally {
      await file.close();
    }
    this.#sizeBytes += addedBytes;
  }

  async #rotate(): Promise<void> {
    const { path, clock } = this.#options;
    await rename(path, backupName(path, clock.now()));
    this.#sizeBytes = 0;
    await this.#removeOld();
  }

  async #removeOld(): Promise<void> {
    const { path, maxAgeDays, maxBackups, clock } = this.#options;
    const folder = dirname(path);
    const backups = backupsOf(path, await readdir(folder));
    const oldestMs = maxAgeDays > 0 ? clock.now() - maxAgeDays * 86_400_000 : Number.NEGATIVE_INFINITY;
    const old = backups.filter(
      ({ atMs }, index) => atMs < oldestMs || (maxBackups > 0 && index >= maxBackups),
    );
    await Promise.all(old.map(({ name }) => unlink(join(folder, name)).catch(() => {})));
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return 0;
  }
}

/** `audit-2026-01-02T03-04-05.678.log` for `audit.log`, as upstream names them. */
export function backupName(path: string, nowMs: number): string {
  const extension = extname(path);
  const stem = basename(path, extension);
  const time = new Date(nowMs).toISOString().slice(0, 23).replaceAll(':', '-');
  return join(dirname(path), `${stem}-${time}${extension}`);
}

/** Rotated files among the names of a folder, the newest first. */
export function backupsOf(path: string, names: readonly string[]): { name: string; atMs: number }[] {
  const extension = extname(path);
  const prefix = `${basename(path, extension)}-`;
  return names
    .flatMap((name) => {
      if (!name.startsWith(prefix) || !name.endsWith(extension)) return [];
      const time = name.slice(prefix.length, name.length - extension.length);
      const [, date, hour, minute, rest] = /^(\d{4}-\d\d-\d\dT)(\d\d)-(\d\d)-(\d\d\.\d{3})$/.exec(time) ?? [];
      const atMs = Date.parse(`${date}${hour}:${minute}:${rest}Z`);
      return Number.isNaN(atMs) ? [] : [{ name, atMs }];
    })
    .sort((a, b) => b.atMs - a.atMs);
}
