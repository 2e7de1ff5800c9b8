import { expect } from 'vitest';
import { area } from '../area.ts';
import { running } from '../pod-output.ts';
import { onNode, type PodFields, pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const SOON = { terminationGracePeriodSeconds: 0 };
const LONG = { timeoutMs: 120_000 };

/** The scheduler says why no node will have the pod, and it stays like that. */
async function isUnschedulable(context: SpecContext, name: string, why: RegExp): Promise<void> {
  const { message } = await context.until('the scheduler to give up for now', async () => {
    const found = (await context.pods.get(name)).status?.conditions;
    return found?.find(
      ({ type, status, reason }) =>
        type === 'PodScheduled' && status === 'False' && reason === 'Unschedulable',
    );
  });
  expect(message).toMatch(why);
  await context.until('an event', async () => {
    const fieldSelector = `involvedObject.name=${name},reason=FailedScheduling`;
    const { items } = await context.resource('v1', 'events').list({ fieldSelector });
    return items.length > 0;
  });
  const { spec: fields } = await context.pods.get(name);
  expect(fields?.nodeName ?? '').toBe('');
}

const nodeNames = async ({ cluster }: SpecContext): Promise<string[]> =>
  (await cluster.nodes.list()).items.map(({ metadata }) => metadata.name ?? '').sort();

area('sig-scheduling', 'SchedulerPredicates', (spec) => {
  spec(
    'validates resource limits of pods that are allowed to run [Serial]',
    async (context) => {
      const nodes = await nodeNames(context);
      const free = new Map<string, number>();
      for (const name of nodes) {
        const { status } = await context.cluster.nodes.get(name);
        const { cpu = '' } = (status?.allocatable ?? {}) as Record<string, string>;
        const allocatable = cpu.endsWith('m') ? Number(cpu.slice(0, -1)) : Number(cpu) * 1000;
        const { items } = await context.cluster
          .resource('v1', 'pods')
          .list({ fieldSelector: `spec.nodeName=${name}` });
        expect(items.filter(({ metadata }) => metadata.namespace === context.namespace)).toEqual([]);
        free.set(name, allocatable);
      }
      // Most of each node is taken, and one more that needs as much finds no place.
      for (const [name, milli] of free) {
        const cpu = `${Math.floor(milli * 0.7)}m`;
        const resources = { requests: { cpu }, limits: { cpu } };
        const fields: PodFields = { ...SOON, ...onNode(name) };
        await context.pods.create(pod(`filler-${name}`, { resources }, fields));
      }
      for (const name of nodes) await running(context, `filler-${name}`);
      const cpu = `${Math.floor(Math.max(...free.values()) * 0.5)}m`;
      const resources = { requests: { cpu }, limits: { cpu } };
      await context.pods.create(pod('additional-pod', { resources }, SOON));
      await isUnschedulable(context, 'additional-pod', /^0\/2 nodes are available: 2 Insufficient cpu\./);
    },
    LONG,
  );

  const key = 'kubernetes.io/e2e-label';
  spec(
    'validates that NodeSelector is respected if matching [Serial]',
    async (context) => {
      const [node = ''] = (await nodeNames(context)).toReversed();
      const label = async (value: string | null) =>
        await context.cluster.nodes.patch(node, { metadata: { labels: { [key]: value } } });
      await label('42');
      context.defer(async () => await label(null));
      await context.pods.create(pod('with-labels', {}, { ...SOON, nodeSelector: { [key]: '42' } }));
      expect((await running(context, 'with-labels')).spec?.nodeName).toBe(node);
    },
    LONG,
  );
  spec(
    'validates that NodeSelector is respected if not matching [Serial]',
    async (context) => {
      await context.pods.create(pod('restricted-pod', {}, { ...SOON, nodeSelector: { label: 'nonempty' } }));
      await isUnschedulable(
        context,
        'restricted-pod',
        /^0\/2 nodes are available: 2 node\(s\) didn't match Pod's node affinity\/selector\./,
      );
    },
    LONG,
  );

  spec(
    'validates that there exists conflict between pods with same hostPort and protocol but one using 0.0.0.0 hostIP [Serial]',
    async (context) => {
      const [node = ''] = await nodeNames(context);
      const create = async (name: string, hostIP: string) =>
        await context.pods.create(
          pod(
            name,
            { ports: [{ containerPort: 80, hostPort: 54_322, protocol: 'TCP', hostIP }] },
            { ...SOON, ...onNode(node) },
          ),
        );
      await create('pod4', '0.0.0.0');
      await running(context, 'pod4');
      await create('pod5', '127.0.0.1');
      await isUnschedulable(
        context,
        'pod5',
        /1 node\(s\) didn't have free ports for the requested pod ports/,
      );
    },
    LONG,
  );
});
