import { expect } from 'vitest';
import type { EndpointSlice, Endpoints, Service } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { running } from '../pod-output.ts';
import { pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const endpointsOf = (context: SpecContext) => context.resource<Endpoints>('v1', 'endpoints');
const slicesOf = (context: SpecContext) =>
  context.resource<EndpointSlice>('discovery.k8s.io/v1', 'endpointslices');
const SOON = { terminationGracePeriodSeconds: 0 };

async function serve(
  context: SpecContext,
  name: string,
  selector: Record<string, string>,
  targetPort: number | string,
): Promise<Service> {
  return await context.services.create({
    metadata: { name },
    spec: {
      selector,
      publishNotReadyAddresses: true,
      ports: [{ name: 'example', port: 80, targetPort, protocol: 'TCP' }],
    },
  });
}

/** Address, port and pod of every endpoint, as the Endpoints and as the slices of a Service tell them. */
async function told(context: SpecContext, service: string): Promise<[old: string[], slices: string[]]> {
  const { subsets = [] } = (await endpointsOf(context).find(service)) ?? {};
  const old = subsets.flatMap(({ addresses = [], ports = [] }) =>
    addresses.flatMap(({ ip, targetRef }) =>
      ports.map(({ name, port }) => `${ip} ${name} ${port} ${targetRef?.kind}/${targetRef?.name}`),
    ),
  );
  const labelSelector = `kubernetes.io/service-name=${service}`;
  const { items } = await slicesOf(context).list({ labelSelector });
  const slices = items.flatMap(({ endpoints = [], ports = [] }) =>
    endpoints.flatMap(({ addresses, targetRef, conditions }) =>
      conditions?.ready === false
        ? []
        : (ports ?? []).map(
            ({ name, port }) => `${addresses[0]} ${name} ${port} ${targetRef?.kind}/${targetRef?.name}`,
          ),
    ),
  );
  return [old.sort(), slices.sort()];
}

async function becomes(
  context: SpecContext,
  service: string,
  expected: readonly (readonly [pod: string, port: number])[],
): Promise<void> {
  const wanted: string[] = [];
  for (const [name, port] of expected) {
    const { status } = await context.pods.get(name);
    wanted.push(`${status?.podIP} example ${port} Pod/${name}`);
  }
  wanted.sort();
  let last: unknown;
  await context
    .until(`endpoints of ${service}`, async () => {
      last = await told(context, service);
      return JSON.stringify(last) === JSON.stringify([wanted, wanted]);
    })
    .catch(() => expect(last).toEqual([wanted, wanted]));
}

area('sig-network', 'EndpointSlice', (spec) => {
  spec(
    'should create Endpoints and EndpointSlices for Pods matching a Service',
    async (context) => {
      const ports = (containerPort: number) => ({ ports: [{ name: 'example-name', containerPort }] });
      const labels = (name: string) => ({ foo: 'bar', name });
      const first = pod('pod1', ports(3000), SOON, { ...labels('one'), number: 'example' });
      const second = pod('pod2', ports(3001), SOON, labels('two'));
      const { status } = await context.pods.create(first);
      expect(status?.podIP).toBeUndefined();
      await context.pods.create(second);
      await serve(context, 'int-port', { foo: 'bar', number: 'example' }, 9376);
      await serve(context, 'named-port', { foo: 'bar' }, 'example-name');
      await serve(context, 'no-match', { foo: 'not-bar' }, 8080);
      for (const name of ['pod1', 'pod2']) await running(context, name);
      await becomes(context, 'int-port', [['pod1', 9376]]);
      await becomes(context, 'named-port', [
        ['pod1', 3000],
        ['pod2', 3001],
      ]);
      await becomes(context, 'no-match', []);
      // What goes is gone from the endpoints, and what comes back is there again.
      await context.pods.delete('pod1');
      await becomes(context, 'int-port', []);
      await becomes(context, 'named-port', [['pod2', 3001]]);
      await context.until('pod1 to go', async () => !(await context.pods.find('pod1')));
      await context.pods.create(first);
      await running(context, 'pod1');
      await becomes(context, 'int-port', [['pod1', 9376]]);
      // The controllers put back what somebody else removes.
      await endpointsOf(context).delete('named-port');
      await slicesOf(context).deleteCollection({ labelSelector: 'kubernetes.io/service-name=named-port' });
      await becomes(context, 'named-port', [
        ['pod1', 3000],
        ['pod2', 3001],
      ]);
      await context.services.delete('named-port');
      await context.until(
        'its slices to go',
        async () => (await told(context, 'named-port')).flat().length === 0,
      );
    },
    { timeoutMs: 120_000 },
  );
});

area('sig-network', 'EndpointsController', (spec) => {
  spec('should create Endpoints for Pods matching a Service', async (context) => {
    await serve(context, 'matching', { app: 'behind' }, 8080);
    await context.until('empty Endpoints', async () => {
      const found = await endpointsOf(context).find('matching');
      return found && (found.subsets ?? []).length === 0;
    });
    await context.pods.create(pod('one', {}, SOON, { app: 'behind' }));
    await running(context, 'one');
    await becomes(context, 'matching', [['one', 8080]]);
    await context.pods.create(pod('two', {}, SOON, { app: 'behind' }));
    await running(context, 'two');
    await becomes(context, 'matching', [
      ['one', 8080],
      ['two', 8080],
    ]);
    await context.pods.delete('one');
    await becomes(context, 'matching', [['two', 8080]]);
    await context.pods.patch('two', { metadata: { labels: { app: 'elsewhere' } } });
    await becomes(context, 'matching', []);
    await context.services.delete('matching');
    await context.until('the Endpoints to go', async () => !(await endpointsOf(context).find('matching')));
  });
});

area('sig-network', 'Service endpoints latency', (spec) => {
  const SERVICES = 200;
  const AT_ONCE = 15;
  spec(
    'should not be very high',
    async (context) => {
      await context.pods.create(pod('target', {}, SOON, { name: 'target' }));
      await running(context, 'target');
      const seen = new Map<string, number>();
      const { resourceVersion } = (await endpointsOf(context).list()).metadata;
      const watch = context.watch(endpointsOf(context), { resourceVersion });
      const made = new Map<string, number>();
      const follow = (async () => {
        while (seen.size < SERVICES) {
          const { object } = await watch.next(({ object: { subsets = [] } }) => subsets.length > 0, 100_000);
          const name = object.metadata.name ?? '';
          if (!seen.has(name)) seen.set(name, performance.now());
        }
      })();
      let next = 0;
      const worker = async () => {
        while (next < SERVICES) {
          const name = `latency-${next++}`;
          made.set(name, performance.now());
          await serve(context, name, { name: 'target' }, 80);
          await context.until(`endpoints of ${name}`, async () => seen.has(name), 100_000);
        }
      };
      await Promise.all([follow, ...Array.from({ length: AT_ONCE }, worker)]);
      const latencies = [...seen].map(([name, at]) => at - (made.get(name) ?? 0)).sort((a, b) => a - b);
      const at = (percent: number) => latencies[Math.floor((latencies.length * percent) / 100)] ?? 0;
      expect(latencies).toHaveLength(SERVICES);
      expect(at(50)).toBeLessThan(20_000);
      expect(at(90)).toBeLessThan(50_000);
      expect(at(99)).toBeLessThan(50_000);
    },
    { timeoutMs: 180_000 },
  );
});
