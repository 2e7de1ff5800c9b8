import { appendFile, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { settled } from '../../../test/fixtures/settled.ts';
import { createExec } from '../../lib/exec.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { silentLogger } from '../../lib/log.ts';
import { LogIndex } from './log-index.ts';
import { LogKeeper } from './log-keeper.ts';
import { openLog } from './open-log.ts';

const base = Date.UTC(2026, 0, 1);
let dir: string;
let path: string;
let clock: FakeClock;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kedge-logs-'));
  path = join(dir, 'c.log');
  clock = new FakeClock(base, settled);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** Three lines of two bytes that arrived one second apart. */
const index = new LogIndex(
  base,
  [1, 2, 3].map((second) => ({ offset: second * 2, atMs: base + second * 1000 })),
);

const read = async (request: object, of: LogIndex = index): Promise<string> =>
  text(await openLog({ path, index: of, clock, request, isRunning: () => false, onEnd: () => () => {} }));

describe('reading', () => {
  beforeEach(() => writeFile(path, 'a\nb\nc\n'));

  it.each([
    [{}, 'a\nb\nc\n'],
    [{ tailLines: 2 }, 'b\nc\n'],
    [{ tailLines: 0 }, ''],
    [{ tailLines: 9 }, 'a\nb\nc\n'],
    [{ limitBytes: 3 }, 'a\nb'],
    [{ sinceTime: '2026-01-01T00:00:02Z' }, 'b\nc\n'],
    [{ sinceTime: '2026-01-01T00:00:02Z', tailLines: 1 }, 'c\n'],
    [{ timestamps: true, tailLines: 1 }, '2026-01-01T00:00:03.000000000Z c\n'],
  ])('with %j gives %j', async (request, result) => {
    expect(await read(request)).toBe(result);
  });

  it('counts an unfinished last line, across chunks', async () => {
    const long = `${'x'.repeat(100_000)}\n`;
    await writeFile(path, `${long}${long}end`);
    expect(await read({ tailLines: 2 })).toBe(`${long}end`);
  });

  it('is empty when there is no log yet', async () => {
    await rm(path);
    expect(await read({})).toBe('');
  });

  it('follows what is written until the container ends', async () => {
    let running = true;
    let end = (): void => {};
    const stream = await openLog({
      path,
      index,
      clock,
      request: { follow: true, tailLines: 1 },
      isRunning: () => running,
      onEnd: (callback) => {
        end = callback;
        return () => {};
      },
    });
    const all = text(stream);
    await settled();
    await appendFile(path, 'd\n');
    await settled();
    await appendFile(path, 'e\n');
    running = false;
    end();
    expect(await all).toBe('c\nd\ne\n');
  });
});

describe('keeping', () => {
  const keeper = (): LogKeeper =>
    new LogKeeper({ clock, exec: createExec(), log: silentLogger, stateDir: join(dir, 'state') });

  it('dates what arrives, rests while nothing does, and knows it again after a restart', async () => {
    await writeFile(path, '');
    const first = keeper();
    await first.follow('c', path, clock.now());
    await clock.advance(60_000);
    expect(clock.timers).toBe(0);
    await appendFile(path, 'hello\n');
    await settled();
    const at = clock.now();
    await clock.advance(5000);
    await settled();
    await clock.advance(5000);
    await settled();
    expect(clock.timers).toBe(0);
    first.stop();
    const second = keeper();
    await second.follow('c', path, 0);
    expect((await second.index('c', path)).timeOf(0, 0)).toBe(at);
    await second.ended('c');
    second.stop();
  });

  it('keeps a log within bounds, losing its front and no line of its end', async () => {
    await writeFile(path, `${'x'.repeat(1023)}\n`.repeat((6 * LIMITS.agent.logBytes) / 1024 + 64));
    const one = keeper();
    await one.follow('c', path, clock.now());
    const { size } = await stat(path);
    expect(size).toBeLessThan(LIMITS.agent.logBytes);
    await appendFile(path, 'last\n');
    expect(await read({ tailLines: 1 }, await one.index('c', path))).toBe('last\n');
    one.stop();
  });
});
