import { watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { LogRequest } from '../../client/node-port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { LogIndex } from './log-index.ts';

export interface OpenLogOptions {
  readonly path: string;
  readonly index: LogIndex;
  readonly clock: Clock;
  readonly request: Omit<LogRequest, 'pod' | 'container' | 'previous'>;
  /** Whether the container may still write. */
  readonly isRunning: () => boolean;
  /** Calls back when that may have changed; answers how to stop it. */
  readonly onEnd: (callback: () => void) => () => void;
}

const CHUNK_BYTES = 64 * 1024;
const NEWLINE = 10;

/** A container's output as `PodLogOptions` asks for it. The stream ends with the container's run when it is followed. */
export async function openLog(options: OpenLogOptions): Promise<Readable> {
  const file = await open(options.path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return Readable.from([]);
  return Readable.from(limited(stamped(read(file, options), options), options.request.limitBytes), {
    objectMode: false,
  });
}

interface Piece {
  readonly offset: number;
  readonly bytes: Buffer;
}

async function* read(file: FileHandle, options: OpenLogOptions): AsyncGenerator<Piece> {
  const { request } = options;
  try {
    let { size } = await file.stat();
    let offset = await startOffset(file, size, options);
    const changes = request.follow === true ? new Changes(options) : undefined;
    try {
      for (;;) {
        const wasRunning = options.isRunning();
        ({ size } = await file.stat());
        // The front was dropped meanwhile: go on with what is left.
        if (size < offset) offset = 0;
        while (offset < size) {
          const { bytesRead, buffer } = await file.read(
            Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - offset)),
            0,
            Math.min(CHUNK_BYTES, size - offset),
            offset,
          );
          if (bytesRead === 0) break;
          yield { offset, bytes: buffer.subarray(0, bytesRead) };
          offset += bytesRead;
        }
        if (changes === undefined || !wasRunning) return;
        await changes.next();
      }
    } finally {
      changes?.close();
    }
  } finally {
    await file.close();
  }
}

/** Tells when a look is worth while: the file was written or the run ended. */
class Changes {
  readonly #watcher;
  readonly #off: () => void;
  #pending = false;
  #wake: (() => void) | undefined;

  constructor(options: OpenLogOptions) {
    const signal = (): void => {
      this.#pending = true;
      this.#wake?.();
    };
    this.#watcher = watch(options.path, { persistent: false }, signal);
    this.#watcher.on('error', signal);
    this.#off = options.onEnd(signal);
  }
  async next(): Promise<void> {
    if (!this.#pending) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#pending = false;
    this.#wake = undefined;
  }
  close(): void {
    this.#watcher.close();
    this.#off();
    this.#wake?.();
  }
}

async function startOffset(file: FileHandle, size: number, options: OpenLogOptions): Promise<number> {
  const { request, index, clock } = options;
  let from = 0;
  if (request.sinceTime !== undefined) from = index.offsetSince(Date.parse(request.sinceTime));
  else if (request.sinceSeconds !== undefined)
    from = index.offsetSince(clock.now() - request.sinceSeconds * 1000);
  if (request.tailLines === undefined) return from;
  return Math.max(from, await tailOffset(file, size, request.tailLines));
}

/** Where the last `lines` lines begin; an unfinished line at the end counts. */
async function tailOffset(file: FileHandle, size: number, lines: number): Promise<number> {
  if (lines <= 0) return size;
  let left = lines;
  for (let end = size; end > 0; ) {
    const begin = Math.max(0, end - CHUNK_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(end - begin), 0, end - begin, begin);
    for (let at = bytesRead - 1; at >= 0; at--) {
      if (buffer[at] !== NEWLINE || begin + at === size - 1) continue;
      left--;
      if (left === 0) return begin + at + 1;
    }
    end = begin;
  }
  return 0;
}

/** With `timestamps` every line begins with the time it arrived, as precise as the index knows. */
async function* stamped(pieces: AsyncGenerator<Piece>, options: OpenLogOptions): AsyncGenerator<Buffer> {
  const { request, index, clock } = options;
  let fresh = true;
  for await (const { offset, bytes } of pieces) {
    if (request.timestamps !== true) {
      yield bytes;
      continue;
    }
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const newline = bytes.indexOf(NEWLINE, at);
      const end = newline < 0 ? bytes.length : newline + 1;
      if (fresh) parts.push(Buffer.from(`${stamp(index.timeOf(offset + at, clock.now()))} `));
      parts.push(bytes.subarray(at, end));
      fresh = newline >= 0;
      at = end;
    }
    yield Buffer.concat(parts);
  }
}

/** RFC 3339 with nanoseconds, as kubelets stamp lines. */
function stamp(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, -1)}000000Z`;
}

async function* limited(
  chunks: AsyncGenerator<Buffer>,
  limitBytes: number | undefined,
): AsyncGenerator<Buffer> {
  let left = limitBytes ?? Number.POSITIVE_INFINITY;
  for await (const chunk of chunks) {
    if (chunk.length >= left) {
      yield chunk.subarray(0, left);
      return;
    }
    left -= chunk.length;
    yield chunk;
  }
}
