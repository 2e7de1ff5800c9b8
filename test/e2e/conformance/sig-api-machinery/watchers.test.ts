import { expect } from 'vitest';
import type { ConfigMap } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import type { SpecContext } from '../spec-context.ts';
import type { WatchEvents } from '../watch-events.ts';

const LABEL = 'watch-this-configmap';
/** How long a watch must stay silent; events arrive in a hundredth of it. */
const QUIET_MS = 1_500;

const mutate = async ({ configMaps }: SpecContext, name: string, mutation: string): Promise<ConfigMap> =>
  await configMaps.modify(name, (map) => {
    map.data = { mutation };
  });
const relabel = async ({ configMaps }: SpecContext, name: string, value: string): Promise<ConfigMap> =>
  await configMaps.modify(name, (map) => {
    map.metadata.labels = { [LABEL]: value };
  });

async function sees(watch: WatchEvents<ConfigMap>, type: string, object?: ConfigMap): Promise<ConfigMap> {
  const event = await watch.next();
  expect(event.type).toBe(type);
  if (object) expect(event.object).toEqual({ apiVersion: 'v1', kind: 'ConfigMap', ...object });
  return event.object;
}

area('sig-api-machinery', 'Watchers', (spec) => {
  spec('should observe add, update, and delete watch notifications on configmaps', async (context) => {
    const { configMaps } = context;
    const watchFor = (...values: string[]) =>
      context.watch(configMaps, { labelSelector: `${LABEL} in (${values.join(',')})` });
    const onlyA = watchFor('a');
    const onlyB = watchFor('b');
    const both = watchFor('a', 'b');
    const a = await configMaps.create({ metadata: { name: 'map-a', labels: { [LABEL]: 'a' } } });
    for (const watch of [onlyA, both]) await sees(watch, 'ADDED', a);
    for (const mutation of ['1', '2']) {
      const changed = await mutate(context, 'map-a', mutation);
      for (const watch of [onlyA, both]) await sees(watch, 'MODIFIED', changed);
    }
    await configMaps.delete('map-a');
    for (const watch of [onlyA, both]) await sees(watch, 'DELETED');
    expect(await onlyB.quiet(QUIET_MS)).toEqual([]);
    const b = await configMaps.create({ metadata: { name: 'map-b', labels: { [LABEL]: 'b' } } });
    for (const watch of [onlyB, both]) await sees(watch, 'ADDED', b);
    await configMaps.delete('map-b');
    for (const watch of [onlyB, both]) await sees(watch, 'DELETED');
    expect(await onlyA.quiet(QUIET_MS)).toEqual([]);
  });

  spec('should be able to start watching from a specific resource version', async (context) => {
    const { configMaps } = context;
    await configMaps.create({ metadata: { name: 'versioned', labels: { [LABEL]: 'version' } } });
    const first = await mutate(context, 'versioned', '1');
    const second = await mutate(context, 'versioned', '2');
    await configMaps.delete('versioned');
    const watch = context.watch(configMaps, {
      labelSelector: `${LABEL}=version`,
      resourceVersion: first.metadata.resourceVersion,
    });
    await sees(watch, 'MODIFIED', second);
    await sees(watch, 'DELETED');
  });

  spec(
    'should be able to restart watching from the last resource version observed by the previous watch',
    async (context) => {
      const { configMaps } = context;
      const query = { labelSelector: `${LABEL}=restart` };
      const broken = context.watch(configMaps, query);
      const made = await configMaps.create({ metadata: { name: 'restart', labels: { [LABEL]: 'restart' } } });
      await mutate(context, 'restart', '1');
      await sees(broken, 'ADDED', made);
      const last = await sees(broken, 'MODIFIED');
      broken.stop();
      const second = await mutate(context, 'restart', '2');
      const restarted = context.watch(configMaps, {
        ...query,
        resourceVersion: last.metadata.resourceVersion,
      });
      await configMaps.delete('restart');
      await sees(restarted, 'MODIFIED', second);
      await sees(restarted, 'DELETED');
    },
  );

  spec(
    'should observe an object deletion if it stops meeting the requirements of the selector',
    async (context) => {
      const { configMaps } = context;
      const watch = context.watch(configMaps, { labelSelector: `${LABEL}=here` });
      const made = await configMaps.create({ metadata: { name: 'moving', labels: { [LABEL]: 'here' } } });
      const first = await mutate(context, 'moving', '1');
      await relabel(context, 'moving', 'elsewhere');
      await sees(watch, 'ADDED', made);
      await sees(watch, 'MODIFIED', first);
      await sees(watch, 'DELETED');
      await mutate(context, 'moving', '2');
      expect(await watch.quiet(QUIET_MS)).toEqual([]);
      const back = await relabel(context, 'moving', 'here');
      const third = await mutate(context, 'moving', '3');
      await configMaps.delete('moving');
      await sees(watch, 'ADDED', back);
      await sees(watch, 'MODIFIED', third);
      await sees(watch, 'DELETED');
    },
  );

  spec('should receive events on concurrent watches in same order', async (context) => {
    const { configMaps } = context;
    const versionOf = ({ metadata }: ConfigMap) => metadata.resourceVersion;
    const start = (await configMaps.list()).metadata.resourceVersion;
    const ROUNDS = 50;
    const first = context.watch(configMaps, { resourceVersion: start });
    const writing = (async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const name = `ordered-${round % 5}`;
        await configMaps.create({ metadata: { name } });
        await mutate(context, name, String(round));
        await configMaps.delete(name);
      }
    })();
    // Each event of the first watch starts another one at its version; all must agree on what follows.
    const seen: ConfigMap[] = [];
    const later: { readonly from: number; readonly watch: WatchEvents<ConfigMap> }[] = [];
    while (seen.length < ROUNDS * 3) {
      const { object } = await first.next();
      seen.push(object);
      if (seen.length % 3 === 0 && seen.length < ROUNDS * 3) {
        const watch = context.watch(configMaps, { resourceVersion: versionOf(object) });
        later.push({ from: seen.length, watch });
      }
    }
    await writing;
    const expected = seen.map(versionOf);
    expect(expected.map(Number)).toEqual(expected.map(Number).toSorted((one, other) => one - other));
    for (const { from, watch } of later) {
      const got: (string | undefined)[] = [];
      while (got.length < expected.length - from) got.push(versionOf((await watch.next()).object));
      expect(got).toEqual(expected.slice(from));
      watch.stop();
    }
  });
});
