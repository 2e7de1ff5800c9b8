import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as resources from '../../src/api/resources.gen.ts';
import { isAlreadyExists, isConflict, isGone, isNotFound } from '../../src/api/status.ts';
import type { ConfigMap, Pod } from '../../src/api/types.gen.ts';
import type { Client, WatchEvent } from '../../src/client/port.ts';

export interface ClientUnderTest {
  readonly client: Client;
  /** Makes all revisions so far too old to watch from, where the implementation can. */
  readonly compact?: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

const configMap = (name: string, extra: Partial<ConfigMap> = {}, namespace = 'default'): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  ...extra,
});

const pod = (name: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: { containers: [{ name: 'main', image: 'busybox' }], terminationGracePeriodSeconds: 30 },
});

/**
 * What every implementation of the Client port promises. `setup` gives one whose namespace `default` exists and
 * is otherwise empty.
 */
export function describeClient(name: string, setup: () => Promise<ClientUnderTest>): void {
  describe(`Client contract: ${name}`, () => {
    let tested: ClientUnderTest;
    let client: Client;
    beforeEach(async () => {
      tested = await setup();
      client = tested.client;
    });
    afterEach(async () => {
      await tested.stop();
    });

    const maps = resources.configMaps;
    const ref = (of: string) => ({ namespace: 'default', name: of });

    it('creates and reads back', async () => {
      const created = await client.create(maps, configMap('a', { data: { key: 'value' } }));
      expect(created.metadata.uid).toBeTruthy();
      expect(created.metadata.resourceVersion).toMatch(/^[1-9]\d*$/);
      const read = await client.get(maps, ref('a'));
      expect(read.data).toEqual({ key: 'value' });
      expect(read.metadata.resourceVersion).toBe(created.metadata.resourceVersion);
    });

    it('makes a name of generateName', async () => {
      const created = await client.create(maps, {
        ...configMap('x'),
        metadata: { generateName: 'web-', namespace: 'default' },
      });
      expect(created.metadata.name).toMatch(/^web-[a-z0-9]{5}$/);
    });

    it('refuses a second object of the same name', async () => {
      await client.create(maps, configMap('a'));
      await expect(client.create(maps, configMap('a'))).rejects.toSatisfy(isAlreadyExists);
    });

    it('says NotFound for what does not exist', async () => {
      await expect(client.get(maps, ref('none'))).rejects.toSatisfy(isNotFound);
      await expect(client.delete(maps, ref('none'))).rejects.toSatisfy(isNotFound);
      await expect(client.update(maps, configMap('none'))).rejects.toSatisfy(isNotFound);
      const patch = { type: 'merge', body: { data: { a: 'b' } } } as const;
      await expect(client.patch(maps, ref('none'), patch)).rejects.toSatisfy(isNotFound);
    });

    it('lists by namespace, label and field', async () => {
      const labelled = configMap('a');
      labelled.metadata.labels = { app: 'web' };
      await client.create(maps, labelled);
      await client.create(maps, configMap('b'));
      const names = async (options: Parameters<Client['list']>[1]) =>
        (await client.list(maps, options)).items.map(({ metadata }) => metadata.name);
      expect(await names({ namespace: 'default' })).toEqual(expect.arrayContaining(['a', 'b']));
      expect(await names({ namespace: 'default', labelSelector: 'app=web' })).toEqual(['a']);
      expect(await names({ namespace: 'default', fieldSelector: 'metadata.name=b' })).toEqual(['b']);
      expect(await names({ namespace: 'elsewhere' })).toEqual([]);
    });

    it('lists in pages', async () => {
      for (const name of ['a', 'b', 'c']) await client.create(maps, configMap(name, {}));
      const first = await client.list(maps, { namespace: 'default', limit: 2 });
      expect(first.items).toHaveLength(2);
      const from = first.metadata.continue ?? '';
      expect(from).not.toBe('');
      const rest = await client.list(maps, { namespace: 'default', limit: 100, continue: from });
      const names = [...first.items, ...rest.items].map(({ metadata }) => metadata.name);
      expect(names).toEqual(expect.arrayContaining(['a', 'b', 'c']));
      expect(new Set(names).size).toBe(names.length);
    });

    it('updates, and refuses an update of something older', async () => {
      const created = await client.create(maps, configMap('a', { data: { n: '1' } }));
      const updated = await client.update(maps, { ...created, data: { n: '2' } });
      expect(Number(updated.metadata.resourceVersion)).toBeGreaterThan(
        Number(created.metadata.resourceVersion),
      );
      await expect(client.update(maps, { ...created, data: { n: '3' } })).rejects.toSatisfy(isConflict);
      expect((await client.get(maps, ref('a'))).data).toEqual({ n: '2' });
    });

    it('leaves the revision alone when nothing changes', async () => {
      const created = await client.create(maps, configMap('a', { data: { n: '1' } }));
      const same = await client.update(maps, created);
      expect(same.metadata.resourceVersion).toBe(created.metadata.resourceVersion);
    });

    it('patches in all three ways', async () => {
      await client.create(maps, configMap('a', { data: { keep: '1', drop: '2' } }));
      await client.patch(maps, ref('a'), { type: 'merge', body: { data: { drop: null } } });
      const body = [{ op: 'add', path: '/data/json', value: '3' }];
      await client.patch(maps, ref('a'), { type: 'json', body });
      const last = await client.patch(maps, ref('a'), { type: 'strategic', body: { data: { more: '4' } } });
      expect(last.data).toEqual({ keep: '1', json: '3', more: '4' });
    });

    it('refuses a patch that names another revision', async () => {
      const created = await client.create(maps, configMap('a'));
      await client.patch(maps, ref('a'), { type: 'merge', body: { data: { a: '1' } } });
      const { resourceVersion } = created.metadata;
      const stale = { type: 'merge', body: { metadata: { resourceVersion }, data: { a: '2' } } } as const;
      await expect(client.patch(maps, ref('a'), stale)).rejects.toSatisfy(isConflict);
    });

    it('keeps spec and status apart', async () => {
      await client.create(resources.pods, pod('p'));
      const status = { phase: 'Running', reason: 'Test' };
      await client.patch(
        resources.pods,
        ref('p'),
        { type: 'merge', body: { status, metadata: {} } },
        { subresource: 'status' },
      );
      const read = await client.get(resources.pods, ref('p'));
      expect(read.status?.reason).toBe('Test');
      expect(read.spec?.containers[0]?.image).toBe('busybox');
      const relabelled = await client.patch(resources.pods, ref('p'), {
        type: 'merge',
        body: { metadata: { labels: { a: 'b' } }, status: { reason: 'Other' } },
      });
      expect(relabelled.status?.reason).toBe('Test');
    });

    it('writes metadata along with a status, and that is no new generation', async () => {
      const { metadata } = await client.create(resources.pods, pod('p'));
      const body = { metadata: { annotations: { a: 'b' } }, status: { reason: 'Test' } };
      const subresource = { subresource: 'status' };
      const written = await client.patch(resources.pods, ref('p'), { type: 'merge', body }, subresource);
      expect(written.metadata.annotations).toEqual({ a: 'b' });
      expect(written.metadata.generation).toBe(metadata.generation);
    });

    it('deletes, with preconditions', async () => {
      const { metadata } = await client.create(maps, configMap('a'));
      const wrong = { preconditions: { uid: 'another' } };
      await expect(client.delete(maps, ref('a'), wrong)).rejects.toSatisfy(isConflict);
      await client.delete(maps, ref('a'), { preconditions: { uid: metadata.uid ?? '' } });
      await expect(client.get(maps, ref('a'))).rejects.toSatisfy(isNotFound);
    });

    it('waits for finalizers', async () => {
      const held = configMap('a');
      held.metadata.finalizers = ['example.com/hold'];
      await client.create(maps, held);
      await client.delete(maps, ref('a'));
      expect((await client.get(maps, ref('a'))).metadata.deletionTimestamp).toBeTruthy();
      await client.patch(maps, ref('a'), { type: 'merge', body: { metadata: { finalizers: null } } });
      await expect(client.get(maps, ref('a'))).rejects.toSatisfy(isNotFound);
    });

    it('leaves a finalizer for foreground deletion', async () => {
      await client.create(maps, configMap('a'));
      await client.delete(maps, ref('a'), { propagationPolicy: 'Foreground' });
      expect((await client.get(maps, ref('a'))).metadata.finalizers).toEqual(['foregroundDeletion']);
    });

    it('deletes a collection by label', async () => {
      const labelled = configMap('a');
      labelled.metadata.labels = { app: 'web' };
      await client.create(maps, labelled);
      await client.create(maps, configMap('b'));
      await client.deleteCollection(maps, { namespace: 'default', labelSelector: 'app=web' });
      await expect(client.get(maps, ref('a'))).rejects.toSatisfy(isNotFound);
      await client.get(maps, ref('b'));
    });

    it('binds a pod', async () => {
      await client.create(resources.pods, pod('p'));
      await client.createSubresource(resources.pods, ref('p'), 'binding', {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: ref('p'),
        target: { kind: 'Node', name: 'board-1' },
      });
      expect((await client.get(resources.pods, ref('p'))).spec?.nodeName).toBe('board-1');
    });

    it('watches every change after a revision, in order', async () => {
      const { metadata } = await client.list(maps, { namespace: 'default' });
      const seen: string[] = [];
      const abort = new AbortController();
      const watching = collect(
        client.watch(maps, {
          namespace: 'default',
          resourceVersion: metadata.resourceVersion ?? '',
          signal: abort.signal,
        }),
        (event) => {
          if (event.type === 'BOOKMARK') return;
          seen.push(`${event.type} ${event.object.metadata.name}`);
          if (event.type === 'DELETED') abort.abort();
        },
      );
      const created = await client.create(maps, configMap('a'));
      await client.update(maps, { ...created, data: { n: '2' } });
      await client.delete(maps, ref('a'));
      await watching;
      expect(seen).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a']);
    });

    it('shows a watcher with a selector what enters and leaves it', async () => {
      const { metadata } = await client.list(maps, { namespace: 'default' });
      const seen: string[] = [];
      const abort = new AbortController();
      const watching = collect(
        client.watch(maps, {
          namespace: 'default',
          labelSelector: 'app=web',
          resourceVersion: metadata.resourceVersion ?? '',
          signal: abort.signal,
        }),
        (event) => {
          if (event.type !== 'BOOKMARK') seen.push(event.type);
          if (event.type === 'DELETED') abort.abort();
        },
      );
      await client.create(maps, configMap('a'));
      const label = (app: string | null) =>
        client.patch(maps, ref('a'), { type: 'merge', body: { metadata: { labels: { app } } } });
      await label('web');
      await label(null);
      await watching;
      expect(seen).toEqual(['ADDED', 'DELETED']);
    });

    it('ends a watch quietly when told to', async () => {
      const { metadata } = await client.list(maps);
      const abort = new AbortController();
      const options = { resourceVersion: metadata.resourceVersion ?? '', signal: abort.signal };
      const watching = collect(client.watch(maps, options), () => {});
      abort.abort();
      await watching;
    });

    it('refuses to watch from a forgotten revision', async () => {
      if (!tested.compact) return;
      const created = await client.create(maps, configMap('a'));
      await client.update(maps, { ...created, data: { n: '2' } });
      await tested.compact();
      const options = {
        resourceVersion: created.metadata.resourceVersion ?? '',
        signal: new AbortController().signal,
      };
      await expect(collect(client.watch(maps, options), () => {})).rejects.toSatisfy(isGone);
    });
  });
}

async function collect<T>(
  events: AsyncIterable<WatchEvent<T>>,
  visit: (event: WatchEvent<T>) => void,
): Promise<void> {
  for await (const event of events) visit(event);
}
