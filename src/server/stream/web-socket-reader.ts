import type { Readable } from 'node:stream';
import type { WebSocket } from 'ws';

/** Without channels: every message is the next piece of what is read (upstream's `wsstream` readers). */
export const READER_PROTOCOLS = ['binary.k8s.io', 'base64.binary.k8s.io'] as const;

/** Sends all of `source`; resolves when it is over. A reader that is slow or leaves slows or ends the source. */
export async function serveReader(socket: WebSocket, source: Readable): Promise<void> {
  const base64 = socket.protocol.startsWith('base64');
  socket.on('close', () => source.destroy());
  socket.on('error', () => source.destroy());
  try {
    for await (const chunk of source) {
      const bytes = chunk as Buffer;
      await send(socket, base64 ? bytes.toString('base64') : bytes);
    }
    socket.close(1000);
  } catch {
    // The node was lost, or the reader: the answer has begun, there is no other way to say so.
    socket.close(1011);
  }
}

function send(socket: WebSocket, message: Buffer | string): Promise<void> {
  return new Promise((resolve, reject) => {
    const binary = typeof message !== 'string';
    socket.send(message, { binary }, (error) => (error ? reject(error) : resolve()));
  });
}
