import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { services } from '../../../api/resources.gen.ts';
import type { Service, ServiceSpec } from '../../../api/types.gen.ts';
import type { Client } from '../../../client/port.ts';
import type { ApiServer } from '../../api-server.ts';
import { startTestServer } from '../../test-server.fake.ts';
import { createAllocators, rebuildAllocators } from './service-allocators.ts';

const options = { serviceCidr: '10.43.0.0/24', nodePorts: { first: 30000, last: 30063 }, random: () => 0 };

describe('allocators', () => {
  it('leave the lower band to those who ask for it', () => {
    const allocators = createAllocators(options);
    expect(allocators.clusterIP(undefined)).toBe('10.43.0.17');
    expect(allocators.clusterIP('10.43.0.10')).toBe('10.43.0.10');
    expect(allocators.nodePort(undefined, 'TCP')).toBe(30016);
  });

  it('give out every value once, the lower band last', () => {
    const allocators = createAllocators(options);
    const ports = Array.from({ length: 64 }, () => allocators.nodePort(undefined, 'TCP'));
    expect(new Set(ports).size).toBe(64);
    expect(ports.slice(-16).every((port) => port < 30016)).toBe(true);
    expect(() => allocators.nodePort(undefined, 'TCP')).toThrow(
      'failed to allocate a nodePort: range is full',
    );
    allocators.releaseNodePort(30020, 'TCP');
    expect(allocators.nodePort(undefined, 'TCP')).toBe(30020);
    expect(allocators.nodePort(30020, 'UDP')).toBe(30020);
  });

  it('know after a restart what is taken, and say what does not fit', () => {
    const allocators = createAllocators(options);
    const service = (name: string, clusterIP: string): Service => ({
      metadata: { name, namespace: 'default' },
      spec: { clusterIP, ports: [{ port: 80, nodePort: 30001, protocol: 'TCP' }] },
    });
    expect(rebuildAllocators(allocators, [service('a', '10.43.0.20'), service('b', '10.99.0.1')])).toEqual([
      'service default/b: failed to allocate IP 10.99.0.1: the provided IP (10.99.0.1) is not in the valid range. The range of valid IPs is 10.43.0.0/24',
      'service default/b: provided port is already allocated',
    ]);
    expect(() => allocators.clusterIP('10.43.0.20')).toThrow(
      'failed to allocate IP 10.43.0.20: provided IP is already allocated',
    );
  });
});

describe('a service on the server', () => {
  let server: ApiServer;
  let client: Client;
  beforeAll(async () => {
    ({ server } = await startTestServer());
    client = server.client({ name: 'admin', groups: ['system:masters'] });
  });
  afterAll(() => server.close());
  let serial = 0;
  const create = (spec: ServiceSpec, dryRun = false): Promise<Service> =>
    client.create(
      services,
      {
        metadata: { name: `svc-${++serial}`, namespace: 'default' },
        spec: { ports: [{ port: 80 }], ...spec },
      },
      { dryRun },
    );
  const change = (object: Service, spec: Partial<ServiceSpec>): Promise<Service> =>
    client.update(services, { ...object, spec: { ...structuredClone(object.spec), ...spec } });

  it('gets an address and its defaults', async () => {
    const { spec } = await create({ selector: { app: 'a' } });
    expect(spec).toMatchObject({
      type: 'ClusterIP',
      clusterIP: expect.stringMatching(/^10\.43\./),
      clusterIPs: [spec?.clusterIP],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      internalTrafficPolicy: 'Cluster',
      sessionAffinity: 'None',
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    });
  });

  it('keeps address and node port through updates that leave them out', async () => {
    const made = await create({ type: 'NodePort' });
    const port = made.spec?.ports?.[0]?.nodePort;
    expect(port).toBeGreaterThanOrEqual(30000);
    const { clusterIP: _ip, clusterIPs: _ips, ...bare } = made.spec as ServiceSpec;
    const updated = await client.update(services, { ...made, spec: { ...bare, ports: [{ port: 80 }] } });
    expect(updated.spec?.clusterIP).toBe(made.spec?.clusterIP);
    expect(updated.spec?.ports?.[0]?.nodePort).toBe(port);
  });

  it('gives back what a change of type or its end leaves over', async () => {
    const made = await create({
      type: 'NodePort',
      clusterIP: '10.43.1.1',
      ports: [{ port: 80, nodePort: 30500 }],
    });
    const plain = await change(made, { type: 'ClusterIP' });
    expect(plain.spec?.ports?.[0]?.nodePort).toBeUndefined();
    await create({ type: 'NodePort', ports: [{ port: 80, nodePort: 30500 }] });
    await expect(create({ clusterIP: '10.43.1.1' })).rejects.toThrow(/provided IP is already allocated/);
    await client.delete(services, { name: made.metadata.name as string, namespace: 'default' });
    expect((await create({ clusterIP: '10.43.1.1' })).spec?.clusterIP).toBe('10.43.1.1');
  });

  it('takes nothing for a dry run or a refused update', async () => {
    await create({ clusterIP: '10.43.1.2' }, true);
    const made = await create({ clusterIP: '10.43.1.2' });
    await expect(
      change(made, {
        type: 'NodePort',
        ports: [
          { port: 80, nodePort: 30600 },
          { port: 80, nodePort: 30601, name: 'b' },
        ],
      }),
    ).rejects.toMatchObject({ code: 422 });
    await create({ type: 'NodePort', ports: [{ port: 80, nodePort: 30600 }] });
  });

  it('gives TCP and UDP of one port the same node port', async () => {
    const { spec } = await create({
      type: 'NodePort',
      ports: [
        { name: 'tcp', port: 53 },
        { name: 'udp', port: 53, protocol: 'UDP' },
      ],
    });
    expect(spec?.ports?.[0]?.nodePort).toBe(spec?.ports?.[1]?.nodePort);
  });

  it('may be headless or a name only', async () => {
    expect((await create({ clusterIP: 'None', selector: { app: 'a' } })).spec).toMatchObject({
      clusterIPs: ['None'],
    });
    const named = await create({ type: 'ExternalName', externalName: 'example.com', ports: [] });
    expect(named.spec?.clusterIP).toBeUndefined();
  });
});
