import { expect } from 'vitest';
import type { PriorityClass } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { running } from '../pod-output.ts';
import { onNode, type PodFields, pod, podTemplate } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';
import { advertise } from './extended-resource.ts';

const LONG = { timeoutMs: 150_000 };
const RESOURCE = 'scheduling.k8s.io/foo';
const SOON = { terminationGracePeriodSeconds: 0 };
const takes = (resource: string, count: string) => ({
  resources: { requests: { [resource]: count }, limits: { [resource]: count } },
});
const nodeNames = async ({ cluster }: SpecContext): Promise<string[]> =>
  (await cluster.nodes.list()).items.map(({ metadata }) => metadata.name ?? '').sort();

async function priorities(context: SpecContext, values: Readonly<Record<string, number>>) {
  const classes = context.cluster.resource<PriorityClass>('scheduling.k8s.io/v1', 'priorityclasses');
  const names: Record<string, string> = {};
  for (const [of, value] of Object.entries(values)) {
    const name = context.unique(of);
    names[of] = name;
    await classes.create({ metadata: { name }, value });
    context.defer(async () => await classes.delete(name));
  }
  return names;
}

/** Two thirds of each node: the first by a pod of low priority, the others by pods of medium. */
async function full(context: SpecContext) {
  const names = await priorities(context, { low: 1, medium: 100, high: 1000 });
  const nodes = await nodeNames(context);
  await advertise(context, nodes, RESOURCE, '3');
  const victims: string[] = [];
  for (const [index, node] of nodes.entries()) {
    const name = `pod${index}-${index === 0 ? 'low' : 'medium'}`;
    const fields: PodFields = {
      ...SOON,
      priorityClassName: names[index === 0 ? 'low' : 'medium'] ?? '',
      ...onNode(node),
    };
    await context.pods.create(pod(name, takes(RESOURCE, '2'), fields));
    victims.push(name);
  }
  for (const name of victims) await running(context, name);
  return { names, nodes, victims };
}

/** The first victim went, or goes; the others do not. */
async function isPreempted(context: SpecContext, [first = '', ...others]: readonly string[]): Promise<void> {
  const found = await context.pods.find(first);
  expect(found === undefined || found.metadata.deletionTimestamp !== undefined).toBe(true);
  for (const name of others)
    expect((await context.pods.get(name)).metadata.deletionTimestamp).toBeUndefined();
}

area('sig-scheduling', 'SchedulerPreemption', (spec) => {
  spec(
    'validates basic preemption works [Serial]',
    async (context) => {
      const { names, nodes, victims } = await full(context);
      const fields = { ...SOON, priorityClassName: names['high'] ?? '' };
      await context.pods.create(pod('preemptor-pod', takes(RESOURCE, '2'), fields));
      expect((await running(context, 'preemptor-pod')).spec?.nodeName).toBe(nodes[0]);
      await isPreempted(context, victims);
    },
    LONG,
  );

  spec(
    'validates lower priority pod preemption by critical pod [Serial]',
    async (context) => {
      const { victims } = await full(context);
      const pods = context.resource<NonNullable<Awaited<ReturnType<typeof context.pods.get>>>>(
        'v1',
        'pods',
        'kube-system',
      );
      const name = context.unique('critical-pod');
      context.defer(async () => await pods.delete(name, { gracePeriodSeconds: 0 }));
      const fields = { ...SOON, priorityClassName: 'system-cluster-critical' };
      const made = await pods.create(pod(name, takes(RESOURCE, '2'), fields));
      expect(made.spec?.priority).toBe(2_000_000_000);
      await context.until(
        'the critical pod to run',
        async () => (await pods.get(name)).status?.phase === 'Running',
        60_000,
      );
      await isPreempted(context, victims);
    },
    LONG,
  );

  spec(
    'validates pod disruption condition is added to the preempted pod [Serial]',
    async (context) => {
      const names = await priorities(context, { low: 1, high: 1000 });
      const [node = ''] = await nodeNames(context);
      await advertise(context, [node], RESOURCE, '1');
      const fields = { ...SOON, ...onNode(node) };
      const finalizer = 'example.com/test-finalizer';
      const victim = pod('victim-pod', takes(RESOURCE, '1'), {
        ...fields,
        priorityClassName: names['low'] ?? '',
      });
      await context.pods.create({ ...victim, metadata: { name: 'victim-pod', finalizers: [finalizer] } });
      context.defer(async () => await context.pods.patch('victim-pod', { metadata: { finalizers: null } }));
      await running(context, 'victim-pod');
      const preemptor = { ...fields, priorityClassName: names['high'] ?? '' };
      await context.pods.create(pod('preemptor-pod', takes(RESOURCE, '1'), preemptor));
      const condition = await context.until('the condition', async () => {
        const { metadata, status } = await context.pods.get('victim-pod');
        const found = status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
        return metadata.deletionTimestamp !== undefined && found;
      });
      expect(condition).toMatchObject({
        status: 'True',
        reason: 'PreemptionByScheduler',
        message: `default-scheduler: preempting to accommodate a higher priority pod`,
      });
    },
    LONG,
  );

  spec(
    'PreemptionExecutionPath runs ReplicaSets to verify preemption running path [Serial]',
    async (context) => {
      const CPU = 'example.com/fakecpu';
      const names = await priorities(context, { p1: 1, p2: 2, p3: 3, p4: 4 });
      const [node = ''] = await nodeNames(context);
      await advertise(context, [node], CPU, '1k');
      const watch = context.watch(context.pods);
      const fields = (of: string): PodFields => ({
        ...SOON,
        priorityClassName: names[of] ?? '',
        ...onNode(node),
      });
      for (const [index, count] of ['200', '300', '450'].entries()) {
        const of = `p${index + 1}`;
        const labels = { name: of };
        const container = { ...pod('x', takes(CPU, count)).spec!.containers[0]! };
        await context.replicaSets.create({
          metadata: { name: `rs-${of}` },
          spec: {
            replicas: 1,
            selector: { matchLabels: labels },
            template: podTemplate(labels, fields(of), [container]),
          },
        });
        await context.until(
          `rs-${of} to be available`,
          async () => (await context.replicaSets.get(`rs-${of}`)).status?.availableReplicas === 1,
          60_000,
        );
      }
      await context.pods.create(pod('pod4', takes(CPU, '500'), fields('p4')));
      await context.until(
        'the preemptor to be placed',
        async () => ((await context.pods.get('pod4')).spec?.nodeName ?? '') !== '',
        60_000,
      );
      // Of the two lower ones each pod has been preempted once, and its successor waits.
      const created = () => {
        const seen = new Set(watch.all.map(({ object }) => object.metadata.name ?? ''));
        return ['rs-p1', 'rs-p2', 'rs-p3'].map(
          (set) => [...seen].filter((name) => name.startsWith(set)).length,
        );
      };
      await context.until('the preempted pods to be made again', async () => String(created()) === '2,2,1');
      await context.throughout('no more is preempted', 5_000, async () => String(created()) === '2,2,1');
    },
    LONG,
  );
});
