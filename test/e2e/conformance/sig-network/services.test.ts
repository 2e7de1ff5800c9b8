import { expect } from 'vitest';
import type { EndpointSlice, Endpoints, Service } from '../../../../src/api/types.gen.ts';
import { refusal } from '../api-client.ts';
import { checkApiOperations } from '../api-operations.ts';
import { area } from '../area.ts';
import type { SpecContext } from '../spec-context.ts';

const endpointsOf = (context: SpecContext, namespace = context.namespace) =>
  context.resource<Endpoints>('v1', 'endpoints', namespace);
const slicesOf = (context: SpecContext, namespace = context.namespace) =>
  context.resource<EndpointSlice>('discovery.k8s.io/v1', 'endpointslices', namespace);
const ofService = (name: string) => ({ labelSelector: `kubernetes.io/service-name=${name}` });

area('sig-network', 'Services', (spec) => {
  spec('should find a service from listing all namespaces', async ({ cluster }) => {
    const { items } = await cluster.resource<Service>('v1', 'services').list();
    expect(
      items.filter(({ metadata }) => metadata.name === 'kubernetes' && metadata.namespace === 'default'),
    ).toHaveLength(1);
  });

  spec('should complete a service status lifecycle', async (context) => {
    const { services } = context;
    const labelSelector = 'test-service-static=true';
    const watch = context.watch(services, { labelSelector });
    await services.create({
      metadata: { name: 'lived', labels: { 'test-service-static': 'true' } },
      spec: {
        type: 'LoadBalancer',
        loadBalancerClass: 'example.com/internal-vip',
        ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 80 }],
      },
    });
    expect((await watch.next()).type).toBe('ADDED');
    const all = await context.cluster.resource<Service>('v1', 'services').list({ labelSelector });
    expect(all.items.map(({ metadata }) => metadata.namespace)).toContain(context.namespace);
    const status = await services.get('lived', 'status');
    expect(status.status?.loadBalancer?.ingress).toBeUndefined();
    const ingress = [{ ip: '203.0.113.1' }];
    const patched = await services.patch(
      'lived',
      { metadata: { annotations: { patchedstatus: 'true' } }, status: { loadBalancer: { ingress } } },
      { subresource: 'status' },
    );
    expect(patched.status?.loadBalancer?.ingress).toEqual([{ ...ingress[0], ipMode: 'VIP' }]);
    await watch.next(
      ({ type, object }) => type === 'MODIFIED' && object.metadata.annotations?.['patchedstatus'] === 'true',
    );
    const condition = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'Set from e2e test' };
    // Go's clients write a time that is not set as null.
    const unset = { ...condition, lastTransitionTime: null as unknown as string };
    const updated = await services.modify(
      'lived',
      (service) => {
        service.status = { ...service.status, conditions: [...(service.status?.conditions ?? []), unset] };
      },
      'status',
    );
    expect(updated.status?.conditions).toMatchObject([condition]);
    expect(updated.status?.loadBalancer).toEqual(patched.status?.loadBalancer);
    await watch.next(({ object }) => object.status?.conditions?.[0]?.message === condition.message);
    const spec = { ports: [{ name: 'https', port: 443, targetPort: 443, protocol: 'TCP' }] };
    const labels = { 'test-service': 'patched' };
    const both = await services.patch('lived', { metadata: { labels }, spec }, { type: 'strategic' });
    expect(both.metadata.labels).toMatchObject(labels);
    expect(both.spec?.ports?.map(({ port }) => port)).toEqual([443, 80]);
    expect(both.status).toEqual(updated.status);
    await watch.next(({ object }) => object.metadata.labels?.['test-service'] === 'patched');
    await services.delete('lived');
    await watch.next(({ type }) => type === 'DELETED');
  });

  spec('should delete a collection of services', async (context) => {
    const { services } = context;
    const make = (name: string, labels: Record<string, string>) => ({
      metadata: { name, labels },
      spec: { type: 'ClusterIP', ports: [{ port: 80, targetPort: 80 }] },
    });
    for (const name of ['delete-1', 'delete-2'])
      await services.create(make(name, { 'e2e-test-service': 'delete' }));
    await services.create(make('stay', { 'e2e-test-service': 'stay' }));
    expect((await services.list()).items).toHaveLength(3);
    await services.deleteCollection({ labelSelector: 'e2e-test-service=delete' });
    expect((await services.list()).items.map(({ metadata }) => metadata.name)).toEqual(['stay']);
  });
});

area('sig-network', 'API Server', (spec) => {
  spec('should provide secure master service', async (context) => {
    const service = await context.resource<Service>('v1', 'services', 'default').get('kubernetes');
    expect(service.spec?.ports).toContainEqual(
      expect.objectContaining({ name: 'https', port: 443, protocol: 'TCP' }),
    );
    expect(service.metadata.labels).toMatchObject({ component: 'apiserver', provider: 'kubernetes' });
  });

  spec('should have Endpoints and EndpointSlices pointing to API Server', async (context) => {
    const endpoints = await endpointsOf(context, 'default').get('kubernetes');
    expect(endpoints.subsets).toHaveLength(1);
    const addresses = endpoints.subsets?.[0]?.addresses?.map(({ ip }) => ip).sort() ?? [];
    expect(addresses.length).toBeGreaterThan(0);
    const { items } = await slicesOf(context, 'default').list(ofService('kubernetes'));
    expect(items).not.toEqual([]);
    const sliced = items.flatMap((slice) => slice.endpoints?.flatMap((endpoint) => endpoint.addresses) ?? []);
    expect(sliced.sort()).toEqual(addresses);
    for (const slice of items) {
      expect(slice.ports).toEqual([
        { name: 'https', port: endpoints.subsets?.[0]?.ports?.[0]?.port, protocol: 'TCP' },
      ]);
      expect(slice.endpoints?.every(({ conditions }) => conditions?.ready)).toBe(true);
    }
  });
});

area('sig-network', 'EndpointSlice', (spec) => {
  spec(
    'should create and delete EndpointSlices for a Service with a selector that matches no pods',
    async (context) => {
      await context.services.create({
        metadata: { name: 'empty' },
        spec: {
          selector: { 'does-not-match-anything': 'endpoints-and-endpoint-slices-should-still-be-created' },
          ports: [{ name: 'example', port: 80, protocol: 'TCP' }],
        },
      });
      const [slice] = await context.until('a slice', async () => {
        const { items } = await slicesOf(context).list(ofService('empty'));
        return items.length > 0 && items;
      });
      expect(slice?.metadata.labels).toMatchObject({
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      });
      expect(slice?.endpoints ?? []).toEqual([]);
      expect((await slicesOf(context).list(ofService('empty'))).items).toHaveLength(1);
      await context.services.delete('empty');
      await context.until(
        'the slices to go',
        async () => (await slicesOf(context).list(ofService('empty'))).items.length === 0,
      );
    },
  );

  spec('should support creating EndpointSlice API operations', async (context) => {
    await checkApiOperations<EndpointSlice>(context, {
      groupVersion: 'discovery.k8s.io/v1',
      plural: 'endpointslices',
      kind: 'EndpointSlice',
      namespaced: true,
      make: () => ({ addressType: 'IPv4', endpoints: [{ addresses: ['1.2.3.4', '5.6.7.8'] }] }),
    });
  });
});

area('sig-network', 'EndpointsController', (spec) => {
  spec(
    'should create and delete Endpoints for a Service with a selector that matches no pods',
    async (context) => {
      await context.services.create({
        metadata: { name: 'empty' },
        spec: {
          selector: { 'does-not-match-anything': 'true' },
          ports: [{ name: 'example', port: 80, protocol: 'TCP' }],
        },
      });
      const endpoints = await context.until('Endpoints', () => endpointsOf(context).find('empty'));
      expect(endpoints.subsets ?? []).toEqual([]);
      await context.services.delete('empty');
      await context.until('the Endpoints to go', async () => !(await endpointsOf(context).find('empty')));
    },
  );
});

area('sig-network', 'EndpointSliceMirroring', (spec) => {
  spec('should mirror a custom Endpoints resource through create update and delete', async (context) => {
    const endpoints = endpointsOf(context);
    await context.services.create({
      metadata: { name: 'custom' },
      spec: { ports: [{ name: 'example', port: 80, protocol: 'TCP' }] },
    });
    await endpoints.create({
      metadata: { name: 'custom' },
      subsets: [{ ports: [{ port: 80 }], addresses: [{ ip: '10.1.2.3' }] }],
    });
    const mirrored = async (address: string, port: number) =>
      await context.until(`a slice of ${address}:${port}`, async () => {
        const { items } = await slicesOf(context).list(ofService('custom'));
        const [slice] = items;
        if (items.length !== 1 || slice?.endpoints?.length !== 1 || slice.ports?.length !== 1) return false;
        if (slice.endpoints[0]?.addresses[0] !== address || slice.ports[0]?.port !== port) return false;
        return slice;
      });
    const slice = await mirrored('10.1.2.3', 80);
    expect(slice.metadata.labels).toMatchObject({
      'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
    });
    await endpoints.modify('custom', (object) => {
      object.subsets = [{ ports: [{ port: 9090 }], addresses: [{ ip: '10.2.3.4' }] }];
    });
    await mirrored('10.2.3.4', 9090);
    await endpoints.delete('custom');
    await context.until(
      'the slices to go',
      async () => (await slicesOf(context).list(ofService('custom'))).items.length === 0,
    );
  });
});

area('sig-network', 'Endpoints', (spec) => {
  spec('should test the lifecycle of an Endpoint', async (context) => {
    const endpoints = endpointsOf(context);
    const labels = { 'test-endpoint-static': 'true' };
    const labelSelector = 'test-endpoint-static=true';
    const watch = context.watch(endpoints, { labelSelector });
    await endpoints.create({
      metadata: { name: 'testservice', labels },
      subsets: [{ addresses: [{ ip: '10.0.0.24' }], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] }],
    });
    expect((await watch.next()).type).toBe('ADDED');
    const everywhere = context.cluster.resource<Endpoints>('v1', 'endpoints');
    const { items } = await everywhere.list({ labelSelector });
    expect(items.map(({ metadata }) => metadata.name)).toContain('testservice');
    await endpoints.modify('testservice', ({ metadata }) => {
      metadata.labels = { ...metadata.labels, 'test-service': 'updated' };
    });
    await watch.next(
      ({ type, object }) => type === 'MODIFIED' && object.metadata.labels?.['test-service'] === 'updated',
    );
    expect((await endpoints.get('testservice')).metadata.labels?.['test-service']).toBe('updated');
    const patch = {
      metadata: { labels: { 'test-service': 'patched' } },
      subsets: [{ addresses: [{ ip: '10.0.0.25' }], ports: [{ name: 'http-test', port: 8080 }] }],
    };
    await endpoints.patch('testservice', patch, { type: 'strategic' });
    await watch.next(({ object }) => object.metadata.labels?.['test-service'] === 'patched');
    const patched = await endpoints.get('testservice');
    expect(patched.subsets).toEqual([
      { addresses: [{ ip: '10.0.0.25' }], ports: [{ name: 'http-test', port: 8080, protocol: 'TCP' }] },
    ]);
    await endpoints.deleteCollection({ labelSelector });
    await watch.next(({ type }) => type === 'DELETED');
    expect((await refusal(endpoints.get('testservice'))).code).toBe(404);
  });
});
