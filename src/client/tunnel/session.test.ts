import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../lib/fake-clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { decodeFrame, encodeFrame, type Frame } from './frames.ts';
import { linkPair } from './link.fake.ts';
import type { Link } from './link.ts';
import { type TunnelCall, TunnelSession } from './session.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A session, and what answers it at the other end. */
function pair(onCall: (request: unknown, call: TunnelCall) => void) {
  const clock = new FakeClock();
  const { links, cut } = linkPair();
  const lost = (reason: string) => new Error(`node "b" is gone: ${reason}`);
  const caller = new TunnelSession({ link: links[0], clock, lost });
  const called = new TunnelSession({ link: links[1], clock, lost, onCall });
  return { clock, cut, caller, called };
}

/** What a session sends to somebody who only listens. */
function listener() {
  const { links } = linkPair();
  const seen: Frame[] = [];
  let closedBy: string | undefined;
  const other: Link = links[1];
  other.listen({
    onMessage: (message) => void seen.push(decodeFrame(message)),
    onAlive: () => {},
    onClosed: (reason) => {
      closedBy = reason;
    },
  });
  const lost = (reason: string) => new Error(reason);
  const session = new TunnelSession({ link: links[0], clock: new FakeClock(), lost });
  const say = (frame: Frame): void => other.send(encodeFrame(frame));
  return { session, seen, other, say, closedBy: () => closedBy };
}

describe('frames', () => {
  it('come back as they went', () => {
    const frames: Frame[] = [
      { type: 'open', call: 1, message: { do: 'logs' } },
      { type: 'accept', call: 2 ** 32 - 1, message: {} },
      { type: 'data', call: 7, lane: 2, bytes: Buffer.from('x') },
      { type: 'end', call: 7, lane: 0 },
      { type: 'credit', call: 7, lane: 1, bytes: 65_536 },
      { type: 'note', call: 7, message: { exitCode: 3 } },
      { type: 'close', call: 7, message: null },
    ];
    expect(frames.map((frame) => decodeFrame(encodeFrame(frame)))).toEqual(frames);
  });

  it('that are none are refused', () => {
    for (const bytes of ['', '00', '01', '0900000001', '0300000001', '050000000100'])
      expect(() => decodeFrame(Buffer.from(bytes, 'hex'))).toThrow();
    expect(() => decodeFrame(Buffer.from('010000000122', 'hex'))).toThrow(/JSON/);
  });
});

describe('a session', () => {
  it('runs no timer without calls, and asks for life while there are some', async () => {
    const { clock, caller } = pair((_, call) => {
      call.lane(0, 'out');
      call.accept();
    });
    expect(clock.timers).toBe(0);
    const lane = await caller.call('follow', (call) => call.lane(0, 'in'));
    expect(clock.timers).toBeGreaterThan(0);
    await clock.advance(LIMITS.tunnel.pingMs * 10);
    expect(caller.isOpen).toBe(true);
    lane.destroy();
    await turn();
    await turn();
    expect(clock.timers).toBe(0);
  });

  it('ends calls with an error that names the node when the link is silent', async () => {
    const { clock, cut, caller, called } = pair((_, call) => {
      call.lane(0, 'out').write('last words');
      call.accept();
    });
    const lane = await caller.call('follow', (call) => call.lane(0, 'in'));
    await turn();
    cut();
    const reading = text(lane);
    reading.catch(() => {});
    const unanswered = caller.call('another', () => {});
    unanswered.catch(() => {});
    await clock.advance(2 * LIMITS.tunnel.pingMs);
    await expect(reading).rejects.toThrow('node "b" is gone: no answer');
    await expect(unanswered).rejects.toThrow('node "b" is gone: no answer');
    await expect(caller.call('later', () => {})).rejects.toThrow('node "b" is gone: no answer');
    expect([caller.isOpen, called.isOpen, clock.timers]).toEqual([false, false, 0]);
  });

  it('ends a call that is given up before it is answered, on both sides', async () => {
    const asked: TunnelCall[] = [];
    const { clock, caller } = pair((_, call) => void asked.push(call));
    const abort = new AbortController();
    const waiting = caller.call('slow', (call) => call.lane(0, 'in'), abort.signal);
    await turn();
    abort.abort(new Error('no longer wanted'));
    await expect(waiting).rejects.toThrow('no longer wanted');
    await turn();
    await expect(asked[0]?.ended).resolves.toMatchObject({ message: 'no longer wanted' });
    expect(clock.timers).toBe(0);
    await expect(caller.call('late', () => {}, abort.signal)).rejects.toThrow('no longer wanted');
    expect(asked).toHaveLength(1);

    const other = new AbortController();
    const answered = caller.call('quick', (call) => call.lane(0, 'in'), other.signal);
    await turn();
    asked[1]?.lane(0, 'out');
    asked[1]?.accept();
    const lane = await answered;
    other.abort();
    expect(lane.destroyed).toBe(false);
    lane.destroy();
  });

  it('lets what arrived before the end be read, and shows the error after it', async () => {
    const { caller } = pair((_, call) => {
      const lane = call.lane(0, 'out');
      call.accept();
      lane.write('first');
      lane.write(' second', () => call.close(new Error('disk failed')));
    });
    const lane = await caller.call('read', (call) => call.lane(0, 'in'));
    await turn();
    await turn();
    const got: string[] = [];
    await expect(
      (async () => {
        for await (const chunk of lane) got.push(String(chunk));
      })(),
    ).rejects.toThrow('disk failed');
    expect(got.join('')).toBe('first second');
  });

  it('sends no more than the reader has room for', async () => {
    const { session, seen, say } = listener();
    const calling = session.call('write', (call) => call.lane(0, 'both'));
    await turn();
    say({ type: 'accept', call: 1, message: {} });
    const lane = await calling;
    lane.write(Buffer.alloc(LIMITS.tunnel.windowBytes * 2));
    const sent = (): number =>
      seen.reduce((sum, frame) => sum + (frame.type === 'data' ? frame.bytes.length : 0), 0);
    await turn();
    expect(sent()).toBe(LIMITS.tunnel.windowBytes);
    say({ type: 'credit', call: 1, lane: 0, bytes: 1000 });
    await turn();
    await turn();
    expect(sent()).toBe(LIMITS.tunnel.windowBytes + 1000);
  });

  it('ends with one who sends more than there is room for', async () => {
    const { session, say, closedBy } = listener();
    const calling = session.call('read', (call) => call.lane(0, 'in'));
    await turn();
    say({ type: 'accept', call: 1, message: {} });
    await calling;
    for (let left = LIMITS.tunnel.windowBytes; left >= 0; left -= LIMITS.tunnel.sliceBytes)
      say({ type: 'data', call: 1, lane: 0, bytes: Buffer.alloc(LIMITS.tunnel.sliceBytes) });
    await turn();
    await turn();
    expect(session.isOpen).toBe(false);
    expect(closedBy()).toBe('protocol error: the other side does not keep to its window');
  });

  it.each<[string, (say: (frame: Frame) => void) => void, string]>([
    [
      'offers room without end',
      (say) => say({ type: 'credit', call: 1, lane: 0, bytes: 2 ** 32 - 1 }),
      'the other side offers more room than a window has',
    ],
    [
      'asks where only answers belong',
      (say) => say({ type: 'open', call: 2, message: {} }),
      'this side takes no calls',
    ],
  ])('ends with one who %s', async (_, misbehave, why) => {
    const { session, say, closedBy } = listener();
    const calling = session.call('write', (call) => call.lane(0, 'both'));
    await turn();
    say({ type: 'accept', call: 1, message: {} });
    await calling;
    misbehave(say);
    await turn();
    await turn();
    expect(session.isOpen).toBe(false);
    expect(closedBy()).toBe(`protocol error: ${why}`);
  });

  it('passes over frames of calls that are over', async () => {
    const { session, say } = listener();
    say({ type: 'data', call: 5, lane: 0, bytes: Buffer.from('late') });
    say({ type: 'close', call: 5, message: null });
    await turn();
    expect(session.isOpen).toBe(true);
  });

  it('refuses a call when too many are open', async () => {
    const { caller } = pair((_, call) => call.accept());
    for (let count = 0; count < LIMITS.tunnel.calls; count++) await caller.call('stay', () => {});
    await expect(caller.call('one more', () => {})).rejects.toMatchObject({ code: 429 });
    caller.close('done');
  });
});
