import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as resources from '../../api/resources.gen.ts';
import type { EndpointSlice, Pod, Service } from '../../api/types.gen.ts';
import { TestCluster } from '../framework/test-cluster.fake.ts';
import { endpointSliceController } from './controller.ts';
import { endpointsController } from './endpoints-controller.ts';
import { endpointSliceMirroringController } from './mirroring-controller.ts';
import { planSlices } from './plan-slices.ts';

const service = (spec: Service['spec'] = {}): Service => ({
  metadata: { name: 'web', namespace: 'default', labels: { team: 'a' } },
  spec: {
    clusterIP: '10.43.0.5',
    ipFamilies: ['IPv4'],
    selector: { app: 'web' },
    ports: [{ name: 'http', port: 80, targetPort: 'web', protocol: 'TCP' }],
    ...spec,
  },
});
const pod = (name: string, containerPort = 8080): Pod => ({
  metadata: { name, namespace: 'default', labels: { app: 'web' } },
  spec: {
    nodeName: 'board-1',
    containers: [{ name: 'main', image: 'web', ports: [{ name: 'web', containerPort }] }],
  },
});

describe('endpoint controllers', () => {
  let cluster: TestCluster;
  beforeEach(async () => {
    cluster = new TestCluster();
    await cluster.start(endpointSliceController, endpointsController, endpointSliceMirroringController);
  });
  afterEach(async () => {
    await cluster.stop();
    expect(cluster.warnings).toEqual([]);
  });

  const slices = () => cluster.list(resources.endpointSlices);
  const endpoints = () => cluster.client.get(resources.endpoints, { namespace: 'default', name: 'web' });
  const run = async (wanted: Pod, ip: string, ready = true) => {
    const created = await cluster.client.create(resources.pods, wanted);
    const status = {
      phase: 'Running',
      podIP: ip,
      podIPs: [{ ip }],
      conditions: ready ? [cluster.readyCondition()] : [],
    };
    await cluster.setPodStatus(created, status);
    await cluster.settle();
    return created;
  };

  it('follows pods as they become ready, terminate and go', async () => {
    await cluster.client.create(resources.nodes, {
      metadata: { name: 'board-1', labels: { 'topology.kubernetes.io/zone': 'shed' } },
    });
    await cluster.client.create(resources.services, service());
    await cluster.settle();
    expect((await slices())[0]).toMatchObject({ endpoints: [], addressType: 'IPv4' });
    const a = await run(pod('a'), '10.42.0.2');
    await run(pod('b'), '10.42.0.3', false);
    const [slice] = await slices();
    expect(slice?.metadata.labels).toEqual({
      team: 'a',
      'kubernetes.io/service-name': 'web',
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    });
    expect(slice?.metadata.name).toMatch(/^web-/);
    expect(slice?.ports).toEqual([{ name: 'http', protocol: 'TCP', port: 8080 }]);
    expect(
      slice?.endpoints?.map(({ addresses, conditions, zone }) => [addresses[0], conditions, zone]),
    ).toEqual([
      ['10.42.0.2', { ready: true, serving: true, terminating: false }, 'shed'],
      ['10.42.0.3', { ready: false, serving: false, terminating: false }, 'shed'],
    ]);
    expect((await endpoints()).subsets).toMatchObject([
      {
        addresses: [{ ip: '10.42.0.2', nodeName: 'board-1', targetRef: { kind: 'Pod', name: 'a' } }],
        notReadyAddresses: [{ ip: '10.42.0.3' }],
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      },
    ]);
    await cluster.client.delete(resources.pods, { namespace: 'default', name: 'a' });
    await cluster.settle();
    expect((await slices())[0]?.endpoints?.[0]?.conditions).toEqual({
      ready: false,
      serving: true,
      terminating: true,
    });
    await cluster.removePod(a);
    await cluster.settle();
    expect((await slices())[0]?.endpoints).toHaveLength(1);
    expect(await slices()).toHaveLength(1);
  });

  it('writes nothing for changes that do not concern endpoints', async () => {
    await cluster.client.create(resources.services, service());
    const created = await run(pod('a'), '10.42.0.2');
    const before = cluster.client.calls.length;
    await cluster.client.patch(
      resources.pods,
      { namespace: 'default', name: created.metadata.name ?? '' },
      { type: 'merge', body: { metadata: { annotations: { note: 'x' } } } },
    );
    await cluster.settle();
    expect(cluster.client.calls).toHaveLength(before + 1);
  });

  it('makes one slice for each number a named port has', async () => {
    await cluster.client.create(resources.services, service());
    await run(pod('a', 8080), '10.42.0.2');
    await run(pod('b', 9090), '10.42.0.3');
    const numbers = (await slices()).map(({ ports }: EndpointSlice) => ports?.[0]?.port);
    expect(numbers.toSorted()).toEqual([8080, 9090]);
  });

  it('publishes all addresses of a headless Service that asks for it, with host names', async () => {
    await cluster.client.create(
      resources.services,
      service({ clusterIP: 'None', publishNotReadyAddresses: true }),
    );
    const named = pod('a');
    Object.assign(named.spec ?? {}, { hostname: 'a-0', subdomain: 'web' });
    await run(named, '10.42.0.2', false);
    const [slice] = await slices();
    expect(slice?.metadata.labels).toHaveProperty(['service.kubernetes.io/headless'], '');
    expect(slice?.endpoints?.[0]).toMatchObject({
      hostname: 'a-0',
      conditions: { ready: true, serving: false },
    });
  });

  it('mirrors Endpoints that were written by hand', async () => {
    const { selector: _, ...spec } = service().spec ?? {};
    await cluster.client.create(resources.services, { ...service(), spec });
    await cluster.client.create(resources.endpoints, {
      metadata: { name: 'web', namespace: 'default' },
      subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 9 }] }],
    });
    await cluster.settle();
    expect(await slices()).toMatchObject([
      { endpoints: [{ addresses: ['192.0.2.1'], conditions: { ready: true } }], ports: [{ port: 9 }] },
    ]);
    await cluster.client.delete(resources.endpoints, { namespace: 'default', name: 'web' });
    await cluster.settle();
    expect(await slices()).toEqual([]);
  });
});

describe('planSlices', () => {
  const template = { metadata: { generateName: 'x-', labels: { a: 'b' } }, addressType: 'IPv4' as const };
  const endpoint = (n: number) => ({ addresses: [`ip${n}`], targetRef: { kind: 'Pod', uid: `u${n}` } });
  const numbers = fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { maxLength: 350 });

  it('holds exactly the endpoints wanted, none twice, no slice too full, from any state', () => {
    fc.assert(
      fc.property(numbers, numbers, (before, after) => {
        const first = planSlices(template, [{ ports: [], endpoints: before.map(endpoint) }], []);
        const existing = first.create.map((slice, i) => ({
          ...slice,
          metadata: { ...slice.metadata, name: `s${i}` },
        }));
        const plan = planSlices(template, [{ ports: [], endpoints: after.map(endpoint) }], existing);
        const gone = new Set(plan.delete);
        const updated = new Map(plan.update.map((slice) => [slice.metadata.name, slice]));
        const result = [
          ...existing
            .filter((slice) => !gone.has(slice))
            .map((slice) => updated.get(slice.metadata.name) ?? slice),
          ...plan.create,
        ];
        const found = result.flatMap(
          ({ endpoints }) => endpoints?.map(({ addresses }) => addresses[0]) ?? [],
        );
        expect(found.toSorted()).toEqual(after.map((n) => `ip${n}`).toSorted());
        expect(result.length).toBeGreaterThan(0);
        expect(Math.max(...result.map(({ endpoints }) => endpoints?.length ?? 0))).toBeLessThanOrEqual(100);
        const again = planSlices(template, [{ ports: [], endpoints: after.map(endpoint) }], result);
        expect([again.create, again.update, again.delete]).toEqual([[], [], []]);
      }),
      { numRuns: 30 },
    );
  });
});
