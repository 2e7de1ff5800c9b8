import { describe, expect, it } from 'vitest';
import { settled } from '../../../test/fixtures/settled.ts';
import { endpointSlices, services } from '../../api/resources.gen.ts';
import type { EndpointSlice, Service, ServiceSpec } from '../../api/types.gen.ts';
import { FakeClient } from '../../client/fake-client.ts';
import { createInformerFactory } from '../../client/informer-factory.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { ServiceIndex } from './service-index.ts';
import { answerFromZone, reverseAddress } from './zone.ts';

const service = (name: string, spec: ServiceSpec): Service => ({
  metadata: { namespace: 'shop', name },
  spec,
});
const slice = (
  name: string,
  endpoints: EndpointSlice['endpoints'],
  extra: Partial<EndpointSlice> = {},
): EndpointSlice => ({
  metadata: { namespace: 'shop', name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  ...(endpoints ? { endpoints } : {}),
  ...extra,
});

async function createView() {
  const clock = new FakeClock();
  const client = new FakeClient(clock);
  const informers = createInformerFactory({ client, clock, log: silentLogger });
  const view = new ServiceIndex(informers);
  await client.create(
    services,
    service('web', {
      clusterIP: '10.43.0.7',
      clusterIPs: ['10.43.0.7', 'fd43::7'],
      ports: [
        { name: 'http', port: 80, protocol: 'TCP' },
        { name: 'udp', port: 81, protocol: 'UDP' },
      ],
    }),
  );
  await client.create(endpointSlices, slice('web', [{ addresses: ['10.42.0.2'] }]));
  await client.create(services, service('db', { clusterIP: 'None', ports: [{ name: 'http', port: 80 }] }));
  await client.create(
    endpointSlices,
    slice('db', [
      { addresses: ['10.42.0.3'], hostname: 'db-0' },
      { addresses: ['10.42.0.4'] },
      { addresses: ['10.42.0.5'], hostname: 'db-2', conditions: { ready: false } },
    ]),
  );
  await client.create(services, service('away', { type: 'ExternalName', externalName: 'Example.org.' }));
  await client.create(services, service('idle', { clusterIP: 'None' }));
  await informers.start();
  return { view, client, informers };
}

const DOMAIN = 'cluster.local';
const { view, client, informers } = await createView();
const ask = (name: string, type = 'A') => {
  const answer = answerFromZone(view, DOMAIN, name, type);
  return answer.kind === 'answer'
    ? answer.records.map(
        ({ type: found, data }) =>
          `${found} ${typeof data === 'string' ? data : `${data.port} ${data.target}`}`,
      )
    : answer.kind;
};

describe('the cluster zone', () => {
  it.each([
    ['web.shop.svc.cluster.local', 'A', ['A 10.43.0.7']],
    ['web.shop.svc.cluster.local', 'AAAA', ['AAAA fd43::7']],
    ['web.shop.svc.cluster.local', 'MX', []],
    [
      'web.shop.svc.cluster.local',
      'SRV',
      ['SRV 80 web.shop.svc.cluster.local', 'SRV 81 web.shop.svc.cluster.local'],
    ],
    ['_http._tcp.web.shop.svc.cluster.local', 'SRV', ['SRV 80 web.shop.svc.cluster.local']],
    ['_http._udp.web.shop.svc.cluster.local', 'SRV', 'nxdomain'],
    ['_http._tcp.web.shop.svc.cluster.local', 'A', []],
    ['pod.web.shop.svc.cluster.local', 'A', 'nxdomain'],
    ['db.shop.svc.cluster.local', 'A', ['A 10.42.0.3', 'A 10.42.0.4']],
    ['db.shop.svc.cluster.local', 'AAAA', []],
    ['db-0.db.shop.svc.cluster.local', 'A', ['A 10.42.0.3']],
    ['10-42-0-4.db.shop.svc.cluster.local', 'A', ['A 10.42.0.4']],
    ['db-2.db.shop.svc.cluster.local', 'A', 'nxdomain'],
    [
      '_http._tcp.db.shop.svc.cluster.local',
      'SRV',
      ['SRV 8080 db-0.db.shop.svc.cluster.local', 'SRV 8080 10-42-0-4.db.shop.svc.cluster.local'],
    ],
    ['idle.shop.svc.cluster.local', 'A', 'nxdomain'],
    ['away.shop.svc.cluster.local', 'A', ['CNAME example.org']],
    ['none.shop.svc.cluster.local', 'A', 'nxdomain'],
    ['shop.svc.cluster.local', 'A', []],
    ['none.svc.cluster.local', 'A', 'nxdomain'],
    ['svc.cluster.local', 'A', []],
    ['cluster.local', 'A', []],
    ['other.cluster.local', 'A', 'nxdomain'],
    ['example.com.shop.svc.cluster.local', 'A', 'nxdomain'],
    ['example.com.svc.cluster.local', 'A', 'nxdomain'],
    ['example.com.cluster.local', 'A', 'nxdomain'],
    ['10-42-0-9.shop.pod.cluster.local', 'A', ['A 10.42.0.9']],
    ['10-42-0-9.shop.pod.cluster.local', 'AAAA', []],
    ['10-42-0-999.shop.pod.cluster.local', 'A', 'nxdomain'],
    ['fd42--9.shop.pod.cluster.local', 'AAAA', ['AAAA fd42::9']],
    ['web.shop.pod.cluster.local', 'A', 'nxdomain'],
    ['dns-version.cluster.local', 'TXT', ['TXT 1.1.0']],
    ['7.0.43.10.in-addr.arpa', 'PTR', ['PTR web.shop.svc.cluster.local']],
    ['3.0.42.10.in-addr.arpa', 'PTR', ['PTR db-0.db.shop.svc.cluster.local']],
    ['1.0.0.127.in-addr.arpa', 'PTR', 'foreign'],
    ['example.com', 'A', 'foreign'],
    ['notcluster.local', 'A', 'foreign'],
  ])('%s %s', (name, type, expected) => {
    expect(ask(name, type)).toEqual(expected);
  });

  it('gives the addresses of the targets along with an SRV answer', () => {
    const answer = answerFromZone(view, DOMAIN, '_http._tcp.db.shop.svc.cluster.local', 'SRV');
    expect(answer.kind === 'answer' && answer.additional.map(({ name, data }) => `${name} ${data}`)).toEqual([
      'db-0.db.shop.svc.cluster.local 10.42.0.3',
      '10-42-0-4.db.shop.svc.cluster.local 10.42.0.4',
    ]);
  });

  it('reads reverse names of both families', () => {
    expect(reverseAddress('4.3.2.1.in-addr.arpa')).toBe('1.2.3.4');
    const nibbles = 'fd430000000000000000000000000007'.split('').toReversed().join('.');
    expect(reverseAddress(`${nibbles}.ip6.arpa`)).toBe('fd43::7');
    expect(ask(`${nibbles}.ip6.arpa`, 'PTR')).toEqual(['PTR web.shop.svc.cluster.local']);
  });

  it('follows changes', async () => {
    await client.delete(services, { namespace: 'shop', name: 'web' });
    await client.delete(endpointSlices, { namespace: 'shop', name: 'db-1' });
    await settled();
    expect(ask('web.shop.svc.cluster.local')).toBe('nxdomain');
    expect(ask('7.0.43.10.in-addr.arpa', 'PTR')).toBe('foreign');
    expect(ask('3.0.42.10.in-addr.arpa', 'PTR')).toBe('foreign');
    expect(ask('db.shop.svc.cluster.local')).toBe('nxdomain');
    await informers.stop();
  });
});
