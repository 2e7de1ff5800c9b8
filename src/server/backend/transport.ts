import {
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestOptions,
  request,
} from 'node:http';
import { Agent } from 'node:https';
import { type Duplex, Readable } from 'node:stream';
import { LIMITS } from '../../lib/limits.ts';
import { type BackendTls, secure } from './tls.ts';

/** Where requests go. */
export interface Backend {
  /** Names the backend and how it is trusted: connections are shared by those who have the same. */
  readonly key: string;
  /** Plain HTTP without. */
  readonly tls?: BackendTls;
  /** A new connection. */
  dial(signal?: AbortSignal): Promise<Duplex>;
}

export interface BackendRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body?: Buffer | Readable;
  /** Ends the exchange, the answer's body included. */
  readonly signal?: AbortSignal;
}

/** What came back instead of an answer: the backend speaks another protocol from here on. */
export interface Upgraded {
  readonly answer: IncomingMessage;
  readonly socket: Duplex;
  /** The first bytes of what it says. */
  readonly head: Buffer;
}

type DialOptions = { readonly backend: Backend; readonly givenUp?: AbortSignal | undefined };
type OnSocket = (error: Error | null, socket: Duplex) => void;

/**
 * HTTP/1.1 to backends in the cluster. TLS connections are kept for a while; plain ones, which only proxied requests
 * use, are not. Follows no redirects and knows no proxies.
 */
export class BackendTransport {
  readonly #agent = new BackendAgent();

  /** Resolves with the head of the answer; its body has to be read or destroyed. */
  async send(backend: Backend, options: BackendRequest): Promise<IncomingMessage> {
    const { answer, upgraded } = await this.#exchange(backend, options);
    upgraded?.socket.destroy();
    return answer;
  }

  /** For requests that ask for another protocol: the backend may answer them all the same. */
  upgrade(
    backend: Backend,
    options: BackendRequest,
  ): Promise<{ readonly answer: IncomingMessage; readonly upgraded?: Upgraded }> {
    return this.#exchange(backend, options);
  }

  /** Closes every connection. */
  close(): void {
    this.#agent.destroy();
  }

  async #exchange(
    backend: Backend,
    options: BackendRequest,
  ): Promise<{ answer: IncomingMessage; upgraded?: Upgraded }> {
    for (let isRetry = false; ; isRetry = true) {
      let sent: ClientRequest | undefined;
      try {
        return await exchange(options, (it) => {
          sent = this.#start(backend, options);
          it(sent);
        });
      } catch (error) {
        // A connection that was kept may have been closed at the other end just now; a new one tells the truth.
        const wasStale = sent?.reusedSocket === true && isHangUp(error);
        if (isRetry || !wasStale || options.body instanceof Readable || options.signal?.aborted) throw error;
      }
    }
  }

  #start(backend: Backend, { method, path, headers, signal }: BackendRequest): ClientRequest {
    const own: DialOptions = { backend, givenUp: signal };
    const isUpgrade = headers['upgrade'] !== undefined;
    const options: RequestOptions & DialOptions = {
      ...own,
      method,
      path,
      headers,
      // A connection that is upgraded does not come back.
      ...(backend.tls && !isUpgrade
        ? { agent: this.#agent, protocol: 'https:' }
        : {
            createConnection: (_: object, done: OnSocket) => {
              void open(own, done);
              return undefined;
            },
          }),
      setHost: false,
    };
    return request(options);
  }
}

/** Keeps connections by `Backend.key`. */
class BackendAgent extends Agent {
  constructor() {
    super({
      keepAlive: true,
      maxFreeSockets: LIMITS.backend.idlePerBackend,
      timeout: LIMITS.backend.idleMs,
    });
  }
  override getName(options?: object): string {
    return (options as DialOptions).backend.key;
  }
  override createConnection(
    options: object,
    done?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    void open(options as DialOptions, done ?? (() => {}));
    return undefined;
  }
}

async function open({ backend, givenUp }: DialOptions, done: OnSocket): Promise<void> {
  let socket: Duplex;
  try {
    const stream = await backend.dial(givenUp);
    socket = backend.tls ? await secure(stream, backend.tls) : stream;
  } catch (error) {
    return done(error instanceof Error ? error : new Error(String(error)), undefined as unknown as Duplex);
  }
  done(null, socket);
}

function exchange(
  { body, signal }: BackendRequest,
  start: (use: (sent: ClientRequest) => void) => void,
): Promise<{ answer: IncomingMessage; upgraded?: Upgraded }> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    start((sent) => {
      const onAbort = (): void => {
        reject(signal?.reason);
        sent.destroy();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      sent.once('close', () => signal?.removeEventListener('abort', onAbort));
      sent.on('error', reject);
      sent.once('response', (answer) => {
        // The answer's reader learns of a cut by 'aborted' and the error that comes with it.
        answer.on('error', () => {});
        resolve({ answer });
      });
      sent.once('upgrade', (answer, socket, head) => resolve({ answer, upgraded: { answer, socket, head } }));
      if (body instanceof Readable) {
        body.once('error', (error) => sent.destroy(error));
        body.pipe(sent);
      } else sent.end(body);
    });
  });
}

function isHangUp(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE';
}
