import { describe, expect, it } from 'vitest';
import type { Endpoint, EndpointSlice, Service, ServiceSpec } from '../../api/types.gen.ts';
import { planServices } from './plan.ts';
import { staleFlows } from './stale-flows.ts';

const service = (spec: ServiceSpec, status?: Service['status']): Service => ({
  metadata: { namespace: 'default', name: 'web' },
  spec: {
    clusterIP: '10.43.0.5',
    type: 'ClusterIP',
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
    ...spec,
  },
  ...(status ? { status } : {}),
});

const slice = (endpoints: readonly Endpoint[], extra: Partial<EndpointSlice> = {}): EndpointSlice => ({
  metadata: { namespace: 'default', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints: [...endpoints],
  ...extra,
});

const plan = (
  services: readonly Service[],
  endpointSlices: readonly EndpointSlice[],
  localIPs: string[] = [],
) => planServices({ services, endpointSlices, nodeName: 'here', localIPs }).ports;

const here: Endpoint = { addresses: ['10.42.0.2'], nodeName: 'here', conditions: { ready: true } };
const there: Endpoint = { addresses: ['10.42.1.2'], nodeName: 'there', conditions: { ready: true } };

describe('planServices', () => {
  it('leads a cluster IP to the ready endpoints, in a fixed order', () => {
    const [rule] = plan(
      [service({})],
      [slice([there, here, { addresses: ['10.42.0.9'], conditions: { ready: false } }])],
    );
    expect(rule).toMatchObject({ service: 'default/web', protocol: 'tcp', port: 80, clusterIP: '10.43.0.5' });
    expect(rule?.internal).toEqual({
      backends: [
        { ip: '10.42.0.2', port: 8080 },
        { ip: '10.42.1.2', port: 8080 },
      ],
      localOnly: false,
    });
  });

  it('leaves out headless Services, ExternalName and addresses the node answers itself', () => {
    expect(plan([service({ clusterIP: 'None' })], [slice([here])])).toEqual([]);
    expect(plan([service({ type: 'ExternalName', clusterIP: '' })], [])).toEqual([]);
    expect(plan([service({})], [slice([here])], ['10.43.0.5'])).toEqual([]);
  });

  it('uses endpoints that terminate but still serve when none is ready', () => {
    const leaving: Endpoint = {
      addresses: ['10.42.0.7'],
      conditions: { ready: false, serving: true, terminating: true },
    };
    expect(plan([service({})], [slice([leaving])])[0]?.cluster).toEqual([{ ip: '10.42.0.7', port: 8080 }]);
    expect(plan([service({})], [slice([leaving, here])])[0]?.cluster).toEqual([
      { ip: '10.42.0.2', port: 8080 },
    ]);
  });

  it('keeps to this node where the policies say Local', () => {
    const spec = { internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local', type: 'NodePort' };
    const [rule] = plan([service(spec)], [slice([here, there])]);
    const local = { backends: [{ ip: '10.42.0.2', port: 8080 }], localOnly: true };
    expect(rule).toMatchObject({ internal: local, external: local });
    expect(rule?.cluster).toHaveLength(2);
  });

  it('takes ports by name and protocol, and one address once', () => {
    const udp = service({ ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] });
    expect(plan([udp], [slice([here])])[0]?.cluster).toEqual([]);
    expect(plan([service({})], [slice([here]), slice([here, there])])[0]?.cluster).toHaveLength(2);
  });

  it('knows external addresses, those of the load balancer and who may use them', () => {
    const spec = {
      type: 'LoadBalancer',
      externalIPs: ['192.0.2.9'],
      loadBalancerSourceRanges: ['198.51.100.0/24'],
    };
    const status = {
      loadBalancer: { ingress: [{ ip: '192.0.2.10' }, { ip: '192.0.2.11', ipMode: 'Proxy' }] },
    };
    expect(plan([service(spec, status)], [slice([here])])[0]).toMatchObject({
      externalIPs: ['192.0.2.9', '192.0.2.10'],
      loadBalancerIPs: ['192.0.2.10'],
      sourceRanges: ['198.51.100.0/24'],
    });
  });

  it('keeps the families of a dual-stack Service apart', () => {
    const dual = service({ clusterIPs: ['10.43.0.5', 'fd00::5'] });
    const v6 = slice([{ addresses: ['fd01::2'] }], { addressType: 'IPv6' });
    expect(plan([dual], [slice([here]), v6]).map(({ family, cluster }) => [family, cluster[0]?.ip])).toEqual([
      ['ipv4', '10.42.0.2'],
      ['ipv6', 'fd01::2'],
    ]);
  });

  it('turns ClientIP affinity into seconds, three hours by default', () => {
    expect(plan([service({ sessionAffinity: 'ClientIP' })], [slice([here])])[0]?.affinitySeconds).toBe(
      10_800,
    );
  });
});

describe('staleFlows', () => {
  const udp = service({ ports: [{ name: 'http', port: 53, protocol: 'UDP' }] });
  const udpSlice = (endpoints: readonly Endpoint[]) =>
    slice(endpoints, { ports: [{ name: 'http', port: 5353, protocol: 'UDP' }] });
  const rules = (endpoints: readonly Endpoint[]) => ({ ports: plan([udp], [udpSlice(endpoints)]) });
  const match = ['--family', 'ipv4', '--proto', 'udp', '--orig-dst', '10.43.0.5', '--orig-port-dst', '53'];

  it('ends flows to an endpoint that is gone', () => {
    expect(staleFlows(rules([here, there]), rules([here]))).toEqual([[...match, '--reply-src', '10.42.1.2']]);
  });

  it('ends flows that began before there was an endpoint', () => {
    expect(staleFlows(rules([]), rules([here]))).toEqual([match]);
  });

  it('leaves the others alone, and TCP always', () => {
    expect(staleFlows(rules([here]), rules([here, there]))).toEqual([]);
    const tcp = (endpoints: readonly Endpoint[]) => ({ ports: plan([service({})], [slice(endpoints)]) });
    expect(staleFlows(tcp([here]), tcp([]))).toEqual([]);
  });
});
