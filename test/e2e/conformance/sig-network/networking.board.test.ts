import { expect } from 'vitest';
import type { EndpointSlice } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { addressOf, client, createServer, nameServer, nodeAddress, programPod } from '../net-pods.ts';
import { running } from '../pod-output.ts';
import type { SpecContext } from '../spec-context.ts';

const LONG = { timeoutMs: 120_000 };

async function program(context: SpecContext, name: string, ...listeners: string[]): Promise<string> {
  await context.pods.create({ metadata: { name }, spec: programPod(['echo-server', ...listeners]) });
  await running(context, name);
  return await addressOf(context, name);
}

area('sig-network', 'Networking Granular Checks: Pods', (spec) => {
  for (const [kind, title, fields] of [
    ['intra-pod', '[NodeConformance]', {}],
    ['node-pod', '[LinuxOnly] [NodeConformance]', { hostNetwork: true }],
  ] as const)
    for (const protocol of ['http', 'udp'] as const)
      spec(
        `should function for ${kind} communication: ${protocol} ${title}`,
        async (context) => {
          // One on every node.
          const { items } = await context.cluster.nodes.list();
          const from = await client(context, 'test-container', fields);
          for (const { metadata } of items) {
            const name = `netserver-${metadata.name}`;
            const server = programPod(
              ['echo-server', 'http:8083', 'udp:8081'],
              {},
              { nodeName: metadata.name ?? '' },
            );
            await context.pods.create({ metadata: { name }, spec: server });
            await running(context, name);
            const at = await addressOf(context, name);
            const target = protocol === 'http' ? `http://${at}:8083/hostname` : `udp://${at}:8081`;
            await from.dials(target, name);
            expect(await from.dial(target, 5)).toEqual(Array.from({ length: 5 }, () => name));
          }
        },
        LONG,
      );
});

area('sig-network', 'EndpointSlice', (spec) => {
  /** A Service without a selector, and slices that somebody else has written for it. */
  const handMade = async (
    context: SpecContext,
    ports: readonly { name: string; port: number }[],
    slices: readonly { address: string; name: string; port: number; pod: string }[],
  ): Promise<string> => {
    const { spec: made } = await context.services.create({
      metadata: { name: 'hand-made' },
      spec: { ports: ports.map((one) => ({ ...one, protocol: 'TCP' })) },
    });
    const client = context.resource<EndpointSlice>('discovery.k8s.io/v1', 'endpointslices');
    for (const [index, { address, name, port, pod }] of slices.entries())
      await client.create({
        metadata: {
          name: `hand-made-${index}`,
          labels: {
            'kubernetes.io/service-name': 'hand-made',
            'endpointslice.kubernetes.io/managed-by': 'e2e-test.k8s.io',
          },
        },
        addressType: 'IPv4',
        ports: [{ name, port, protocol: 'TCP' }],
        endpoints: [
          {
            addresses: [address],
            conditions: { ready: true },
            targetRef: { kind: 'Pod', name: pod, namespace: context.namespace },
          },
        ],
      });
    return made?.clusterIP ?? '';
  };
  spec(
    'should support a Service with multiple endpoint IPs specified in multiple EndpointSlices',
    async (context) => {
      await createServer(context, 'pod1', nameServer(8090), {});
      await createServer(context, 'pod2', nameServer(9090), {});
      for (const name of ['pod1', 'pod2']) await running(context, name);
      const at = await handMade(
        context,
        [{ name: 'port80', port: 80 }],
        [
          { address: await addressOf(context, 'pod1'), name: 'port80', port: 8090, pod: 'pod1' },
          { address: await addressOf(context, 'pod2'), name: 'port80', port: 9090, pod: 'pod2' },
        ],
      );
      await (await client(context)).reaches(at, 80, ['pod1', 'pod2']);
    },
    LONG,
  );
  spec(
    'should support a Service with multiple ports specified in multiple EndpointSlices',
    async (context) => {
      const address = await program(context, 'pod1', 'http:8090', 'http:9090');
      const at = await handMade(
        context,
        [
          { name: 'port80', port: 80 },
          { name: 'port81', port: 81 },
        ],
        [
          { address, name: 'port80', port: 8090, pod: 'pod1' },
          { address, name: 'port81', port: 9090, pod: 'pod1' },
        ],
      );
      const from = await client(context);
      for (const port of [80, 81]) await from.dials(`http://${at}:${port}/hostname`, 'pod1');
      expect((await context.pods.get('pod1')).status?.containerStatuses?.[0]?.restartCount).toBe(0);
    },
    LONG,
  );
});

area('sig-network', 'HostPort', (spec) => {
  spec(
    'validates that there is no conflict between pods with same hostPort but different hostIP and protocol [LinuxOnly]',
    async (context) => {
      const hostPort = 54_323;
      const node = await nodeAddress(context);
      const wanted = [
        ['pod1', '127.0.0.1', 'TCP'],
        ['pod2', node, 'TCP'],
        ['pod3', node, 'UDP'],
      ] as const;
      for (const [name, hostIP, protocol] of wanted) {
        const ports = [{ containerPort: 8080, hostPort, hostIP, protocol }];
        const listener = protocol === 'TCP' ? 'http:8080' : 'udp:8080';
        await context.pods.create({
          metadata: { name },
          spec: programPod(['echo-server', listener], { ports }),
        });
      }
      for (const [name] of wanted) await running(context, name);
      const from = await client(context, 'e2e-host-exec', { hostNetwork: true });
      for (const [name, hostIP, protocol] of wanted) {
        const target = `${hostIP}:${hostPort}`;
        await from.dials(protocol === 'TCP' ? `http://${target}/hostname` : `udp://${target}`, name);
      }
    },
    LONG,
  );
});
