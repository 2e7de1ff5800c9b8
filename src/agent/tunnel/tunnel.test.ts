import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { NodeApi } from '../../client/node-port.ts';
import { linkPair } from '../../client/tunnel/link.fake.ts';
import { ONLY_LANE } from '../../client/tunnel/node-call.ts';
import { TunnelSession } from '../../client/tunnel/session.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { silentLogger } from '../../lib/log.ts';
import { startTunnel } from './tunnel.ts';

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
