import type { Http2ServerRequest } from 'node:http2';
import { apiError } from '../../api/status.ts';
import type { Deadlines } from '../../lib/deadlines.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Exchange } from './exchange.ts';

/** A first guess where the client does not say how much comes. */
const FIRST_BYTES = 16 * 1024;

/**
 * The whole body, in one piece however small the pieces it came in. Throws 413 when it is larger than upstream allows,
 * 429 when all bodies on their way are more than the server has room for, 504 when it comes too slowly.
 */
export async function readBody({ request, bodies, bodyDeadlines }: Exchange): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? Number.NaN);
  if (announced > LIMITS.http.bodyBytes) throw tooLarge();
  const body = new Body(bodies);
  try {
    body.grow(Number.isSafeInteger(announced) && announced >= 0 ? announced : FIRST_BYTES);
    await receive(request, body, bodyDeadlines);
    return body.bytes;
  } finally {
    body.release();
  }
}

const tooLarge = () =>
  apiError('RequestEntityTooLarge', `Request entity too large: limit is ${LIMITS.http.bodyBytes}`);

const NOTHING = Buffer.alloc(0);

class Body {
  readonly #budget: Exchange['bodies'];
  #buffer = NOTHING;
  #length = 0;

  constructor(budget: Exchange['bodies']) {
    this.#budget = budget;
  }
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
  add(chunk: Buffer): void {
    const needed = this.#length + chunk.length;
    if (needed > LIMITS.http.bodyBytes) throw tooLarge();
    if (needed > this.#buffer.length)
      this.grow(Math.min(Math.max(needed, this.#buffer.length * 2), LIMITS.http.bodyBytes));
    chunk.copy(this.#buffer, this.#length);
    this.#length = needed;
  }
  grow(sizeBytes: number): void {
    const more = sizeBytes - this.#buffer.length;
    if (more <= 0) return;
    this.#budget.take(more);
    // Small ones come from Node's pool: nothing keeps a body once it is decoded.
    const larger = Buffer.allocUnsafe(sizeBytes);
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
  release(): void {
    this.#budget.give(this.#buffer.length);
  }
}

const wentAway = () => apiError('Timeout', 'the client went away');

function receive(request: Http2ServerRequest, body: Body, deadlines: Deadlines): Promise<void> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const end = (error?: unknown): void => {
      if (isOver) return;
      isOver = true;
      deadline.cancel();
      if (error === undefined) resolve();
      else reject(error);
    };
    const deadline = deadlines.start(() => end(apiError('Timeout', 'timed out reading the request body')));
    // Each listener costs, and so does each that is taken away again: these live as long as the request.
    request.on('data', (chunk: Buffer) => {
      if (isOver) return;
      try {
        body.add(chunk);
      } catch (error) {
        end(error);
      }
    });
    // Over HTTP/2 what was cut off ends, too, and Node says only afterwards that it was.
    const ended = (): void => end(request.aborted ? wentAway() : undefined);
    request.on('end', request.httpVersionMajor < 2 ? ended : () => void setImmediate(ended));
    // Every request closes in the end, however it went; an error costs a stack trace.
    request.on('close', () => {
      if (!isOver) end(wentAway());
    });
  });
}
