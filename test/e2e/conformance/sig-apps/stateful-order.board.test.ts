import { expect } from 'vitest';
import type { Pod, StatefulSet } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { running } from '../pod-output.ts';
import { idleContainer, pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const LABELS = { baz: 'blah', foo: 'bar' };
const SELECTOR = { labelSelector: 'baz=blah,foo=bar' };
const setsOf = (context: SpecContext) => context.resource<StatefulSet>('apps/v1', 'statefulsets');

async function create(context: SpecContext, podManagementPolicy: string): Promise<void> {
  await context.services.create({
    metadata: { name: 'test' },
    spec: { clusterIP: 'None', selector: LABELS, ports: [{ port: 80 }] },
  });
  const serve = 'mkdir -p /www; echo ok > /www/index.html; exec httpd -f -p 80 -h /www';
  const container = idleContainer({
    command: ['sh', '-c', serve],
    readinessProbe: { httpGet: { path: '/index.html', port: 80 }, periodSeconds: 1, failureThreshold: 1 },
  });
  await setsOf(context).create({
    metadata: { name: 'ss' },
    spec: {
      replicas: 1,
      serviceName: 'test',
      podManagementPolicy,
      selector: { matchLabels: LABELS },
      template: {
        metadata: { labels: LABELS },
        spec: { terminationGracePeriodSeconds: 1, containers: [container] },
      },
    },
  });
  await counts(context, { running: 1, ready: 1 });
}

const podsOf = async ({ pods }: SpecContext): Promise<Pod[]> => (await pods.list(SELECTOR)).items;
const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;

async function counts(context: SpecContext, wanted: { running: number; ready: number }): Promise<void> {
  await context.until(
    `${wanted.running} pods that run, ${wanted.ready} of them ready`,
    async () => {
      const items = await podsOf(context);
      return (
        items.length === wanted.running &&
        items.every(({ status }) => status?.phase === 'Running') &&
        items.filter(isReady).length === wanted.ready
      );
    },
    60_000,
  );
}

const scale = async (context: SpecContext, replicas: number): Promise<unknown> =>
  await setsOf(context).patch('ss', { spec: { replicas } });
async function stays(context: SpecContext, count: number): Promise<void> {
  await context.throughout(`${count} pods`, 6_000, async () => (await podsOf(context)).length === count);
}
async function inEach(context: SpecContext, ...command: string[]): Promise<void> {
  for (const { metadata } of await podsOf(context))
    await context.ok(['exec', metadata.name ?? '', '--', ...command]);
}
const breakProbe = async (context: SpecContext): Promise<void> =>
  await inEach(context, 'mv', '/www/index.html', '/tmp/');
const restoreProbe = async (context: SpecContext): Promise<void> =>
  await inEach(context, 'sh', '-c', 'mv /tmp/index.html /www/ 2>/dev/null || true');

/** Names in the order of the events of that type. */
const order = (events: readonly { type: string; object: Pod }[], type: string): string[] =>
  events.filter((event) => event.type === type).map(({ object }) => object.metadata.name ?? '');

area('sig-apps', 'StatefulSet Basic StatefulSet functionality [StatefulSetBasic]', (spec) => {
  const LONG = { timeoutMs: 240_000 };
  spec(
    'Scaling should happen in predictable order and halt if any stateful pod is unhealthy [Slow]',
    async (context) => {
      const up = context.watch(context.pods, SELECTOR);
      await create(context, 'OrderedReady');
      await breakProbe(context);
      await counts(context, { running: 1, ready: 0 });
      await scale(context, 3);
      await stays(context, 1);
      await restoreProbe(context);
      await counts(context, { running: 3, ready: 3 });
      await up.next(({ object }) => object.metadata.name === 'ss-2' && isReady(object));
      const ready = up.all.filter(({ object }) => isReady(object)).map(({ object }) => object.metadata.name);
      expect(order(up.all, 'ADDED')).toEqual(['ss-0', 'ss-1', 'ss-2']);
      expect([...new Set(ready)]).toEqual(['ss-0', 'ss-1', 'ss-2']);

      const { resourceVersion } = (await context.pods.list()).metadata;
      const down = context.watch(context.pods, { ...SELECTOR, resourceVersion });
      await breakProbe(context);
      await counts(context, { running: 3, ready: 0 });
      await scale(context, 0);
      await stays(context, 3);
      await restoreProbe(context);
      await context.until('all pods to go', async () => (await podsOf(context)).length === 0, 60_000);
      await down.next(({ type, object }) => type === 'DELETED' && object.metadata.name === 'ss-0');
      expect(order(down.all, 'DELETED')).toEqual(['ss-2', 'ss-1', 'ss-0']);
    },
    LONG,
  );
  spec(
    'Burst scaling should run to completion even with unhealthy pods [Slow]',
    async (context) => {
      await create(context, 'Parallel');
      await breakProbe(context);
      await counts(context, { running: 1, ready: 0 });
      await scale(context, 3);
      await counts(context, { running: 3, ready: 2 });
      await restoreProbe(context);
      await counts(context, { running: 3, ready: 3 });
      await breakProbe(context);
      await counts(context, { running: 3, ready: 0 });
      await scale(context, 0);
      await context.until('all pods to go', async () => (await podsOf(context)).length === 0, 60_000);
      expect((await setsOf(context).get('ss')).status?.replicas ?? 0).toBe(0);
    },
    LONG,
  );
  spec(
    'Should recreate evicted statefulset',
    async (context) => {
      const ports = [{ containerPort: 21017, hostPort: 21017 }];
      await context.pods.create(pod('first', { ports }, { terminationGracePeriodSeconds: 0 }));
      const { spec: fields } = await running(context, 'first');
      const watch = context.watch(context.pods, SELECTOR);
      await setsOf(context).create({
        metadata: { name: 'ss' },
        spec: {
          replicas: 1,
          serviceName: 'test',
          selector: { matchLabels: LABELS },
          template: {
            metadata: { labels: LABELS },
            // Past the scheduler, which would not put it there.
            spec: {
              nodeName: fields?.nodeName ?? '',
              terminationGracePeriodSeconds: 0,
              containers: [idleContainer({ ports })],
            },
          },
        },
      });
      const { object: failed } = await watch.next(({ object }) => object.status?.phase === 'Failed', 60_000);
      expect(failed.status).toMatchObject({ reason: 'NodePorts' });
      const { object: gone } = await watch.next(({ type }) => type === 'DELETED', 60_000);
      expect(gone.metadata.name).toBe('ss-0');
      await context.pods.delete('first', { gracePeriodSeconds: 0 });
      const again = await context.until(
        'the stateful pod to run',
        async () => {
          const found = await context.pods.find('ss-0');
          return found?.status?.phase === 'Running' && found;
        },
        60_000,
      );
      expect(again.metadata.uid).not.toBe(gone.metadata.uid);
    },
    LONG,
  );
});
