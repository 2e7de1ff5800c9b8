import type { WebSocket } from 'ws';
import { LIMITS } from '../../lib/limits.ts';

/** What a tunnel session runs over: whole messages in order, or none any more. */
export interface Link {
  send(message: Buffer): void;
  /** Asks the other side for a sign of life, which `onAlive` tells. */
  ping(): void;
  /** Called once, before anything can arrive. */
  listen(listener: LinkListener): void;
  /** Ends the link at once; `onClosed` follows. The other side sees the reason where it can still be told. */
  close(reason: string): void;
}

export interface LinkListener {
  onMessage(message: Buffer): void;
  /** Whatever arrived, it was not silence. */
  onAlive(): void;
  /** Exactly once. `isSilent`: the other side said nothing more, so other connections to it are suspect, too. */
  onClosed(reason: string, isSilent: boolean): void;
}

/** What the kernel says of a connection whose other end no longer answers. */
const SILENCE = new Set(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH']);

/** The close code of a link that ends for a reason of ours, of the range for applications. */
const CLOSED_BY_US = 4000;

/** An open WebSocket as a link. Nothing is read from it before somebody listens. */
export function webSocketLink(socket: WebSocket): Link {
  let failure: NodeJS.ErrnoException | undefined;
  socket.pause();
  return {
    send(message) {
      socket.send(message);
      if (socket.bufferedAmount <= LIMITS.tunnel.unsentBytes) return;
      // What one call leaves unread adds up over many calls; the other side says it is alive all the same.
      failure ??= new Error('the other side does not read');
      socket.terminate();
    },
    ping: () => socket.ping(),
    listen(listener) {
      socket.on('message', (data: Buffer, isBinary: boolean) => {
        if (isBinary) listener.onMessage(data);
        else socket.close(1003);
      });
      socket.on('ping', () => listener.onAlive());
      socket.on('pong', () => listener.onAlive());
      socket.on('error', (error) => {
        failure = error;
      });
      socket.on('close', (code, reason) => {
        const said = reason.toString('utf8');
        const why = failure?.message ?? (code === 1006 ? 'the connection broke' : `code ${code}`);
        listener.onClosed(said || why, SILENCE.has(failure?.code ?? ''));
      });
      if (socket.readyState === socket.CLOSED) listener.onClosed('the connection broke', false);
      socket.resume();
    },
    close(reason) {
      if (socket.readyState === socket.OPEN) socket.close(CLOSED_BY_US, reason.slice(0, 120));
      // The other side may be gone: its answer is not waited for.
      setImmediate(() => socket.terminate());
    },
  };
}
