import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { settled } from '../../test/fixtures/settled.ts';
import * as resources from '../api/resources.gen.ts';
import { apiError } from '../api/status.ts';
import type { ConfigMap } from '../api/types.gen.ts';
import { FakeClock } from '../lib/fake-clock.ts';
import { LIMITS } from '../lib/limits.ts';
import { silentLogger as log } from '../lib/log.ts';
import { FakeClient } from './fake-client.ts';
import type { Informer, InformerFactory } from './informer.ts';
import { createInformerFactory } from './informer-factory.ts';
import { createKeptCopies } from './kept-copies.ts';
import type { Client } from './port.ts';

const { configMaps } = resources;
const { keptBurstBytes, keptBytesPerSecond, keptDelayMs, keptRetry, offlineAfterMs, outageMs } =
  LIMITS.informer;
const map = (name: string, data: Record<string, string> = {}): ConfigMap => ({
  metadata: { name, namespace: 'default' },
  data,
});

let dir: string;
let clock: FakeClock;
let client: FakeClient;
let isAway = false;
const factories: InformerFactory[] = [];
/** The client, while the server can be reached. */
let link: Client;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kedge-kept-'));
  clock = new FakeClock(undefined, settled);
  client = new FakeClient(clock);
  isAway = false;
  const guarded = (): void => {
    if (isAway) throw apiError('ServiceUnavailable', 'away');
  };
  link = Object.assign(Object.create(client) as Client, {
    list: async (...args: Parameters<Client['list']>) => {
      guarded();
      return await client.list(...args);
    },
    watch: async function* (...args: Parameters<Client['watch']>) {
      guarded();
      yield* client.watch(...args);
    },
  });
});
afterEach(async () => {
  await Promise.all(factories.splice(0).map((factory) => factory.stop()));
  await rm(dir, { recursive: true });
});

const path = (): string => join(dir, 'data/known/maps.json');
const text = (): Promise<string> => readFile(path(), 'utf8').catch(() => '');
function boot(cluster = 'here'): { informer: Informer<ConfigMap>; factory: InformerFactory } {
  const places = { dataDir: join(dir, 'data'), stateDir: join(dir, 'state') };
  const copies = createKeptCopies({ ...places, cluster, clock, log });
  const factory = createInformerFactory({ client: link, clock, log, random: () => 0, copies });
  factories.push(factory);
  const informer = factory.for(configMaps, { keep: { as: 'maps' } });
  void factory.start();
  return { informer, factory };
}
const names = (informer: Informer<ConfigMap>) => informer.store.list().map(({ metadata }) => metadata.name);

describe('an informer that keeps a copy', () => {
  it('stands on it when the server is away, and goes on from there when it is back', async () => {
    await client.create(configMaps, map('a'));
    await client.create(configMaps, map('b'));
    const first = boot();
    await clock.advance(keptDelayMs);
    await first.factory.stop();
    expect((await stat(path())).mode & 0o777).toBe(0o600);

    isAway = true;
    await client.create(configMaps, map('c'));
    await client.delete(configMaps, { namespace: 'default', name: 'a' });
    const { informer } = boot();
    const seen: string[] = [];
    informer.onChange({
      add: ({ metadata }) => seen.push(`add ${metadata.name}`),
      update: ({ metadata }) => seen.push(`update ${metadata.name}`),
      delete: ({ metadata }) => seen.push(`delete ${metadata.name}`),
    });
    await clock.advance(offlineAfterMs - 100);
    expect(informer.hasSynced).toBe(false);
    await clock.advance(200);
    expect(informer.hasSynced).toBe(true);
    expect(names(informer)).toEqual(['a', 'b']);
    isAway = false;
    await clock.advance(60_000);
    expect(names(informer)).toEqual(['b', 'c']);
    expect(seen).toEqual(['add a', 'add b', 'add c', 'delete a']);
  });

  it('lists anew when the server no longer knows the changes since', async () => {
    await client.create(configMaps, map('a'));
    await client.create(configMaps, map('b', { n: '1' }));
    const first = boot();
    await clock.advance(keptDelayMs);
    await first.factory.stop();
    isAway = true;
    const { informer } = boot();
    await clock.advance(offlineAfterMs * 2);
    await client.update(configMaps, map('b', { n: '2' }));
    await client.delete(configMaps, { namespace: 'default', name: 'a' });
    client.compact();
    isAway = false;
    await clock.advance(60_000);
    expect(informer.store.list().map(({ data }) => data)).toEqual([{ n: '2' }]);
  });

  it('does not wait long for a server that another informer found away', async () => {
    const first = boot();
    first.factory.for(resources.secrets, { keep: { as: 'secrets' } });
    await clock.advance(keptDelayMs);
    await first.factory.stop();
    isAway = true;
    const { factory } = boot();
    await clock.advance(offlineAfterMs + 100);
    const late = factory.for(resources.secrets, { keep: { as: 'secrets' } });
    await clock.advance(outageMs);
    expect(late.hasSynced).toBe(true);
  });

  it('believes the server, not the copy, and no copy of another cluster or that is torn', async () => {
    await client.create(configMaps, map('a'));
    const first = boot();
    await clock.advance(keptDelayMs);
    await first.factory.stop();
    await client.delete(configMaps, { namespace: 'default', name: 'a' });
    const online = boot();
    await clock.advance(offlineAfterMs * 2);
    expect(names(online.informer)).toEqual([]);
    await online.factory.stop();

    isAway = true;
    const elsewhere = boot('elsewhere');
    await clock.advance(offlineAfterMs * 2);
    expect(elsewhere.informer.hasSynced).toBe(false);
    await writeFile(path(), '{"cluster":"here","items":[');
    const torn = boot();
    await clock.advance(offlineAfterMs * 2);
    expect(torn.informer.hasSynced).toBe(false);
  });

  it('writes rarely: together, at a bounded rate, never the same again', async () => {
    const first = boot();
    const data = { text: 'x'.repeat(keptBurstBytes) };
    await client.create(configMaps, map('a', data));
    await client.create(configMaps, map('b'));
    await clock.advance(keptDelayMs - 1000);
    expect(await text()).toBe('');
    await clock.advance(2000);
    expect(await text()).toContain('"b"');
    // All that may be written at once has been; after this, more has to be earned.
    await client.create(configMaps, map('c'));
    await clock.advance(keptDelayMs + 60_000);
    expect(await text()).toContain('"c"');
    await client.create(configMaps, map('c2'));
    await clock.advance(600_000);
    expect(await text()).not.toContain('"c2"');
    await clock.advance((keptBurstBytes / keptBytesPerSecond) * 1000);
    expect(await text()).toContain('"c2"');
    await client.create(configMaps, map('d'));
    await clock.advance(1000);
    await first.factory.stop();
    expect(await text()).toContain('"d"');

    const { mtimeMs } = await stat(path());
    const again = boot();
    await clock.advance(600_000);
    await again.factory.stop();
    expect((await stat(path())).mtimeMs).toBe(mtimeMs);
  });

  it('is written later where the disk did not take it, without another change', async () => {
    await mkdir(join(dir, 'data'));
    await writeFile(join(dir, 'data/known'), 'in the way');
    const { factory } = boot();
    await client.create(configMaps, map('a'));
    await clock.advance(10 * keptDelayMs);
    await rm(join(dir, 'data/known'));
    await clock.advance(keptRetry.maxMs);
    expect(await text()).toContain('"a"');
    await factory.stop();
    expect(clock.timers).toBe(0);
  });
});

describe('an informer', () => {
  it('lists anew when the server went back in time', async () => {
    await client.create(configMaps, map('a'));
    let lists = 0;
    let isFirstWatch = true;
    const replaced = Object.assign(Object.create(client) as Client, {
      list: async (...args: Parameters<Client['list']>) => {
        lists++;
        return await client.list(...args);
      },
      watch: async function* (...args: Parameters<Client['watch']>) {
        if (isFirstWatch) yield { type: 'BOOKMARK', resourceVersion: '1' } as const;
        else yield* client.watch(...args);
      },
    });
    link = replaced;
    const { informer } = boot();
    await clock.advance(100);
    expect(lists).toBeGreaterThan(1);
    isFirstWatch = false;
    await client.create(configMaps, map('b'));
    await clock.advance(60_000);
    expect(names(informer)).toEqual(['a', 'b']);
  });
});
