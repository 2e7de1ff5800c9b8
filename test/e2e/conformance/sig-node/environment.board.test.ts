import { expect } from 'vitest';
import type { Container, EnvVar } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { outputOf, running } from '../pod-output.ts';
import { pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const encoded = (data: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
  );

/** Lines of the environment of a container; a shell would drop names that it cannot use itself. */
async function environment(
  context: SpecContext,
  container: Partial<Container>,
  spec = {},
): Promise<string[]> {
  return (await outputOf(context, { run: '', container: { ...container, command: ['env'] }, spec })).split(
    '\n',
  );
}

for (const [name, field, prefixes] of [
  ['ConfigMap', 'configMapRef', ['p-', 'P_', '1.', '#-']],
  ['Secrets', 'secretRef', ['p-', 'P_', '1.', '#-']],
] as const) {
  const create = async (context: SpecContext, data: Record<string, string>): Promise<unknown> =>
    name === 'ConfigMap'
      ? await context.configMaps.create({ metadata: { name: 'source' }, data })
      : await context.secrets.create({ metadata: { name: 'source' }, data: encoded(data) });
  area('sig-node', name, (spec) => {
    const single =
      name === 'ConfigMap'
        ? 'should be consumable via environment variable [NodeConformance]'
        : 'should be consumable from pods in env vars [NodeConformance]';
    spec(single, async (context) => {
      await create(context, { 'data-1': 'value-1' });
      const ref = { name: 'source', key: 'data-1' };
      const valueFrom = name === 'ConfigMap' ? { configMapKeyRef: ref } : { secretKeyRef: ref };
      expect(await environment(context, { env: [{ name: 'DATA_1', valueFrom }] })).toContain(
        'DATA_1=value-1',
      );
    });
    spec('should be consumable via the environment [NodeConformance]', async (context) => {
      await create(context, { data_1: 'value-1', data_2: 'value-2' });
      const envFrom = [{ [field]: { name: 'source' } }, { prefix: 'p_', [field]: { name: 'source' } }];
      const lines = await environment(context, { envFrom });
      for (const line of ['data_1=value-1', 'data_2=value-2', 'p_data_1=value-1', 'p_data_2=value-2'])
        expect(lines).toContain(line);
    });
    const various =
      name === 'ConfigMap'
        ? 'should be consumable as environment variable names with various prefixes'
        : 'should be consumable as environment variable names variable names with various prefixes';
    spec(various, async (context) => {
      await create(context, { 'data-1': 'value-1', 'data-2': 'value-2' });
      const envFrom = prefixes.map((prefix) => ({ prefix, [field]: { name: 'source' } }));
      const lines = await environment(context, { envFrom });
      for (const prefix of prefixes)
        for (const index of [1, 2]) expect(lines).toContain(`${prefix}data-${index}=value-${index}`);
    });
  });
}

const AMOUNTS = { requests: { cpu: '250m', memory: '32Mi' }, limits: { cpu: '1250m', memory: '64Mi' } };
const fieldOf = (name: string, fieldPath: string): EnvVar => ({
  name,
  valueFrom: { fieldRef: { fieldPath } },
});
const amountOf = (name: string, resource: string): EnvVar => ({
  name,
  valueFrom: { resourceFieldRef: { resource } },
});

area('sig-node', 'Downward API', (spec) => {
  spec('should provide pod name, namespace and IP address as env vars [NodeConformance]', async (context) => {
    const env = [
      fieldOf('NAME', 'metadata.name'),
      fieldOf('NAMESPACE', 'metadata.namespace'),
      fieldOf('IP', 'status.podIP'),
    ];
    const lines = await environment(context, { env });
    expect(lines).toContain('NAME=script');
    expect(lines).toContain(`NAMESPACE=${context.namespace}`);
    expect(lines).toContain(`IP=${(await context.pods.get('script')).status?.podIP}`);
    expect(lines.join('\n')).toMatch(/^IP=\d+\.\d+\.\d+\.\d+$/m);
  });
  for (const [text, name, path] of [
    ['host IP as an env var', 'HOST_IP', 'status.hostIP'],
    ['hostIPs as an env var', 'HOST_IPS', 'status.hostIPs'],
  ] as const) {
    spec(`should provide ${text} [NodeConformance]`, async (context) => {
      const lines = await environment(context, { env: [fieldOf(name, path)] });
      const { status } = await context.pods.get('script');
      const expected =
        path === 'status.hostIP' ? status?.hostIP : status?.hostIPs?.map(({ ip }) => ip).join(',');
      expect(expected).toMatch(/^\d+\.\d+\.\d+\.\d+/);
      expect(lines).toContain(`${name}=${expected}`);
    });
  }
  spec('should provide pod UID as env vars [NodeConformance]', async (context) => {
    const lines = await environment(context, { env: [fieldOf('POD_UID', 'metadata.uid')] });
    expect(lines).toContain(`POD_UID=${(await context.pods.get('script')).metadata.uid}`);
  });
  const env = [
    amountOf('CPU_LIMIT', 'limits.cpu'),
    amountOf('MEMORY_LIMIT', 'limits.memory'),
    amountOf('CPU_REQUEST', 'requests.cpu'),
    amountOf('MEMORY_REQUEST', 'requests.memory'),
  ];
  spec(
    "should provide container's limits.cpu/memory and requests.cpu/memory as env vars [NodeConformance]",
    async (context) => {
      const lines = await environment(context, { env, resources: AMOUNTS });
      for (const line of ['CPU_LIMIT=2', 'MEMORY_LIMIT=67108864', 'CPU_REQUEST=1', 'MEMORY_REQUEST=33554432'])
        expect(lines).toContain(line);
    },
  );
  spec(
    'should provide default limits.cpu/memory from node allocatable [NodeConformance]',
    async (context) => {
      const lines = (await environment(context, { env: env.slice(0, 2) })).join('\n');
      const [node] = (await context.cluster.nodes.list()).items;
      const { cpu = '' } = (node?.status?.allocatable ?? {}) as Record<string, string>;
      const cores = Math.ceil(cpu.endsWith('m') ? Number(cpu.slice(0, -1)) / 1000 : Number(cpu));
      expect(lines).toMatch(new RegExp(`^CPU_LIMIT=${cores}$`, 'm'));
      expect(lines).toMatch(/^MEMORY_LIMIT=[1-9]\d{8,}$/m);
    },
  );
});

area('sig-node', 'Variable Expansion', (spec) => {
  spec('should allow composing env vars into new env vars [NodeConformance]', async (context) => {
    const env = [
      { name: 'FOO', value: 'foo-value' },
      { name: 'BAR', value: 'bar-value' },
      { name: 'FOOBAR', value: '$(FOO);;$(BAR)' },
    ];
    const lines = await environment(context, { env });
    for (const line of ['FOO=foo-value', 'BAR=bar-value', 'FOOBAR=foo-value;;bar-value'])
      expect(lines).toContain(line);
  });
  const env = [{ name: 'TEST_VAR', value: 'test-value' }];
  const script = 'TEST_VAR=wrong echo "$(TEST_VAR)"';
  spec("should allow substituting values in a container's command [NodeConformance]", async (context) => {
    expect(await outputOf(context, { run: script, container: { env } })).toBe('test-value\n');
  });
  spec("should allow substituting values in a container's args [NodeConformance]", async (context) => {
    const container = { env, command: ['sh', '-c'], args: [script] };
    expect(await outputOf(context, { run: '', container })).toBe('test-value\n');
  });
  const volumes = [{ name: 'work', emptyDir: {} }];
  const subpath = (value: string): Partial<Container> => ({
    env: [{ name: 'POD_NAME', value }],
    volumeMounts: [
      { name: 'work', mountPath: '/logs', subPathExpr: '$(POD_NAME)' },
      { name: 'work', mountPath: '/all' },
    ],
  });
  spec('should allow substituting values in a volume subpath', async (context) => {
    const run = 'test -d /all/foo && touch /logs/here && ls /all/foo';
    expect(await outputOf(context, { run, container: subpath('foo'), spec: { volumes } })).toBe('here\n');
  });
  for (const [text, value] of [
    ['backticks', '..'],
    ['absolute path', '/tmp'],
  ] as const) {
    spec(`should fail substituting values in a volume subpath with ${text}`, async (context) => {
      await context.pods.create(
        pod('failing', subpath(value), { volumes, terminationGracePeriodSeconds: 0 }),
      );
      await context.until('the container to be refused', async () => {
        const [status] = (await context.pods.get('failing')).status?.containerStatuses ?? [];
        return status?.state?.waiting?.reason === 'CreateContainerConfigError';
      });
      await context.throughout(
        'it never runs',
        2_000,
        async () => (await context.pods.get('failing')).status?.phase === 'Pending',
      );
    });
  }
  spec('should succeed in writing subpaths in container', async (context) => {
    const container = subpath('mypath');
    const made = pod('writing', container, { volumes, terminationGracePeriodSeconds: 0 });
    await context.pods.create({
      ...made,
      metadata: { name: 'writing', annotations: { mysubpath: 'mypath' } },
    });
    await running(context, 'writing');
    await context.ok(['exec', 'writing', '--', 'touch', '/logs/test.log']);
    await context.ok(['exec', 'writing', '--', 'test', '-f', '/all/mypath/test.log']);
    await context.pods.patch('writing', { metadata: { annotations: { mysubpath: 'mynewpath' } } });
    await context.ok(['exec', 'writing', '--', 'test', '-f', '/all/mypath/test.log']);
  });
});
