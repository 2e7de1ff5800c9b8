import { expect } from 'vitest';
import type { ReplicationController } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { mounted, outputOf, running } from '../pod-output.ts';
import { idleContainer, pod, podTemplate } from '../pods.ts';

const PATH = '/test-volume';
const MODES = { '0644': '-rw-r--r--', '0666': '-rw-rw-rw-', '0777': '-rwxrwxrwx' } as const;
const MEDIA = { default: '', tmpfs: 'Memory' } as const;

const volumeOf = (medium: string) =>
  mounted({ name: 'test-volume', emptyDir: medium === '' ? {} : { medium } }, PATH);

area('sig-storage', 'EmptyDir volumes', (spec) => {
  for (const [medium, value] of Object.entries(MEDIA)) {
    const { container, spec: fields } = volumeOf(value);
    const type = value === '' ? '' : `stat -f -c %T ${PATH}; `;
    const expectType = (lines: string[]): void => {
      if (value !== '') expect(lines.shift()).toBe('tmpfs');
    };
    const where = value === '' ? 'default medium' : 'tmpfs';
    spec(`volume on ${where} should have the correct mode [LinuxOnly] [NodeConformance]`, async (context) => {
      const lines = (
        await outputOf(context, { run: `${type}stat -c %A ${PATH}`, container, spec: fields })
      ).split('\n');
      expectType(lines);
      expect(lines[0]).toBe('drwxrwxrwx');
    });
    for (const [user, security] of [
      ['root', {}],
      ['non-root', { securityContext: { runAsUser: 1001 } }],
    ] as const) {
      for (const [mode, shown] of Object.entries(MODES)) {
        spec(`should support (${user},${mode},${medium}) [LinuxOnly] [NodeConformance]`, async (context) => {
          const file = `${PATH}/test-file`;
          const run = `${type}umask 0; echo mount-tester new file > ${file}; chmod ${mode} ${file}; stat -c '%A %u' ${file}; cat ${file}`;
          const lines = (await outputOf(context, { run, container, spec: { ...fields, ...security } })).split(
            '\n',
          );
          expectType(lines);
          expect(lines.slice(0, 2)).toEqual([
            `${shown} ${user === 'root' ? 0 : 1001}`,
            'mount-tester new file',
          ]);
        });
      }
    }
  }

  spec('pod should support shared volumes between containers', async (context) => {
    const { container, spec: fields } = volumeOf('');
    const text = 'Hello from the other container';
    const share = pod('shared', container, fields);
    const writer = idleContainer({
      name: 'writer',
      ...container,
      command: ['sh', '-c', `echo ${text} > ${PATH}/data.txt; exec sleep 100000`],
    });
    share.spec?.containers.push(writer);
    share.spec!.terminationGracePeriodSeconds = 0;
    await context.pods.create(share);
    await running(context, 'shared');
    const read = async () =>
      (await context.kubectl(['exec', 'shared', '-c', 'main', '--', 'cat', `${PATH}/data.txt`])).stdout;
    expect(await context.until('the file', async () => (await read()) || undefined)).toBe(`${text}\n`);
  });
});

area('sig-storage', 'EmptyDir wrapper volumes', (spec) => {
  spec('should not conflict', async (context) => {
    await context.secrets.create({ metadata: { name: 'wrapped' }, data: { 'data-1': 'dmFsdWUtMQ==' } });
    await context.configMaps.create({ metadata: { name: 'wrapped' }, data: { 'data-1': 'value-2' } });
    const volumes = [
      { name: 'secret', secret: { secretName: 'wrapped' } },
      { name: 'map', configMap: { name: 'wrapped' } },
    ];
    const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/etc/${name}` }));
    const run = 'cat /etc/secret/data-1; echo; cat /etc/map/data-1';
    expect(await outputOf(context, { run, container: { volumeMounts }, spec: { volumes } })).toBe(
      'value-1\nvalue-2',
    );
  });
  spec(
    'should not cause race condition when used for configmaps [Serial]',
    async (context) => {
      const names = Array.from({ length: 50 }, (_, index) => `racey-${index}`);
      for (const name of names)
        await context.configMaps.create({ metadata: { name }, data: { 'data-1': 'value-1' } });
      const volumes = names.map((name) => ({
        name,
        configMap: { name, items: [{ key: 'data-1', path: 'data-1' }] },
      }));
      const volumeMounts = names.map((name) => ({ name, mountPath: `/etc/config/${name}` }));
      const controllers = context.resource<ReplicationController>('v1', 'replicationcontrollers');
      for (let round = 0; round < 3; round++) {
        const name = `wrapped-volume-race-${round}`;
        await controllers.create({
          metadata: { name },
          spec: {
            replicas: 5,
            selector: { name },
            template: podTemplate({ name }, { volumes }, [idleContainer({ volumeMounts })]),
          },
        });
        await context.until(
          'five pods to run',
          async () => {
            const { items } = await context.pods.list({ labelSelector: `name=${name}` });
            return items.filter(({ status }) => status?.phase === 'Running').length === 5;
          },
          100_000,
        );
        await controllers.delete(name, { propagationPolicy: 'Foreground' });
        await context.until('the controller to go', async () => !(await controllers.find(name)), 60_000);
      }
    },
    { timeoutMs: 300_000 },
  );
});
