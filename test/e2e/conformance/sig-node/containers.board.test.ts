import { expect } from 'vitest';
import type { Container, ContainerStatus } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { ended, logOf, outputOf, running } from '../pod-output.ts';
import { IMAGE, pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const statusOf = async ({ pods }: SpecContext, name: string): Promise<ContainerStatus | undefined> =>
  (await pods.get(name)).status?.containerStatuses?.[0];

area('sig-node', 'Container Runtime blackbox test', (spec) => {
  const FALLBACK = 'FallbackToLogsOnError';
  const reports = (
    text: string,
    {
      phase,
      message,
      container,
      user,
    }: { phase: string; message: string; container: Partial<Container>; user?: number },
  ) =>
    spec(
      `on terminated container should report termination message ${text} [NodeConformance]`,
      async (context) => {
        const fields = user === undefined ? {} : { securityContext: { runAsUser: user } };
        await context.pods.create(pod('terminated', container, { restartPolicy: 'Never', ...fields }));
        expect((await ended(context, 'terminated')).status?.phase).toBe(phase);
        const status = await statusOf(context, 'terminated');
        expect(status?.state?.terminated?.message ?? '').toBe(message);
      },
    );
  reports(`as empty when pod succeeds and TerminationMessagePolicy ${FALLBACK} is set`, {
    phase: 'Succeeded',
    message: '',
    container: { command: ['sh', '-c', 'echo DONE'], terminationMessagePolicy: FALLBACK },
  });
  reports(`from file when pod succeeds and TerminationMessagePolicy ${FALLBACK} is set`, {
    phase: 'Succeeded',
    message: 'OK',
    container: {
      command: ['sh', '-c', 'echo -n OK > /dev/termination-log'],
      terminationMessagePolicy: FALLBACK,
    },
  });
  reports(`from log output if TerminationMessagePolicy ${FALLBACK} is set`, {
    phase: 'Failed',
    message: 'DONE',
    container: { command: ['sh', '-c', 'echo -n DONE; exit 1'], terminationMessagePolicy: FALLBACK },
  });
  reports('if TerminationMessagePath is set as non-root user and at a non-default path', {
    phase: 'Succeeded',
    message: 'DONE',
    container: {
      command: ['sh', '-c', 'echo -n DONE > /dev/termination-custom-log'],
      terminationMessagePath: '/dev/termination-custom-log',
    },
    user: 1000,
  });

  spec(
    'when starting a container that exits should run with the expected status [NodeConformance]',
    async (context) => {
      const count = 'f=/counts/count; echo x >> $f; n=$(wc -l < $f)';
      const script = `${count}; if [ $n -eq 1 ]; then exit 1; fi; if [ $n -eq 2 ]; then exit 0; fi; exec sleep 100000`;
      const volumes = [{ name: 'counts', emptyDir: {} }];
      const volumeMounts = [{ name: 'counts', mountPath: '/counts' }];
      await Promise.all(
        [
          ['Always', 'Running', 2, 'running'],
          ['OnFailure', 'Succeeded', 1, 'terminated'],
          ['Never', 'Failed', 0, 'terminated'],
        ].map(async ([restartPolicy, phase, restarts, state]) => {
          const name = `exits-${restartPolicy}`.toLowerCase();
          const fields = { volumes, restartPolicy: String(restartPolicy), terminationGracePeriodSeconds: 0 };
          await context.pods.create(pod(name, { volumeMounts, command: ['sh', '-c', script] }, fields));
          await context.until(
            `${name} to be ${phase} after ${restarts} restarts`,
            async () => {
              const { status } = await context.pods.get(name);
              const [one] = status?.containerStatuses ?? [];
              if (!one || status?.phase !== phase || one.restartCount !== restarts) return false;
              const isReady = status?.conditions?.some(
                ({ type, status: is }) => type === 'Ready' && is === 'True',
              );
              return Object.hasOwn(one.state ?? {}, String(state)) && isReady === (state === 'running');
            },
            100_000,
          );
        }),
      );
    },
    { timeoutMs: 150_000 },
  );
});

area('sig-node', 'Containers', (spec) => {
  const echo = ['echo', 'override', 'command'];
  spec('should use the image defaults if command and args are blank [NodeConformance]', async (context) => {
    // The image's default is a shell, which reads nothing and ends.
    const spec = { containers: [{ name: 'main', image: IMAGE }], restartPolicy: 'Never' };
    await context.pods.create({ metadata: { name: 'defaults' }, spec });
    const { status } = await ended(context, 'defaults');
    expect(status?.phase).toBe('Succeeded');
    expect(status?.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(0);
  });
  const overrides = (text: string, container: Partial<Container>, expected: string) =>
    spec(`should be able to override the image's default ${text} [NodeConformance]`, async (context) => {
      const spec = { containers: [{ name: 'main', image: IMAGE, ...container }], restartPolicy: 'Never' };
      await context.pods.create({ metadata: { name: 'overridden' }, spec });
      expect((await ended(context, 'overridden')).status?.phase).toBe('Succeeded');
      expect(await logOf(context, 'overridden')).toBe(expected);
    });
  overrides('arguments (container cmd)', { args: ['echo', 'override', 'arguments'] }, 'override arguments\n');
  overrides('command (container entrypoint)', { command: echo }, 'override command\n');
  overrides(
    'command and arguments',
    { command: echo, args: ['and', 'arguments'] },
    'override command and arguments\n',
  );
});

area('sig-node', 'InitContainer', (spec) => {
  const container = (name: string, ...command: string[]) => ({ name, image: IMAGE, command });
  const create = async (context: SpecContext, restartPolicy: string, first: string) =>
    await context.pods.create(
      pod(
        'initial',
        { command: restartPolicy === 'Never' ? ['true'] : ['sleep', '100000'] },
        {
          restartPolicy,
          terminationGracePeriodSeconds: 0,
          initContainers: [container('init1', first), container('init2', 'true')],
        },
      ),
    );
  const conditionOf = async ({ pods }: SpecContext) =>
    (await pods.get('initial')).status?.conditions?.find(({ type }) => type === 'Initialized');

  spec('should invoke init containers on a RestartNever pod [NodeConformance]', async (context) => {
    await create(context, 'Never', 'true');
    const { status } = await ended(context, 'initial');
    expect(status?.phase).toBe('Succeeded');
    expect((await conditionOf(context))?.status).toBe('True');
    expect(status?.initContainerStatuses).toHaveLength(2);
    for (const one of status?.initContainerStatuses ?? [])
      expect(one).toMatchObject({ ready: true, state: { terminated: { exitCode: 0 } } });
  });

  spec('should invoke init containers on a RestartAlways pod [NodeConformance]', async (context) => {
    await create(context, 'Always', 'true');
    const { status } = await running(context, 'initial');
    expect(status?.phase).toBe('Running');
    expect((await conditionOf(context))?.status).toBe('True');
    for (const one of status?.initContainerStatuses ?? [])
      expect(one).toMatchObject({ ready: true, state: { terminated: { exitCode: 0 } } });
  });

  spec(
    'should not start app containers if init containers fail on a RestartAlways pod [NodeConformance]',
    async (context) => {
      await create(context, 'Always', 'false');
      const status = await context.until(
        'the init container to be restarted',
        async () => {
          const { status } = await context.pods.get('initial');
          return (status?.initContainerStatuses?.[0]?.restartCount ?? 0) >= 3 && status;
        },
        120_000,
      );
      expect(status.phase).toBe('Pending');
      expect(await conditionOf(context)).toMatchObject({
        status: 'False',
        reason: 'ContainersNotInitialized',
        message: 'containers with incomplete status: [init1 init2]',
      });
      expect(status.initContainerStatuses?.[1]?.state?.waiting).toBeDefined();
      expect(status.containerStatuses?.[0]?.state?.waiting?.reason).toBe('PodInitializing');
    },
    { timeoutMs: 180_000 },
  );

  spec(
    'should not start app containers and fail the pod if init containers fail on a RestartNever pod [NodeConformance]',
    async (context) => {
      await create(context, 'Never', 'false');
      const { status } = await ended(context, 'initial');
      expect(status?.phase).toBe('Failed');
      expect(await conditionOf(context)).toMatchObject({
        status: 'False',
        reason: 'ContainersNotInitialized',
      });
      expect(status?.initContainerStatuses?.[0]?.state?.terminated?.exitCode).toBe(1);
      expect(status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe('PodInitializing');
    },
  );
});

area('sig-node', 'Kubelet', (spec) => {
  const fails = { command: ['false'] };
  spec(
    'when scheduling a busybox command in a pod should print the output to logs [NodeConformance]',
    async (context) => {
      expect(await outputOf(context, { run: 'echo Hello World' })).toBe('Hello World\n');
    },
  );
  spec(
    'when scheduling a busybox command that always fails in a pod should have an terminated reason [NodeConformance]',
    async (context) => {
      await context.pods.create(pod('failing', fails));
      const { terminated, waiting } = await context.until('the command to fail', async () => {
        const status = await statusOf(context, 'failing');
        const terminated = status?.state?.terminated ?? status?.lastState?.terminated;
        return terminated && { terminated, waiting: status?.state?.waiting };
      });
      expect(terminated).toMatchObject({ exitCode: 1, reason: 'Error' });
      if (waiting) expect(waiting.reason).toBe('CrashLoopBackOff');
    },
  );
  spec(
    'when scheduling a busybox command that always fails in a pod should be possible to delete [NodeConformance]',
    async (context) => {
      await context.pods.create(pod('failing', fails));
      await context.until(
        'the command to fail',
        async () => ((await statusOf(context, 'failing'))?.restartCount ?? 0) > 0,
      );
      await context.pods.delete('failing', { gracePeriodSeconds: 0 });
      await context.until('the pod to go', async () => !(await context.pods.find('failing')));
    },
  );
  spec(
    'when scheduling a read only busybox container should not write to root filesystem [LinuxOnly] [NodeConformance]',
    async (context) => {
      const container = { securityContext: { readOnlyRootFilesystem: true } };
      const output = await outputOf(context, {
        run: '(echo test > /file) 2>&1; cat /file 2>&1; true',
        container,
      });
      expect(output).toMatch(/can't create \/file: Read-only file system\n[\s\S]*No such file or directory/);
    },
  );
  spec(
    'when scheduling an agnhost Pod with hostAliases should write entries to /etc/hosts [NodeConformance]',
    async (context) => {
      const hostAliases = [{ ip: '123.45.67.89', hostnames: ['foo', 'bar'] }];
      const output = await outputOf(context, { run: 'cat /etc/hosts', spec: { hostAliases } });
      expect(output).toMatch(/^# Kubernetes-managed hosts file/m);
      expect(output).toMatch(/^123\.45\.67\.89\s+foo\s+bar$/m);
    },
  );
});

area('sig-node', 'Security Context', (spec) => {
  spec(
    'When creating a container with runAsUser should run the container with uid 65534 [LinuxOnly] [NodeConformance]',
    async (context) => {
      const container = { securityContext: { runAsUser: 65534 } };
      expect(await outputOf(context, { run: 'id -u', container })).toBe('65534\n');
    },
  );
  spec(
    'When creating a pod with privileged should run the container as unprivileged when false [LinuxOnly] [NodeConformance]',
    async (context) => {
      const container = { securityContext: { privileged: false } };
      const output = await outputOf(context, {
        run: '(ip link add dummy0 type bridge || true) 2>&1',
        container,
      });
      expect(output).toMatch(/Operation not permitted/);
    },
  );
  spec(
    'When creating a pod with readOnlyRootFilesystem should run the container with writable rootfs when readOnlyRootFilesystem=false [NodeConformance]',
    async (context) => {
      const container = { securityContext: { readOnlyRootFilesystem: false } };
      expect(await outputOf(context, { run: 'touch checkfile && echo made', container })).toBe('made\n');
    },
  );
  spec(
    'when creating containers with AllowPrivilegeEscalation should not allow privilege escalation when false [LinuxOnly] [NodeConformance]',
    async (context) => {
      const container = { securityContext: { allowPrivilegeEscalation: false, runAsUser: 1000 } };
      expect(await outputOf(context, { run: 'grep NoNewPrivs /proc/self/status; id -u', container })).toBe(
        'NoNewPrivs:\t1\n1000\n',
      );
    },
  );
  spec(
    'should support pod.Spec.SecurityContext.RunAsUser And pod.Spec.SecurityContext.RunAsGroup [LinuxOnly]',
    async (context) => {
      const spec = { securityContext: { runAsUser: 1001, runAsGroup: 2002 } };
      expect(await outputOf(context, { run: 'id', spec })).toMatch(/uid=1001 gid=2002/);
    },
  );
  spec(
    'should support container.SecurityContext.RunAsUser And container.SecurityContext.RunAsGroup [LinuxOnly]',
    async (context) => {
      const spec = { securityContext: { runAsUser: 1001, runAsGroup: 2001 } };
      const container = { securityContext: { runAsUser: 1002, runAsGroup: 2002 } };
      expect(await outputOf(context, { run: 'id', container, spec })).toMatch(/uid=1002 gid=2002/);
    },
  );
});

area('sig-node', 'Sysctls [LinuxOnly]', (spec) => {
  spec('should support sysctls [Environment:NotInUserNS] [NodeConformance]', async (context) => {
    const sysctls = [{ name: 'kernel.shm_rmid_forced', value: '1' }];
    const output = await outputOf(context, {
      run: 'cat /proc/sys/kernel/shm_rmid_forced',
      spec: { securityContext: { sysctls } },
    });
    expect(output).toBe('1\n');
  });
});
