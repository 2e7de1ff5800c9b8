import { expect } from 'vitest';
import type { ControllerRevision, DaemonSet, Pod } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { IMAGE, podTemplate } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const LONG = { timeoutMs: 150_000 };
const LABELS = { 'daemonset-name': 'daemon-set' };
const SELECTOR = { labelSelector: 'daemonset-name=daemon-set' };
const CONDITION = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'Set from e2e test' };
const setsOf = (context: SpecContext) => context.resource<DaemonSet>('apps/v1', 'daemonsets');
const nodeNames = async ({ cluster }: SpecContext): Promise<string[]> =>
  (await cluster.nodes.list()).items.map(({ metadata }) => metadata.name ?? '').sort();

async function create(
  context: SpecContext,
  more: Partial<NonNullable<DaemonSet['spec']>> = {},
  labels: Record<string, string> = {},
): Promise<DaemonSet> {
  return await setsOf(context).create({
    metadata: { name: 'daemon-set', labels },
    spec: { selector: { matchLabels: LABELS }, template: podTemplate(LABELS), ...more },
  });
}
const podsOf = async ({ pods }: SpecContext): Promise<Pod[]> =>
  (await pods.list(SELECTOR)).items.filter(({ metadata }) => !metadata.deletionTimestamp);
const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;

/** One ready pod on each of these nodes and none elsewhere; the status of the set says so. */
async function runsOn(context: SpecContext, nodes: readonly string[]): Promise<Pod[]> {
  return await context.until(
    `a daemon on ${nodes.join(', ') || 'no node'}`,
    async () => {
      const items = await podsOf(context);
      const { metadata, status } = await setsOf(context).get('daemon-set');
      const where = items.map(({ spec: fields }) => fields?.nodeName ?? '').sort();
      return (
        JSON.stringify(where) === JSON.stringify(nodes) &&
        items.every(isReady) &&
        status?.observedGeneration === metadata.generation &&
        status?.desiredNumberScheduled === nodes.length &&
        (status?.numberReady ?? 0) === nodes.length &&
        items
      );
    },
    60_000,
  );
}

area('sig-apps', 'Daemon set', (spec) => {
  spec(
    'should run and stop simple daemon [Serial]',
    async (context) => {
      await create(context);
      const nodes = await nodeNames(context);
      const [first] = await runsOn(context, nodes);
      await context.pods.delete(first?.metadata.name ?? '');
      await context.until(
        'the pod to go',
        async () => !(await context.pods.find(first?.metadata.name ?? '')),
      );
      const again = await runsOn(context, nodes);
      expect(again.map(({ metadata }) => metadata.uid)).not.toContain(first?.metadata.uid);
      await setsOf(context).delete('daemon-set');
      await context.until('all pods to go', async () => (await podsOf(context)).length === 0);
    },
    LONG,
  );

  spec(
    'should run and stop complex daemon [Serial]',
    async (context) => {
      const template = podTemplate(LABELS, { nodeSelector: { 'daemonset-color': 'blue' } });
      await create(context, { template });
      await runsOn(context, []);
      const [node = ''] = (await nodeNames(context)).toReversed();
      const paint = async (color: string | null) =>
        await context.cluster.nodes.patch(node, { metadata: { labels: { 'daemonset-color': color } } });
      context.defer(async () => await paint(null));
      await paint('blue');
      await runsOn(context, [node]);
      await paint('green');
      await runsOn(context, []);
      await setsOf(context).patch('daemon-set', {
        spec: {
          template: { spec: { nodeSelector: { 'daemonset-color': 'green' } } },
          updateStrategy: { type: 'RollingUpdate' },
        },
      });
      await runsOn(context, [node]);
    },
    LONG,
  );

  spec(
    'should retry creating failed daemon pods [Serial]',
    async (context) => {
      await create(context);
      const nodes = await nodeNames(context);
      const [first] = await runsOn(context, nodes);
      const name = first?.metadata.name ?? '';
      await context.pods.patch(name, { status: { phase: 'Failed' } }, { subresource: 'status' });
      await context.until('the failed pod to go', async () => {
        return (await context.pods.find(name))?.metadata.uid !== first?.metadata.uid;
      });
      await runsOn(context, nodes);
    },
    LONG,
  );

  const hashOf = ({ metadata }: Pod): string => metadata.labels?.['controller-revision-hash'] ?? '';
  spec(
    'should update pod when spec was updated and update strategy is RollingUpdate [Serial]',
    async (context) => {
      await create(context, { updateStrategy: { type: 'RollingUpdate' } });
      const nodes = await nodeNames(context);
      const before = new Set((await runsOn(context, nodes)).map(hashOf));
      expect(before.size).toBe(1);
      const revisions = context.resource<ControllerRevision>('apps/v1', 'controllerrevisions');
      const [first] = (await revisions.list(SELECTOR)).items;
      expect(first?.revision).toBe(1);
      expect(first?.metadata.labels?.['controller-revision-hash']).toBe([...before][0]);
      const containers = [{ name: 'main', image: IMAGE, command: ['sleep', '200000'] }];
      await setsOf(context).patch('daemon-set', { spec: { template: { spec: { containers } } } });
      await context.until(
        'all pods to be updated',
        async () => {
          const items = await podsOf(context);
          expect(
            items.filter((one) => !isReady(one)).length + nodes.length - items.length,
          ).toBeLessThanOrEqual(2);
          return (
            items.length === nodes.length && items.every((one) => isReady(one) && !before.has(hashOf(one)))
          );
        },
        60_000,
      );
      await runsOn(context, nodes);
      const { items } = await revisions.list(SELECTOR);
      expect(items.map(({ revision }) => revision).sort()).toEqual([1, 2]);
    },
    LONG,
  );

  spec(
    'should rollback without unnecessary restarts [Serial]',
    async (context) => {
      await create(context, { updateStrategy: { type: 'RollingUpdate' } });
      const nodes = await nodeNames(context);
      expect(nodes.length).toBeGreaterThan(1);
      const before = await runsOn(context, nodes);
      const image = async (name: string) =>
        await setsOf(context).patch(
          'daemon-set',
          { spec: { template: { spec: { containers: [{ name: 'main', image: name }] } } } },
          { type: 'strategic' },
        );
      await image('kedge.local/none:1');
      // One pod has got the image that there is none of; the others wait for it.
      const [broken] = await context.until('one pod to be replaced', async () => {
        const others = (await podsOf(context)).filter(
          ({ metadata }) => !before.some((old) => old.metadata.uid === metadata.uid),
        );
        return others.length === 1 && others;
      });
      expect(broken?.spec?.containers[0]?.image).toBe('kedge.local/none:1');
      await image(IMAGE);
      const after = await runsOn(context, nodes);
      const kept = before.filter(({ metadata }) => after.some((one) => one.metadata.uid === metadata.uid));
      expect(kept).toHaveLength(nodes.length - 1);
      for (const { metadata, status } of after) {
        expect(metadata.uid).not.toBe(broken?.metadata.uid);
        expect(status?.containerStatuses?.[0]?.restartCount).toBe(0);
      }
    },
    LONG,
  );

  spec(
    'should list and delete a collection of DaemonSets [Serial]',
    async (context) => {
      const label = context.unique('collection');
      await create(context, {}, { collection: label });
      await runsOn(context, await nodeNames(context));
      const everywhere = context.cluster.resource<DaemonSet>('apps/v1', 'daemonsets');
      const labelSelector = `collection=${label}`;
      expect((await everywhere.list({ labelSelector })).items).toHaveLength(1);
      await setsOf(context).deleteCollection({ labelSelector });
      await context.until(
        'the set to go',
        async () => (await everywhere.list({ labelSelector })).items.length === 0,
      );
    },
    LONG,
  );

  spec(
    'should verify changes to a daemon set status [Serial]',
    async (context) => {
      const sets = setsOf(context);
      await create(context);
      const nodes = await nodeNames(context);
      await runsOn(context, nodes);
      const watch = context.watch(sets);
      const has = ({ status }: DaemonSet, type: string): boolean =>
        status?.conditions?.some((one) => one.type === type) ?? false;
      expect((await sets.get('daemon-set', 'status')).status?.numberReady).toBe(nodes.length);
      const updated = await sets.modify(
        'daemon-set',
        ({ status }) => {
          status!.conditions = [...(status?.conditions ?? []), CONDITION];
        },
        'status',
      );
      expect(has(updated, 'StatusUpdate')).toBe(true);
      await watch.next(({ object }) => has(object, 'StatusUpdate'));
      const patch = { status: { conditions: [{ type: 'StatusPatched', status: 'True' }] } };
      const patched = await sets.patch('daemon-set', patch, { subresource: 'status' });
      expect(patched.spec).toEqual(updated.spec);
      await watch.next(({ object }) => has(object, 'StatusPatched'));
    },
    LONG,
  );
});

area('sig-apps', 'ControllerRevision', (spec) => {
  spec(
    'should manage the lifecycle of a ControllerRevision [Serial]',
    async (context) => {
      await create(context);
      await runsOn(context, await nodeNames(context));
      const revisions = context.resource<ControllerRevision>('apps/v1', 'controllerrevisions');
      const everywhere = context.cluster.resource<ControllerRevision>('apps/v1', 'controllerrevisions');
      const [initial] = (await everywhere.list(SELECTOR)).items;
      const name = initial?.metadata.name ?? '';
      expect((await revisions.get(name)).metadata.uid).toBe(initial?.metadata.uid);
      const patched = await revisions.patch(
        name,
        { metadata: { labels: { [name]: 'patched' } } },
        { type: 'strategic' },
      );
      expect(patched.metadata.labels?.[name]).toBe('patched');
      const { apiVersion, kind, metadata, data, revision = 0 } = initial!;
      const second = await revisions.create({
        apiVersion: apiVersion!,
        kind: kind!,
        metadata: {
          name: `${name}-new`,
          labels: metadata.labels ?? {},
          ownerReferences: metadata.ownerReferences ?? [],
        },
        data: data!,
        revision: revision + 1,
      });
      expect((await revisions.list(SELECTOR)).items).toHaveLength(2);
      await revisions.delete(name);
      await context.until('the first to go', async () => {
        return (await revisions.find(name))?.metadata.uid !== initial?.metadata.uid;
      });
      const updated = await revisions.modify(second.metadata.name ?? '', (object) => {
        object.metadata.labels = { ...object.metadata.labels, [`${name}-new`]: 'updated' };
      });
      expect(updated.metadata.labels?.[`${name}-new`]).toBe('updated');
      // The template goes back to what the only revision left does not say: the controller writes a new one.
      await setsOf(context).patch(
        'daemon-set',
        { spec: { template: { spec: { terminationGracePeriodSeconds: 1 } } } },
        { type: 'strategic' },
      );
      await context.until('a newer revision', async () => {
        const { items } = await revisions.list(SELECTOR);
        return items.some((one) => one.revision > revision + 1);
      });
      await revisions.deleteCollection({ labelSelector: `${name}-new=updated` });
      await context.until('the collection to go', async () => {
        const { items } = await revisions.list({ labelSelector: `${name}-new=updated` });
        return items.length === 0;
      });
      expect((await revisions.list(SELECTOR)).items.length).toBeGreaterThan(0);
    },
    LONG,
  );
});
