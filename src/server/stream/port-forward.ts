import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { NodeApi, PodRef } from '../../client/node-port.ts';
import { errorText } from '../../lib/log.ts';
import type { SpdyHeaders } from './spdy-headers.ts';

export const PORT_FORWARD_PROTOCOL = 'portforward.k8s.io';

/** One of a client's streams. */
export type ForwardStream = Duplex & { readonly headers: SpdyHeaders };

interface Pair {
  data?: ForwardStream;
  error?: ForwardStream;
}

/** Joins the two streams a client opens for each connection, and connects the pod's port to them. */
export class PortForwarder {
  readonly #node: NodeApi;
  readonly #pod: PodRef;
  readonly #pairs = new Map<string, Pair>();

  constructor(node: NodeApi, pod: PodRef) {
    this.#node = node;
    this.#pod = pod;
  }

  add(stream: ForwardStream): void {
    const { streamtype: type, port = '', requestid = '' } = stream.headers;
    if ((type !== 'data' && type !== 'error') || !/^\d{1,5}$/.test(port)) {
      stream.destroy();
      return;
    }
    const key = `${requestid}/${port}`;
    const pair = this.#pairs.get(key) ?? {};
    if (pair[type]) {
      stream.destroy();
      return;
    }
    pair[type] = stream;
    this.#pairs.set(key, pair);
    stream.once('close', () => this.#pairs.delete(key));
    if (pair.data && pair.error) void this.#forward(pair.data, pair.error, Number(port));
  }

  async #forward(data: ForwardStream, error: ForwardStream, port: number): Promise<void> {
    try {
      const target = await this.#node.portForward(this.#pod, port);
      // Half-closed is not closed: a client may send its request, end, and still wait for the answer. Once the pod
      // has said its last word the connection is over, whatever the client still sends (upstream too).
      data.pipe(target);
      try {
        await pipeline(target, data);
      } finally {
        target.destroy();
      }
    } catch (cause) {
      const { name, namespace } = this.#pod;
      if (!error.destroyed)
        error.write(`an error occurred forwarding ${port} in pod ${namespace}/${name}: ${errorText(cause)}`);
    }
    data.destroy();
    error.end(() => error.destroy());
  }
}
