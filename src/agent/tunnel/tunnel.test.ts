import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { NodeApi } from '../../client/node-port.ts';
import { linkPair } from '../../client/tunnel/link.fake.ts';
import { ONLY_LANE } from '../../client/tunnel/node-call.ts';
import { TunnelSession } from '../../client/tunnel/session.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { silentLogger } from '../../lib/log.ts';
import { issueCertificate } from '../../lib/pki/certificate.ts';
import { generateKeyPem, publicKeyOf } from '../../lib/pki/key.ts';
import { validity } from '../../lib/pki/validity.ts';
import { dialServer, startTunnel } from './tunnel.ts';

describe('a tunnel whose server falls silent', () => {
  it('ends what streamed, connects anew, and says that other connections may hang', async () => {
    const clock = new FakeClock();
    const pairs: ReturnType<typeof linkPair>[] = [];
    const log = new PassThrough();
    let backs = 0;
    const tunnel = startTunnel({
      // Only the log is asked for.
      api: { logs: async () => log } as unknown as NodeApi,
      async dial() {
        const pair = linkPair();
        pairs.push(pair);
        return pair.links[0];
      },
      onBack: () => void backs++,
      clock,
      log: silentLogger,
      random: () => 0.5,
    });
    await clock.advance(0);
    const [first] = pairs;
    const lost = (reason: string) => new Error(reason);
    const server = new TunnelSession({ link: first!.links[1], clock, lost });
    await server.call({ do: 'logs', request: {} }, (call) => call.lane(ONLY_LANE, 'in'));
    first!.cut();
    await clock.advance(2 * LIMITS.tunnel.pingMs);
    expect(log.destroyed).toBe(true);
    expect(backs).toBe(0);
    // Not after its pause: something else has found the server before.
    tunnel.retry();
    await clock.advance(0);
    expect([pairs.length, backs]).toEqual([2, 1]);
    await tunnel.stop();
    expect(clock.timers).toBe(0);
  });
});

function selfSigned(): { certificatePem: string; keyPem: string } {
  const keyPem = generateKeyPem();
  const certificatePem = issueCertificate({
    subject: { commonName: 'server' },
    names: { dnsNames: [], ips: ['127.0.0.1'] },
    publicKey: publicKeyOf(keyPem),
    selfSigningKeyPem: keyPem,
    use: 'server',
    ...validity(Date.now(), 3_600_000),
  });
  return { certificatePem, keyPem };
}

describe('a connection to the server', () => {
  it('fails when the server dies while it says no', async () => {
    const pair = selfSigned();
    const server = createServer({ cert: pair.certificatePem, key: pair.keyPem });
    server.on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 100\r\n\r\n{"kind":');
      setImmediate(() => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const address = { server: `https://127.0.0.1:${port}`, ca: pair.certificatePem };
    try {
      await expect(
        dialServer({ ...address, cert: pair.certificatePem, key: pair.keyPem }, new AbortController().signal),
      ).rejects.toThrow('the server refuses the connection: HTTP 503');
    } finally {
      server.close();
    }
  });
});
