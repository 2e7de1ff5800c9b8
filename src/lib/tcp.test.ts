import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { connectTcp } from './tcp.ts';

describe('connectTcp', () => {
  it('connects, and says where and why it could not', async () => {
    const server = createServer((socket) => socket.end('hello'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const socket = await connectTcp({ host: '127.0.0.1', port, timeoutMs: 1000 });
    expect(await new Promise((resolve) => socket.once('data', (data) => resolve(String(data))))).toBe(
      'hello',
    );
    socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await expect(connectTcp({ host: '127.0.0.1', port, timeoutMs: 1000 })).rejects.toThrow(
      `dial tcp 127.0.0.1:${port}: connect: connection refused`,
    );
    await expect(connectTcp({ host: 'no.such.invalid', port, timeoutMs: 5000 })).rejects.toThrow(
      /^dial tcp: lookup no.such.invalid: no such host$|^dial tcp no.such.invalid:\d+: /,
    );
  });

  it('gives up when its time is over or nobody wants the connection any more', async () => {
    // TEST-NET-1: nobody answers, or the network says so at once.
    const silent = { host: '192.0.2.77', port: 9 };
    await expect(connectTcp({ ...silent, timeoutMs: 20 })).rejects.toThrow('dial tcp 192.0.2.77:9: ');
    const gone = AbortSignal.abort(new Error('not needed'));
    await expect(connectTcp({ ...silent, timeoutMs: 1000, signal: gone })).rejects.toThrow('not needed');
  });
});
