import { expect } from 'vitest';
import type { Endpoints, Service, ServiceSpec } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { type Client, client, createServer, nameServer, nodeAddress, programPod } from '../net-pods.ts';
import { running } from '../pod-output.ts';
import type { SpecContext } from '../spec-context.ts';

const LONG = { timeoutMs: 150_000 };
const LABELS = { name: 'server' };
const SERVER_PORT = 9376;
const PORT = { name: 'http', port: 80, targetPort: SERVER_PORT, protocol: 'TCP' };

async function servers(context: SpecContext, ...names: string[]): Promise<void> {
  for (const name of names) await createServer(context, name, nameServer(SERVER_PORT), LABELS);
  for (const name of names) await running(context, name);
}
const serve = async (context: SpecContext, name: string, spec: ServiceSpec): Promise<Service> =>
  await context.services.create({ metadata: { name }, spec });
const change = async (
  context: SpecContext,
  name: string,
  how: (spec: ServiceSpec) => void,
): Promise<ServiceSpec> =>
  (await context.services.modify(name, ({ spec }) => how(spec!))).spec ?? expect.fail('no spec');

/** Pod and port of every endpoint. */
async function becomes(context: SpecContext, name: string, expected: readonly string[]): Promise<void> {
  const endpoints = context.resource<Endpoints>('v1', 'endpoints');
  await context.until(`endpoints of ${name} to be ${expected.join(', ')}`, async () => {
    const { subsets = [] } = (await endpoints.find(name)) ?? {};
    const found = subsets.flatMap(({ addresses = [], ports = [] }) =>
      addresses.flatMap(({ targetRef }) => ports.map(({ port }) => `${targetRef?.name}:${port}`)),
    );
    return JSON.stringify(found.sort()) === JSON.stringify(expected.toSorted());
  });
}

area('sig-network', 'Services', (spec) => {
  spec(
    'should serve a basic endpoint from pods',
    async (context) => {
      const { spec: made } = await serve(context, 'endpoint-test2', { selector: LABELS, ports: [PORT] });
      const from = await client(context);
      await becomes(context, 'endpoint-test2', []);
      expect(await from.ask('endpoint-test2', 80)).toEqual([]);
      const at = made?.clusterIP ?? '';
      await servers(context, 'pod1');
      await becomes(context, 'endpoint-test2', [`pod1:${SERVER_PORT}`]);
      for (const host of ['endpoint-test2', at]) await from.reaches(host, 80, ['pod1']);
      await servers(context, 'pod2');
      await becomes(context, 'endpoint-test2', [`pod1:${SERVER_PORT}`, `pod2:${SERVER_PORT}`]);
      for (const host of ['endpoint-test2', at]) await from.reaches(host, 80, ['pod1', 'pod2']);
      await context.pods.delete('pod1');
      await becomes(context, 'endpoint-test2', [`pod2:${SERVER_PORT}`]);
      await from.reaches(at, 80, ['pod2']);
      await context.pods.delete('pod2');
      await becomes(context, 'endpoint-test2', []);
    },
    LONG,
  );

  spec(
    'should serve multiport endpoints from pods',
    async (context) => {
      const { spec: made } = await serve(context, 'multi-endpoint-test', {
        selector: LABELS,
        ports: [
          { name: 'portname1', port: 80, targetPort: 'svc1' },
          { name: 'portname2', port: 81, targetPort: 'svc2' },
        ],
      });
      const from = await client(context);
      const at = made?.clusterIP ?? '';
      const ports = (name: string, containerPort: number) => ({ ports: [{ name, containerPort }] });
      await becomes(context, 'multi-endpoint-test', []);
      await createServer(context, 'pod1', nameServer(100, ports('svc1', 100)), LABELS);
      await becomes(context, 'multi-endpoint-test', ['pod1:100']);
      await from.reaches(at, 80, ['pod1']);
      await createServer(context, 'pod2', nameServer(101, ports('svc2', 101)), LABELS);
      await becomes(context, 'multi-endpoint-test', ['pod1:100', 'pod2:101']);
      await from.reaches(at, 80, ['pod1']);
      await from.reaches(at, 81, ['pod2']);
      await context.pods.delete('pod1');
      await becomes(context, 'multi-endpoint-test', ['pod2:101']);
      await from.reaches(at, 81, ['pod2']);
      await context.pods.delete('pod2');
      await becomes(context, 'multi-endpoint-test', []);
    },
    LONG,
  );

  spec(
    'should be able to create a functioning NodePort service',
    async (context) => {
      await servers(context, 'pod1', 'pod2');
      const { spec: made } = await serve(context, 'node-port', {
        type: 'NodePort',
        selector: LABELS,
        ports: [PORT],
      });
      await isReachable(context, await client(context), 'node-port', made!);
    },
    LONG,
  );

  spec(
    'should serve endpoints on same port and different protocols',
    async (context) => {
      const both = ['TCP', 'UDP'].map((protocol) => ({ name: protocol.toLowerCase(), port: 80, protocol }));
      const { spec: made } = await serve(context, 'multiprotocol-test', { selector: LABELS, ports: both });
      const program = programPod(['echo-server', 'http:80', 'udp:80']);
      await context.pods.create({ metadata: { name: 'pod1', labels: LABELS }, spec: program });
      const from = await client(context);
      await becomes(context, 'multiprotocol-test', ['pod1:80', 'pod1:80']);
      const at = made?.clusterIP ?? '';
      await from.dials(`http://${at}/hostname`, 'pod1');
      await from.dials(`udp://${at}:80`, 'pod1');
      await change(context, 'multiprotocol-test', (fields) => {
        fields.ports = fields.ports?.filter(({ protocol }) => protocol === 'UDP') ?? [];
      });
      await becomes(context, 'multiprotocol-test', ['pod1:80']);
      await context.until('TCP to be refused', async () => (await from.dial(`http://${at}/`)).length === 0);
      await from.dials(`udp://${at}:80`, 'pod1');
    },
    LONG,
  );
});

/** By name, by the Service's address and by port of the node. */
async function isReachable(
  context: SpecContext,
  from: Client,
  name: string,
  { clusterIP = '', ports = [] }: ServiceSpec,
): Promise<void> {
  const pods = ['pod1', 'pod2'];
  for (const host of [name, clusterIP]) await from.reaches(host, 80, pods);
  const nodePort = ports[0]?.nodePort;
  if (nodePort !== undefined) await from.reaches(await nodeAddress(context), nodePort, pods);
}

area('sig-network', 'Services', (spec) => {
  for (const to of ['ClusterIP', 'NodePort']) {
    spec(
      `should be able to change the type from ExternalName to ${to}`,
      async (context) => {
        await servers(context, 'pod1', 'pod2');
        const before = await serve(context, 'changing', {
          type: 'ExternalName',
          externalName: 'foo.example.com',
        });
        expect(before.spec?.clusterIP ?? '').toBe('');
        const after = await change(context, 'changing', (fields) => {
          fields.type = to;
          delete fields.externalName;
          fields.selector = LABELS;
          fields.ports = [PORT];
        });
        expect(after.clusterIP).toMatch(/^10\.43\./);
        if (to === 'NodePort') expect(after.ports?.[0]?.nodePort).toBeGreaterThanOrEqual(30_000);
        await isReachable(context, await client(context), 'changing', after);
      },
      LONG,
    );
    spec(
      `should be able to change the type from ${to} to ExternalName`,
      async (context) => {
        await servers(context, 'pod1', 'pod2');
        const target = await serve(context, 'externalsvc', { selector: LABELS, ports: [PORT] });
        await serve(context, 'changing', { type: to, selector: LABELS, ports: [PORT] });
        const externalName = `externalsvc.${context.namespace}.svc.cluster.local`;
        const after = await change(context, 'changing', (fields) => {
          fields.type = 'ExternalName';
          fields.externalName = externalName;
          delete fields.clusterIP;
          delete fields.clusterIPs;
          for (const port of fields.ports ?? []) delete port.nodePort;
        });
        expect(after.clusterIP ?? '').toBe('');
        expect(after.ports?.[0]?.nodePort).toBeUndefined();
        const from = await client(context);
        const name = `changing.${context.namespace}.svc.cluster.local`;
        await from.resolves('libc', 'A', name, [target.spec?.clusterIP ?? '']);
        await from.resolves('udp', 'CNAME', name, [externalName]);
        await from.reaches('changing', 80, ['pod1', 'pod2']);
      },
      LONG,
    );
  }

  for (const [title, type] of [
    ['NodePort service', 'NodePort'],
    ['service with type clusterIP', 'ClusterIP'],
  ] as const) {
    const setup = async (context: SpecContext, sessionAffinity: string) => {
      await servers(context, 'pod1', 'pod2', 'pod3');
      const made = await serve(context, 'affinity', {
        type,
        sessionAffinity,
        selector: LABELS,
        ports: [PORT],
      });
      const from = await client(context);
      const [host, port] =
        type === 'NodePort'
          ? [await nodeAddress(context), made.spec?.ports?.[0]?.nodePort ?? 0]
          : [made.spec?.clusterIP ?? '', 80];
      const answers = async () => new Set(await from.ask(host, port, 15)).size;
      return {
        sticks: async () => await context.until('one pod to answer', async () => (await answers()) === 1),
        spreads: async () => await context.until('several to answer', async () => (await answers()) > 1),
      };
    };
    const set = async (context: SpecContext, sessionAffinity: string) =>
      await change(context, 'affinity', (fields) => {
        fields.sessionAffinity = sessionAffinity;
        if (sessionAffinity === 'None') delete fields.sessionAffinityConfig;
      });
    spec(
      `should have session affinity work for ${title} [LinuxOnly]`,
      async (context) => {
        const { sticks } = await setup(context, 'ClientIP');
        await sticks();
        await sticks();
      },
      LONG,
    );
    spec(
      `should be able to switch session affinity for ${title} [LinuxOnly]`,
      async (context) => {
        const { sticks, spreads } = await setup(context, 'None');
        await spreads();
        await set(context, 'ClientIP');
        await sticks();
        await set(context, 'None');
        await spreads();
      },
      LONG,
    );
  }
});
