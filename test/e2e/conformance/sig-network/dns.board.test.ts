import { expect } from 'vitest';
import { area } from '../area.ts';
import { addressOf, type Client, client } from '../net-pods.ts';
import { running } from '../pod-output.ts';
import { pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const LONG = { timeoutMs: 120_000 };
const SOON = { terminationGracePeriodSeconds: 0 };
const DOMAIN = 'cluster.local';
const PORTS = [{ name: 'http', port: 80, protocol: 'TCP' }];
const LABELS = { 'dns-test': 'true' };

/** By UDP and by TCP. */
async function resolves(from: Client, type: string, names: readonly string[], answers: readonly string[]) {
  for (const name of names)
    for (const transport of ['udp', 'tcp'] as const) await from.resolves(transport, type, name, answers);
}

/** A headless Service and one with an address before the same pod; the pod's address and the Service's. */
async function services(context: SpecContext): Promise<{ podIP: string; clusterIP: string }> {
  await context.pods.create(pod('web', {}, SOON, LABELS));
  await running(context, 'web');
  await context.services.create({
    metadata: { name: 'dns-test-service' },
    spec: { clusterIP: 'None', selector: LABELS, ports: PORTS },
  });
  const made = await context.services.create({
    metadata: { name: 'test-service-2' },
    spec: { selector: LABELS, ports: PORTS },
  });
  return { podIP: await addressOf(context, 'web'), clusterIP: made.spec?.clusterIP ?? '' };
}

area('sig-network', 'DNS', (spec) => {
  spec('should provide DNS for the cluster', async (context) => {
    const kubernetes = await context.cluster.resource('v1', 'services', 'default').get('kubernetes');
    const { clusterIP } = (kubernetes as unknown as { spec: { clusterIP: string } }).spec;
    const from = await client(context);
    await resolves(from, 'A', [`kubernetes.default.svc.${DOMAIN}`, 'kubernetes.default'], [clusterIP]);
  });

  spec(
    'should provide DNS for services',
    async (context) => {
      const { namespace } = context;
      const { podIP, clusterIP } = await services(context);
      const from = await client(context);
      const full = (name: string) => `${name}.${namespace}.svc.${DOMAIN}`;
      await resolves(from, 'A', [full('dns-test-service')], [podIP]);
      await resolves(from, 'A', [full('test-service-2')], [clusterIP]);
      const target = full('test-service-2');
      await resolves(from, 'SRV', [`_http._tcp.${target}`], [`80 ${target}`]);
      const headless = await from.resolve('udp', 'SRV', `_http._tcp.${full('dns-test-service')}`);
      expect(headless).toHaveLength(1);
      expect(headless[0]).toMatch(
        new RegExp(`^80 [^ .]+\\.${full('dns-test-service').replaceAll('.', '\\.')}$`),
      );
      await resolves(from, 'A', [headless[0]?.slice(3) ?? ''], [podIP]);
      const reverse = `${clusterIP.split('.').reverse().join('.')}.in-addr.arpa.`;
      await resolves(from, 'PTR', [reverse], [target]);
    },
    LONG,
  );

  spec(
    'should resolve DNS of partial qualified names for services [LinuxOnly]',
    async (context) => {
      const { namespace } = context;
      const { podIP, clusterIP } = await services(context);
      const from = await client(context);
      const forms = (name: string) => [name, `${name}.${namespace}`, `${name}.${namespace}.svc`];
      await resolves(from, 'A', forms('dns-test-service'), [podIP]);
      await resolves(from, 'A', forms('test-service-2'), [clusterIP]);
      const target = `test-service-2.${namespace}.svc.${DOMAIN}`;
      const srv = ['', '.svc'].map((end) => `_http._tcp.test-service-2.${namespace}${end}`);
      await resolves(from, 'SRV', srv, [`80 ${target}`]);
    },
    LONG,
  );

  /** A pod with a name under a headless Service, and a client that is that pod. */
  const named = async (context: SpecContext, hostname: string, subdomain: string): Promise<Client> => {
    await context.services.create({
      metadata: { name: subdomain },
      spec: { clusterIP: 'None', selector: LABELS, ports: PORTS },
    });
    const from = await client(context, hostname, { hostname, subdomain });
    await context.pods.patch(hostname, { metadata: { labels: LABELS } });
    return from;
  };
  spec('should provide /etc/hosts entries for the cluster', async (context) => {
    const from = await named(context, 'dns-querier-1', 'dns-test-service');
    const ip = await addressOf(context, 'dns-querier-1');
    const full = `dns-querier-1.dns-test-service.${context.namespace}.svc.${DOMAIN}`;
    const { stdout } = await from.run('cat', '/etc/hosts');
    expect(stdout).toMatch(new RegExp(`^${ip}\\s+${full}\\s+dns-querier-1$`, 'm'));
    for (const name of [full, 'dns-querier-1']) await from.resolves('libc', 'A', name, [ip]);
  });
  spec('should provide DNS for pods for Hostname', async (context) => {
    const from = await named(context, 'dns-querier-2', 'dns-test-service-2');
    const ip = await addressOf(context, 'dns-querier-2');
    const short = 'dns-querier-2.dns-test-service-2';
    const { stdout } = await from.run('hostname', '-f');
    expect(stdout.trim()).toBe(`${short}.${context.namespace}.svc.${DOMAIN}`);
    await resolves(from, 'A', [`${short}.${context.namespace}.svc.${DOMAIN}`, short], [ip]);
  });
  spec('should provide DNS for pods for Subdomain', async (context) => {
    const from = await named(context, 'dns-querier-3', 'dns-test-service-3');
    const ip = await addressOf(context, 'dns-querier-3');
    const end = `dns-test-service-3.${context.namespace}.svc.${DOMAIN}`;
    await resolves(from, 'A', [`dns-querier-3.${end}`, end, 'dns-test-service-3'], [ip]);
  });

  spec(
    'should provide DNS for ExternalName services',
    async (context) => {
      const from = await client(context);
      const name = `dns-test-external.${context.namespace}.svc.${DOMAIN}`;
      await context.services.create({
        metadata: { name: 'dns-test-external' },
        spec: { type: 'ExternalName', externalName: 'foo.example.com' },
      });
      await from.resolves('udp', 'CNAME', name, ['foo.example.com']);
      await context.services.modify('dns-test-external', ({ spec: fields }) => {
        fields!.externalName = 'bar.example.com';
      });
      await from.resolves('udp', 'CNAME', name, ['bar.example.com']);
      const changed = await context.services.modify('dns-test-external', ({ spec: fields }) => {
        fields!.type = 'ClusterIP';
        fields!.ports = PORTS;
        delete fields!.externalName;
      });
      await from.resolves('udp', 'A', name, [changed.spec?.clusterIP ?? '']);
    },
    LONG,
  );

  spec('should support configurable pod DNS nameservers', async (context) => {
    const dnsConfig = { nameservers: ['1.1.1.1'], searches: ['resolv.conf.local'] };
    await context.pods.create(pod('configured', {}, { ...SOON, dnsPolicy: 'None', dnsConfig }));
    await running(context, 'configured');
    const text = await context.ok(['exec', 'configured', '--', 'cat', '/etc/resolv.conf']);
    expect(text.match(/^search .*$/gm)).toEqual(['search resolv.conf.local']);
    expect(text.match(/^nameserver .*$/gm)).toEqual(['nameserver 1.1.1.1']);
  });
});
