import { once } from 'node:events';
import type { ClientRequestArgs } from 'node:http';
import { expect } from 'vitest';
import { WebSocket } from 'ws';
import { area } from '../area.ts';
import { running } from '../pod-output.ts';
import { idleContainer, pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const SOON = { terminationGracePeriodSeconds: 0 };

area('sig-node', 'KubeletManagedEtcHosts', (spec) => {
  const MANAGED = '# Kubernetes-managed hosts file.';
  const read = async (context: SpecContext, name: string, container: string, file: string) =>
    await context.ok(['exec', name, '-c', container, '--', 'cat', file]);
  spec(
    'should test kubelet managed /etc/hosts file [NodeConformance]',
    async (context) => {
      const volumes = [{ name: 'host-etc-hosts', hostPath: { path: '/etc/hosts', type: 'File' } }];
      const original = { name: 'host-etc-hosts', mountPath: '/etc/hosts-original' };
      const own = { name: 'host-etc-hosts', mountPath: '/etc/hosts' };
      const container = (name: string, ...more: (typeof own)[]) =>
        idleContainer({ name, volumeMounts: [original, ...more] });
      await context.pods.create({
        metadata: { name: 'own-network' },
        spec: {
          ...SOON,
          volumes,
          containers: [container('busybox-1'), container('busybox-2'), container('busybox-3', own)],
        },
      });
      await context.pods.create({
        metadata: { name: 'host-network' },
        spec: {
          ...SOON,
          volumes,
          hostNetwork: true,
          containers: [container('busybox-1'), container('busybox-2')],
        },
      });
      for (const name of ['own-network', 'host-network']) await running(context, name);
      const hosts = async (name: string, of: string) => await read(context, name, of, '/etc/hosts');
      const before = await read(context, 'own-network', 'busybox-1', '/etc/hosts-original');
      for (const one of ['busybox-1', 'busybox-2']) {
        expect((await hosts('own-network', one)).startsWith(MANAGED)).toBe(true);
        expect((await hosts('host-network', one)).startsWith(MANAGED)).toBe(false);
      }
      expect(await hosts('own-network', 'busybox-3')).toBe(before);
      expect(await read(context, 'host-network', 'busybox-1', '/etc/hosts-original')).toBe(before);
    },
    { timeoutMs: 90_000 },
  );
});

area('sig-node', 'Pods', (spec) => {
  spec(
    'should support retrieving logs from the container over websockets [NodeConformance]',
    async (context) => {
      const run = 'echo container is alive; exec sleep 10000';
      await context.pods.create(pod('speaking', { command: ['sh', '-c', run] }, SOON));
      await running(context, 'speaking');
      const { config } = context.cluster.api;
      const server = config.getCurrentCluster()?.server.replace(/^http/, 'ws');
      const options: ClientRequestArgs & { rejectUnauthorized?: boolean } = {};
      await config.applyToHTTPSOptions(options as never);
      const url = `${server}${context.pods.path}/speaking/log?container=main`;
      const socket = new WebSocket(url, ['binary.k8s.io'], options);
      const frames: Buffer[] = [];
      socket.on('message', (data: Buffer, isBinary: boolean) => {
        expect(isBinary).toBe(true);
        frames.push(data);
      });
      const closed = once(socket, 'close');
      await once(socket, 'open');
      expect(socket.protocol).toBe('binary.k8s.io');
      await closed;
      expect(Buffer.concat(frames).toString('utf8')).toBe('container is alive\n');
    },
  );
});

area('sig-node', 'Variable Expansion', (spec) => {
  spec(
    'should verify that a failing subpath expansion can be modified during the lifecycle of a container [Slow]',
    async (context) => {
      const made = pod(
        'expanding',
        {
          env: [
            { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            {
              name: 'ANNOTATION',
              valueFrom: { fieldRef: { fieldPath: "metadata.annotations['mysubpath']" } },
            },
          ],
          volumeMounts: [
            { name: 'work', mountPath: '/subpath_mount', subPathExpr: '$(ANNOTATION)/$(POD_NAME)' },
            { name: 'work', mountPath: '/volume_mount' },
          ],
        },
        { ...SOON, volumes: [{ name: 'work', emptyDir: {} }] },
      );
      const annotations = { notmysubpath: 'mypath' };
      await context.pods.create({ ...made, metadata: { name: 'expanding', annotations } });
      await context.until('the container to be refused', async () => {
        const [status] = (await context.pods.get('expanding')).status?.containerStatuses ?? [];
        return status?.state?.waiting?.reason === 'CreateContainerConfigError';
      });
      await context.throughout('it does not run', 2_000, async () => {
        return (await context.pods.get('expanding')).status?.phase === 'Pending';
      });
      await context.pods.modify('expanding', ({ metadata }) => {
        metadata.annotations = { mysubpath: 'mypath' };
      });
      await running(context, 'expanding');
      await context.ok(['exec', 'expanding', '--', 'test', '-d', '/volume_mount/mypath/expanding']);
    },
    { timeoutMs: 120_000 },
  );
});
