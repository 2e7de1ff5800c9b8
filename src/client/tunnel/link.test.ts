import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { LIMITS } from '../../lib/limits.ts';
import { webSocketLink } from './link.ts';

const MIB = Buffer.alloc(1024 * 1024);

it('ends a link whose other side does not read, whatever it says', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const webSockets = new WebSocketServer({ server });
  const { port } = server.address() as AddressInfo;
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  client.on('error', () => {});
  const [web] = (await once(webSockets, 'connection')) as [WebSocket];
  const link = webSocketLink(web);
  const closed = new Promise<string>((resolve) =>
    link.listen({ onMessage() {}, onAlive() {}, onClosed: resolve }),
  );
  await once(client, 'open');
  client.pause();
  const most = LIMITS.tunnel.unsentBytes / MIB.length;
  for (let sent = 0; sent < most * 3 && web.readyState === web.OPEN; sent++) link.send(MIB);
  expect(web.bufferedAmount).toBeLessThanOrEqual(LIMITS.tunnel.unsentBytes + 2 * MIB.length);
  expect(web.readyState).not.toBe(web.OPEN);
  expect(await closed).toBe('the other side does not read');
  client.terminate();
  webSockets.close();
  server.close();
});
