import { expect } from 'vitest';
import type { DownwardAPIVolumeFile, Node, Volume } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { mounted, outputOf, printed } from '../pod-output.ts';
import { pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

/** The same specs for a volume of its own and for a projected one. */
const KINDS = [
  {
    area: 'Downward API volume',
    volume: (items: DownwardAPIVolumeFile[], mode: object): Volume => ({
      name: 'podinfo',
      downwardAPI: { items, ...mode },
    }),
  },
  {
    area: 'Projected downwardAPI',
    volume: (items: DownwardAPIVolumeFile[], mode: object): Volume => ({
      name: 'podinfo',
      projected: { sources: [{ downwardAPI: { items } }], ...mode },
    }),
  },
] as const;

const AMOUNTS = {
  requests: { cpu: '250m', memory: '32Mi' },
  limits: { cpu: '1250m', memory: '64Mi' },
};
const MEBI = 1024 * 1024;

/** What the node says pods may use, rounded as the downward API does. */
async function allocatable({ cluster }: SpecContext): Promise<{ cpu: string; memory: string }> {
  const [node] = (await cluster.nodes.list()).items as Node[];
  const { cpu = '', memory = '' } = (node?.status?.allocatable ?? {}) as Record<string, string>;
  const cores = cpu.endsWith('m') ? Number(cpu.slice(0, -1)) / 1000 : Number(cpu);
  const scale = memory.endsWith('Ki') ? 1024 : memory.endsWith('Mi') ? MEBI : 1;
  return { cpu: String(Math.ceil(cores)), memory: String(Number.parseInt(memory, 10) * scale) };
}

for (const kind of KINDS) {
  area('sig-storage', kind.area, (spec) => {
    const read = async (
      context: SpecContext,
      item: Omit<DownwardAPIVolumeFile, 'path'>,
      { resources = {}, mode = {} }: { resources?: object; mode?: object } = {},
    ): Promise<string[]> => {
      const { container, spec: fields } = mounted(
        kind.volume([{ path: 'file', ...item }], mode),
        '/etc/podinfo',
      );
      const run = 'cat /etc/podinfo/file; echo; stat -L -c %A /etc/podinfo/file';
      const output = await outputOf(context, { run, container: { ...container, resources }, spec: fields });
      return output.split('\n');
    };
    const name = { fieldRef: { fieldPath: 'metadata.name' } };
    const amount = (resource: string, divisor: string) => ({
      resourceFieldRef: { containerName: 'main', resource, divisor },
    });

    spec('should provide podname only [NodeConformance]', async (context) => {
      expect((await read(context, name))[0]).toBe('script');
    });
    spec('should set DefaultMode on files [LinuxOnly] [NodeConformance]', async (context) => {
      expect((await read(context, name, { mode: { defaultMode: 0o400 } }))[1]).toBe('-r--------');
    });
    spec('should set mode on item file [LinuxOnly] [NodeConformance]', async (context) => {
      expect((await read(context, { ...name, mode: 0o400 }))[1]).toBe('-r--------');
    });
    for (const [text, resource, divisor, expected] of [
      ["container's cpu limit", 'limits.cpu', '1', '2'],
      ["container's memory limit", 'limits.memory', '1Mi', '64'],
      ["container's cpu request", 'requests.cpu', '1m', '250'],
      ["container's memory request", 'requests.memory', '1Mi', '32'],
    ] as const) {
      spec(`should provide ${text} [NodeConformance]`, async (context) => {
        expect((await read(context, amount(resource, divisor), { resources: AMOUNTS }))[0]).toBe(expected);
      });
    }
    for (const resource of ['cpu', 'memory'] as const) {
      spec(
        `should provide node allocatable (${resource}) as default ${resource} limit if the limit is not set [NodeConformance]`,
        async (context) => {
          const [value] = await read(context, amount(`limits.${resource}`, '1'));
          expect(value).toBe((await allocatable(context))[resource]);
        },
      );
    }
    for (const field of ['labels', 'annotations'] as const) {
      spec(
        `should update ${field} on modification [NodeConformance]`,
        async (context) => {
          const item = { path: field, fieldRef: { fieldPath: `metadata.${field}` } };
          const { container, spec: fields } = mounted(kind.volume([item], {}), '/etc/podinfo');
          const command = ['sh', '-c', `while true; do cat /etc/podinfo/${field}; echo; sleep 0.5; done`];
          const made = pod(
            'updated',
            { ...container, command },
            { ...fields, terminationGracePeriodSeconds: 0 },
          );
          await context.pods.create({
            ...made,
            metadata: { name: 'updated', [field]: { key1: 'value1', builder: 'bar' } },
          });
          await printed(context, 'updated', /^builder="bar"\nkey1="value1"/m);
          await context.pods.modify('updated', ({ metadata }) => {
            metadata[field] = { ...metadata[field], key3: 'value3', builder: 'foo' };
          });
          await printed(context, 'updated', /^builder="foo"\nkey1="value1"\nkey3="value3"/m);
        },
        { timeoutMs: 180_000 },
      );
    }
  });
}

area('sig-storage', 'Subpath', (spec) => {
  const file = 'test-file';
  const sources = {
    configmap: { configMap: { name: 'source' } },
    secret: { secret: { secretName: 'source' } },
    downward: { downwardAPI: { items: [{ path: file, fieldRef: { fieldPath: 'metadata.name' } }] } },
    projected: { projected: { sources: [{ configMap: { name: 'source' } }] } },
  } as const satisfies Record<string, Omit<Volume, 'name'>>;
  for (const [text, source, mountPath] of [
    ['secret pod', 'secret', '/probe/file'],
    ['configmap pod', 'configmap', '/probe/file'],
    ['configmap pod with mountPath of existing file', 'configmap', '/etc/resolv.conf'],
    ['downward pod', 'downward', '/probe/file'],
    ['projected pod', 'projected', '/probe/file'],
  ] as const) {
    spec(`Atomic writer volumes should support subpaths with ${text}`, async (context) => {
      await context.configMaps.create({ metadata: { name: 'source' }, data: { [file]: 'script' } });
      await context.secrets.create({
        metadata: { name: 'source' },
        data: { [file]: Buffer.from('script').toString('base64') },
      });
      const volumes: Volume[] = [{ name: 'source', ...sources[source] }];
      const volumeMounts = [{ name: 'source', mountPath, subPath: file }];
      const run = `for i in 1 2 3 4 5; do cat ${mountPath}; echo; sleep 0.2; done`;
      const output = await outputOf(context, { run, container: { volumeMounts }, spec: { volumes } });
      expect(output).toBe('script\n'.repeat(5));
    });
  }
});
