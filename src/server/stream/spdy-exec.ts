import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { apiError } from '../../api/status.ts';
import type { Status } from '../../api/types.gen.ts';
import type { ExecRequest, ExecSession } from '../../client/node-port.ts';
import type { Clock } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { exitStatus, failureStatus } from './exec-status.ts';
import type { SpdySession, SpdyStream } from './spdy.ts';
import { resize } from './web-socket-exec.ts';

/** Newest first. */
export const SPDY_EXEC_PROTOCOLS = [
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
] as const;

/** Collects the streams a client opens for one exec or attach. */
export class SpdyExecStreams {
  readonly #streams = new Map<string, SpdyStream>();
  readonly #wanted: ReadonlySet<string>;
  #ready: () => void = () => {};

  constructor(request: ExecRequest, protocol: string) {
    const wanted = ['error'];
    if (request.stdin) wanted.push('stdin');
    if (request.stdout) wanted.push('stdout');
    if (request.stderr && !request.tty) wanted.push('stderr');
    if (request.tty && /^v[34]/.test(protocol)) wanted.push('resize');
    this.#wanted = new Set(wanted);
  }

  add(stream: SpdyStream): void {
    const type = stream.headers['streamtype'] ?? '';
    if (!this.#wanted.has(type) || this.#streams.has(type)) {
      stream.destroy();
      return;
    }
    this.#streams.set(type, stream);
    if (this.#streams.size === this.#wanted.size) this.#ready();
  }

  /** Rejects when the client takes too long to open them all. */
  async all(clock: Clock, closed: Promise<void>): Promise<ReadonlyMap<string, SpdyStream>> {
    if (this.#streams.size < this.#wanted.size) {
      await new Promise<void>((resolve, reject) => {
        const give = () => reject(apiError('Timeout', 'timed out waiting for client to create streams'));
        const timer = clock.setTimer(LIMITS.stream.openMs, give);
        this.#ready = () => {
          timer.cancel();
          resolve();
        };
        void closed.then(give);
      });
    }
    return this.#streams;
  }
}

/** Carries a session over the streams of a SPDY connection; resolves when it is over and the connection closed. */
export async function serveSpdyExec(
  connection: SpdySession,
  streams: ReadonlyMap<string, SpdyStream>,
  session: ExecSession,
  protocol: string,
): Promise<void> {
  void connection.closed.then(() => session.close());
  const stdin = streams.get('stdin');
  if (stdin && session.stdin) pipeline(stdin, session.stdin).catch(() => {});
  const sizes = streams.get('resize');
  if (sizes) readSizes(sizes, session);
  const copies = (['stdout', 'stderr'] as const).map(async (name) => {
    const [source, target] = [session[name], streams.get(name)];
    if (source && target) await pipeline(source, target);
  });
  let status: Status;
  try {
    await Promise.all(copies);
    status = exitStatus(await session.exit);
  } catch (error) {
    status = failureStatus(error);
  }
  await endWith(streams.get('error'), statusText(status, protocol));
  connection.close();
}

/** A refusal after the streams were opened. */
export async function refuseSpdyExec(
  connection: SpdySession,
  streams: ReadonlyMap<string, SpdyStream>,
  error: unknown,
  protocol: string,
): Promise<void> {
  await endWith(streams.get('error'), statusText(failureStatus(error), protocol));
  connection.close();
}

/** Before v4 the error stream carried plain text, and nothing for success. */
function statusText(status: Status, protocol: string): string {
  if (protocol.startsWith('v4')) return JSON.stringify(status);
  return status.status === 'Success' ? '' : (status.message ?? '');
}

function endWith(stream: SpdyStream | undefined, text: string): Promise<void> {
  return new Promise((resolve) => {
    if (!stream || stream.destroyed) return resolve();
    stream.once('close', resolve);
    stream.end(text, () => resolve());
  });
}

/** Sizes come as JSON values one after another, each on a line of its own. */
function readSizes(stream: SpdyStream, session: ExecSession): void {
  createInterface({ input: stream }).on('line', (line) => resize(session, Buffer.from(line)));
}
