import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../api/resource.ts';
import { createMemoryDatastore } from '../../datastore/memory.ts';
import type { Datastore } from '../../datastore/port.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { CachedObject, CacheEvent, Selection, WatchCache } from './port.ts';
import { encodeForStorage } from './stored-object.ts';
import { createWatchCache, createWatchCaches, type WatchCaches } from './watch-caches.ts';

const PREFIX = '/registry/core/pods/';
const PODS = {
  resource: { namespaced: true },
  prefix: PREFIX,
  selectableFields: {
    'spec.nodeName': (pod: KubeObject) => (pod as { spec?: { nodeName?: string } }).spec?.nodeName ?? '',
  },
};

interface PodOptions {
  node?: string;
  labels?: Record<string, string>;
  owner?: string;
  padding?: number;
}

function pod(namespace: string, name: string, options: PodOptions = {}): KubeObject {
  const { node, labels, owner, padding = 0 } = options;
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      uid: `uid-${name}`,
      ...(labels ? { labels } : {}),
      ...(owner ? { ownerReferences: [{ apiVersion: 'v1', kind: 'X', name: 'x', uid: owner }] } : {}),
      annotations: { tricky: '"metadata":{', padding: 'x'.repeat(padding) },
    },
    spec: { ...(node ? { nodeName: node } : {}) },
  };
  return object;
}

async function put(datastore: Datastore, object: KubeObject): Promise<number> {
  const { namespace, name } = object.metadata;
  const key = `${PREFIX}${namespace}/${name}`;
  const result = await datastore.commit([{ key, value: encodeForStorage(object) }]);
  return result.ok ? result.revision : 0;
}

async function remove(datastore: Datastore, namespace: string, name: string): Promise<number> {
  const result = await datastore.commit([{ key: `${PREFIX}${namespace}/${name}`, value: undefined }]);
  return result.ok ? result.revision : 0;
}

interface Seen {
  events: CacheEvent[];
  closed: Error[];
  stop(): void;
}

function follow(cache: WatchCache, selection: Selection, after: number): Seen {
  const events: CacheEvent[] = [];
  const closed: Error[] = [];
  const handle = cache.watch(selection, after, {
    event: (event) => events.push(event),
    closed: (error) => error && closed.push(error),
  });
  return { events, closed, stop: () => handle.stop() };
}

const told = ({ events }: Seen): string[] =>
  events.map(({ type, object }) => `${type} ${object.namespace}/${object.name} ${object.revision}`);

describe('a watch cache', () => {
  let datastore: Datastore;
  let clock: FakeClock;
  let caches: WatchCaches;
  let cache: WatchCache;

  beforeEach(async () => {
    datastore = createMemoryDatastore();
    clock = new FakeClock();
    caches = createWatchCaches({ datastore, clock });
    cache = await caches.open(PODS);
  });
  afterEach(async () => {
    caches.close();
    await datastore.close();
  });

  it('splices the revision into the stored bytes', async () => {
    const revision = await put(datastore, pod('default', 'web'));
    const cached = cache.get('default', 'web');
    const object = JSON.parse(cached?.json().toString() ?? '{}');
    expect(object).toEqual({
      ...pod('default', 'web'),
      metadata: { ...pod('default', 'web').metadata, resourceVersion: String(revision) },
    });
    expect(cached?.object()).toEqual(object);
  });

  it('shows the object that its writer had at hand, at its revision', async () => {
    const decoded = pod('default', 'web', { node: 'n1', labels: { app: 'web' }, owner: 'rs' });
    const value = encodeForStorage(decoded);
    const result = await datastore.commit([{ key: `${PREFIX}default/web`, value, decoded }]);
    const cached = cache.get('default', 'web');
    expect(cached?.object()).toBe(decoded);
    expect(decoded.metadata.resourceVersion).toBe(result.ok ? String(result.revision) : '');
    expect(JSON.parse(cached?.json().toString() ?? '{}')).toEqual(decoded);
    expect(cached).toMatchObject({ uid: 'uid-web', labels: { app: 'web' }, owners: ['rs'] });
    expect(cached?.fields).toMatchObject({ 'spec.nodeName': 'n1' });
  });

  it('lists in key order, by namespace and by selection', async () => {
    for (const [namespace, name] of [
      ['b', 'two'],
      ['a', 'z'],
      ['b', 'one'],
      ['a-b', 'x'],
    ] as const) {
      await put(datastore, pod(namespace, name, { node: name === 'one' ? 'n1' : 'n2' }));
    }
    const paths = (selection: Selection): string[] =>
      cache.list(selection).map(({ namespace, name }) => `${namespace}/${name}`);
    // As the datastore pages them: '-' sorts before '/'.
    expect(paths({})).toEqual(['a-b/x', 'a/z', 'b/one', 'b/two']);
    expect(paths({ namespace: 'b' })).toEqual(['b/one', 'b/two']);
    expect(paths({ namespace: 'a' })).toEqual(['a/z']);
    expect(paths({ matches: ({ fields }) => fields['spec.nodeName'] === 'n1' })).toEqual(['b/one']);
    expect(cache.get('b', 'one')?.fields).toEqual({
      'metadata.name': 'one',
      'metadata.namespace': 'b',
      'spec.nodeName': 'n1',
    });
  });

  it('finds objects by owner as ownership changes', async () => {
    await put(datastore, pod('default', 'a', { owner: 'o1' }));
    await put(datastore, pod('default', 'b', { owner: 'o1' }));
    await put(datastore, pod('default', 'a', { owner: 'o2' }));
    expect(cache.ownedBy('o1').map(({ name }) => name)).toEqual(['b']);
    expect(cache.ownedBy('o2').map(({ name }) => name)).toEqual(['a']);
    await remove(datastore, 'default', 'b');
    expect(cache.ownedBy('o1')).toEqual([]);
  });

  it('shows objects entering and leaving a selection as added and deleted', async () => {
    const onNode = follow(
      cache,
      { matches: ({ fields }) => fields['spec.nodeName'] === 'n1' },
      cache.revision,
    );
    await put(datastore, pod('default', 'web'));
    const entered = await put(datastore, pod('default', 'web', { node: 'n1' }));
    const changed = await put(datastore, pod('default', 'web', { node: 'n1', labels: { a: 'b' } }));
    const left = await put(datastore, pod('default', 'web', { node: 'n2' }));
    await remove(datastore, 'default', 'web');
    expect(told(onNode)).toEqual([
      `ADDED default/web ${entered}`,
      `MODIFIED default/web ${changed}`,
      `DELETED default/web ${left}`,
    ]);
    // The last state inside the selection, with the revision that took it out.
    const last = JSON.parse(onNode.events[2]?.frame().toString() ?? '{}');
    expect(last.object.spec.nodeName).toBe('n1');
    expect(last.object.metadata.resourceVersion).toBe(String(left));
    expect(onNode.events[2]?.object.object().metadata.resourceVersion).toBe(String(left));
  });

  it('encodes an event once for all watchers', async () => {
    const [one, two] = [
      follow(cache, {}, cache.revision),
      follow(cache, { namespace: 'default' }, cache.revision),
    ];
    const other = follow(cache, { namespace: 'other' }, cache.revision);
    await put(datastore, pod('default', 'web'));
    expect(one.events[0]?.frame()).toBe(two.events[0]?.frame());
    expect(one.events[0]?.frame().toString()).toBe(
      `{"type":"ADDED","object":${cache.get('default', 'web')?.json()}}\n`,
    );
    expect(other.events).toEqual([]);
  });

  it('resumes from a past revision and answers 410 before it remembers', async () => {
    const first = await put(datastore, pod('default', 'web'));
    const second = await remove(datastore, 'default', 'web');
    expect(told(follow(cache, {}, first))).toEqual([`DELETED default/web ${second}`]);
    for (let count = 0; count <= LIMITS.watch.ringEvents; count++) {
      await put(datastore, pod('default', `p${count}`));
    }
    expect(() => follow(cache, {}, first)).toThrow(
      expect.objectContaining({
        code: 410,
        reason: 'Expired',
        message: expect.stringContaining('too old resource version'),
      }),
    );
    expect(follow(cache, {}, cache.revision - 3).events).toHaveLength(3);
  });

  it('brings back what a watcher from before a restart missed, until it was compacted', async () => {
    const start = await put(datastore, pod('default', 'old', { labels: { app: 'a' } }));
    const relabelled = await put(datastore, pod('default', 'old', { labels: { app: 'b' } }));
    const created = await put(datastore, pod('default', 'new', { labels: { app: 'a' } }));
    const deleted = await remove(datastore, 'default', 'new');
    const later = createWatchCaches({ datastore, clock });
    try {
      const reopened = await later.open(PODS);
      const last = await put(datastore, pod('default', 'last'));
      expect(() => follow(reopened, {}, start)).toThrow(expect.objectContaining({ code: 410 }));
      await Promise.all([reopened.reach(start), reopened.reach(created)]);
      expect(told(follow(reopened, {}, start))).toEqual([
        `MODIFIED default/old ${relabelled}`,
        `ADDED default/new ${created}`,
        `DELETED default/new ${deleted}`,
        `ADDED default/last ${last}`,
      ]);
      const onlyA = { matches: ({ labels }: CachedObject) => labels['app'] === 'a' };
      expect(told(follow(reopened, onlyA, start))[0]).toBe(`DELETED default/old ${relabelled}`);
    } finally {
      later.close();
    }
    await datastore.compact(created);
    const compacted = createWatchCaches({ datastore, clock });
    try {
      const reopened = await compacted.open(PODS);
      await reopened.reach(start);
      expect(() => follow(reopened, {}, start)).toThrow(expect.objectContaining({ code: 410 }));
    } finally {
      compacted.close();
    }
  });

  it('forgets old events sooner than recent ones', async () => {
    const before = cache.revision;
    for (let count = 0; count < 10; count++) {
      await put(datastore, pod('default', `p${count}`, { padding: LIMITS.watch.ringOldBytes / 8 }));
    }
    expect(follow(cache, {}, before).events).toHaveLength(10);
    await clock.advance(LIMITS.watch.ringMs + 1);
    await put(datastore, pod('default', 'late'));
    expect(() => follow(cache, {}, before)).toThrow(expect.objectContaining({ code: 410 }));
  });

  it('closes its watchers', async () => {
    const seen = follow(cache, {}, cache.revision);
    const stopped = follow(cache, {}, cache.revision);
    stopped.stop();
    cache.close();
    await put(datastore, pod('default', 'web'));
    expect(seen.closed).toHaveLength(1);
    expect(stopped.closed).toHaveLength(0);
    expect(seen.events).toEqual([]);
    expect(() => follow(cache, {}, cache.revision)).toThrow(expect.objectContaining({ code: 503 }));
  });

  it('moves its revision with the whole store', async () => {
    const result = await datastore.commit([
      { key: '/registry/core/secrets/default/s', value: new Uint8Array(1) },
    ]);
    expect(cache.revision).toBe(result.ok && result.revision);
    expect(cache.size).toBe(0);
  });

  it('keeps handed-out objects readable after they are gone', async () => {
    await put(datastore, pod('default', 'web', { labels: { app: 'web' } }));
    const held = cache.get('default', 'web');
    for (let count = 0; count < 50; count++) await put(datastore, pod('default', 'web', { padding: 20_000 }));
    for (let count = 0; count <= LIMITS.watch.ringEvents; count++) await remove(datastore, 'default', 'none');
    for (let count = 0; count <= LIMITS.watch.ringEvents; count++) await put(datastore, pod('other', 'p'));
    expect(JSON.parse(held?.json().toString() ?? '{}').metadata.labels).toEqual({ app: 'web' });
  });
});

describe('filling a watch cache', () => {
  it('misses no change that comes between its pages', async () => {
    const datastore = createMemoryDatastore();
    for (let count = 0; count < LIMITS.watch.loadPage + 10; count++) {
      await put(datastore, pod('default', `p${String(count).padStart(5, '0')}`));
    }
    const opening = createWatchCache({ datastore, ...PODS });
    await put(datastore, pod('default', 'p00000', { labels: { changed: 'yes' } }));
    await remove(datastore, 'default', 'p00001');
    await put(datastore, pod('zzz', 'late'));
    await remove(datastore, 'default', `p00${LIMITS.watch.loadPage + 5}`);
    const cache = await opening;
    const { entries } = await datastore.list({ prefix: PREFIX });
    expect(cache.list({}).map((object) => object.revision)).toEqual(entries.map((entry) => entry.revision));
    expect(cache.get('default', 'p00000')?.labels).toEqual({ changed: 'yes' });
    cache.close();
  });
});

describe('watchers of any history', () => {
  const step = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    namespace: fc.constantFrom('one', 'two'),
    node: fc.constantFrom('', 'n1', 'n2'),
    kind: fc.constantFrom('put', 'put', 'delete', 'watch', 'stop'),
  });

  it('reach the state the cache has, in order, none lost or doubled', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const datastore = createMemoryDatastore();
        const cache = await createWatchCache({ datastore, ...PODS });
        const selection: Selection = {
          namespace: 'one',
          matches: ({ fields }) => fields['spec.nodeName'] === 'n1',
        };
        const watchers: { state: Map<string, number>; last: number; stop: () => void }[] = [];
        const paused: typeof watchers = [];
        const start = (after: number, state: Map<string, number>): void => {
          const watcher = { state, last: after, stop: () => {} };
          const handle = cache.watch(selection, after, {
            event({ type, object }) {
              expect(object.revision).toBeGreaterThan(watcher.last);
              watcher.last = object.revision;
              expect(state.has(object.name)).toBe(type !== 'ADDED');
              if (type === 'DELETED') state.delete(object.name);
              else state.set(object.name, object.revision);
            },
            closed: () => {},
          });
          watcher.stop = () => handle.stop();
          watchers.push(watcher);
        };
        for (const { kind, name, namespace, node } of steps) {
          if (kind === 'put') await put(datastore, pod(namespace, name, { node }));
          else if (kind === 'delete') await remove(datastore, namespace, name);
          else if (kind === 'watch') {
            start(
              cache.revision,
              new Map(cache.list(selection).map((object) => [object.name, object.revision])),
            );
          } else {
            const watcher = watchers.shift();
            watcher?.stop();
            if (watcher) paused.push(watcher);
          }
        }
        // What was stopped resumes where it was.
        for (const { last, state } of paused) start(last, state);
        const expected = new Map(cache.list(selection).map((object) => [object.name, object.revision]));
        for (const { state } of watchers) expect(state).toEqual(expected);
        cache.close();
      }),
      { numRuns: 150 },
    );
  });
});
