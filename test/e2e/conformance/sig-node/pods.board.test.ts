import { PassThrough } from 'node:stream';
import { Exec, type V1Status } from '@kubernetes/client-node';
import { expect } from 'vitest';
import type { Pod } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { ended, outputOf, printed, running } from '../pod-output.ts';
import { IMAGE, pod } from '../pods.ts';

const LONG = { timeoutMs: 150_000 };
const quick = { terminationGracePeriodSeconds: 0 };

area('sig-node', 'Pods', (spec) => {
  spec('should get a host IP [NodeConformance]', async (context) => {
    await context.pods.create(pod('hosted', {}, quick));
    const { status } = await running(context, 'hosted');
    const [node] = (await context.cluster.nodes.list()).items;
    const address = node?.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
    expect(status?.hostIP).toBe(address);
    expect(status?.hostIPs).toEqual([{ ip: address }]);
  });

  spec(
    'should be submitted and removed [NodeConformance]',
    async (context) => {
      const labels = { time: 'now' };
      const watch = context.watch(context.pods, { labelSelector: 'time=now' });
      const command = ['sh', '-c', 'trap "exit 0" TERM; while true; do sleep 0.1; done'];
      await context.pods.create(pod('removed', { command }, {}, labels));
      expect((await watch.next()).type).toBe('ADDED');
      await running(context, 'removed');
      const marked = await context.pods.delete('removed', { gracePeriodSeconds: 30 });
      expect(marked).toMatchObject({ metadata: { deletionGracePeriodSeconds: 30 } });
      const { object } = await watch.next(({ type }) => type === 'DELETED', 60_000);
      expect(object.metadata.deletionTimestamp).toBeDefined();
      expect(object.spec?.terminationGracePeriodSeconds).toBe(30);
      expect((await context.pods.list({ labelSelector: 'time=now' })).items).toEqual([]);
    },
    LONG,
  );

  spec('should be updated [NodeConformance]', async (context) => {
    await context.pods.create(pod('updated', {}, quick, { time: 'then' }));
    await running(context, 'updated');
    await context.pods.modify('updated', ({ metadata }) => {
      metadata.labels = { time: 'now' };
    });
    expect((await context.pods.list({ labelSelector: 'time=now' })).items).toHaveLength(1);
  });

  spec('should allow activeDeadlineSeconds to be updated [NodeConformance]', async (context) => {
    await context.pods.create(pod('deadline', {}, quick));
    await running(context, 'deadline');
    await context.pods.modify('deadline', ({ spec: fields }) => {
      fields!.activeDeadlineSeconds = 3;
    });
    const { status } = await ended(context, 'deadline');
    expect(status).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' });
  });

  spec('should contain environment variables for services [NodeConformance]', async (context) => {
    const service = await context.services.create({
      metadata: { name: 'fooservice' },
      spec: { ports: [{ port: 8765, targetPort: 8080 }], selector: { name: 'server' } },
    });
    // The agent has to have heard of the Service before the pod starts.
    const output = await context.until('the variables', async () => {
      const name = context.unique('client');
      const text = await outputOf(context, { name, run: 'env' });
      return text.includes('FOOSERVICE_SERVICE_HOST=') && text;
    });
    const ip = service.spec?.clusterIP;
    for (const line of [
      `FOOSERVICE_SERVICE_HOST=${ip}`,
      'FOOSERVICE_SERVICE_PORT=8765',
      `FOOSERVICE_PORT=tcp://${ip}:8765`,
      `FOOSERVICE_PORT_8765_TCP=tcp://${ip}:8765`,
      'FOOSERVICE_PORT_8765_TCP_PROTO=tcp',
      'FOOSERVICE_PORT_8765_TCP_PORT=8765',
      `FOOSERVICE_PORT_8765_TCP_ADDR=${ip}`,
    ])
      expect(output.split('\n')).toContain(line);
  });

  spec('should support remote command execution over websockets [NodeConformance]', async (context) => {
    await context.pods.create(pod('remote', {}, quick));
    await running(context, 'remote');
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const text: string[] = [];
    stdout.on('data', (piece: Buffer) => text.push(piece.toString()));
    const status = await new Promise<V1Status>((done, failed) => {
      new Exec(context.cluster.api.config)
        .exec(
          context.namespace,
          'remote',
          'main',
          ['echo', 'remote execution test'],
          stdout,
          stderr,
          null,
          false,
          done,
        )
        .catch(failed);
    });
    expect(status.status).toBe('Success');
    expect(text.join('')).toBe('remote execution test\n');
  });

  spec(
    'should delete a collection of pods',
    async (context) => {
      for (const name of ['one', 'two', 'three'])
        await context.pods.create(pod(name, {}, quick, { type: 'Testing' }));
      expect((await context.pods.list({ labelSelector: 'type=Testing' })).items).toHaveLength(3);
      await context.pods.deleteCollection({ labelSelector: 'type=Testing' }, { gracePeriodSeconds: 0 });
      await context.until(
        'all of them to go',
        async () => (await context.pods.list()).items.length === 0,
        60_000,
      );
    },
    LONG,
  );

  spec('should patch a pod status', async (context) => {
    await context.pods.create(pod('patched', {}, quick));
    await running(context, 'patched');
    const condition = { type: 'StatusPatched', status: 'True', reason: 'E2E', message: 'Set by e2e test' };
    const patched = await context.pods.patch(
      'patched',
      { status: { conditions: [condition] } },
      { type: 'strategic', subresource: 'status' },
    );
    expect(patched.status?.conditions).toContainEqual(expect.objectContaining(condition));
    expect(patched.status?.phase).toBe('Running');
  });

  spec(
    'should run through the lifecycle of Pods and PodStatus',
    async (context) => {
      const labelSelector = 'test-pod-static=true';
      const watch = context.watch(context.pods, { labelSelector });
      await context.pods.create(pod('lived', {}, quick, { 'test-pod-static': 'true' }));
      expect((await watch.next()).type).toBe('ADDED');
      await watch.next(({ object }) => object.status?.phase === 'Running', 60_000);
      const patch = {
        metadata: { labels: { 'test-pod': 'patched' } },
        spec: { containers: [{ name: 'main', image: IMAGE }], terminationGracePeriodSeconds: 0 },
      };
      await context.pods.patch('lived', patch, { type: 'strategic' });
      await watch.next(({ object }) => object.metadata.labels?.['test-pod'] === 'patched');
      const read = await context.pods.get('lived', 'status');
      expect(read.status?.conditions?.some(({ type }) => type === 'Ready')).toBe(true);
      // The agent knows better at once.
      await context.pods.modify(
        'lived',
        ({ status }) => {
          for (const one of status?.conditions ?? []) if (one.type === 'Ready') one.status = 'False';
        },
        'status',
      );
      await watch.next(
        ({ object }) =>
          object.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'False') ??
          false,
      );
      await context.pods.deleteCollection({ labelSelector });
      await watch.next(({ type }) => type === 'DELETED', 60_000);
    },
    LONG,
  );
});

area('sig-node', 'Pods Extended (pod generation) Pod Generation', (spec) => {
  const seen = async (context: Parameters<typeof running>[0], name: string): Promise<Pod> =>
    await context.until(
      'the agent to have seen the newest generation',
      async () => {
        const found = await context.pods.get(name);
        return found.status?.observedGeneration === found.metadata.generation && found;
      },
      60_000,
    );
  spec(
    'pod generation should start at 1 and increment per update [MinimumKubeletVersion:1.34]',
    async (context) => {
      const made = await context.pods.create(pod('counted', {}, quick));
      expect(made.metadata.generation).toBe(1);
      await running(context, 'counted');
      let generation = 1;
      const changed = async (change: (object: Pod) => void, grows: boolean) => {
        const { metadata } = await context.pods.modify('counted', change);
        if (grows) generation++;
        expect(metadata.generation).toBe(generation);
      };
      await changed(({ metadata }) => {
        metadata.labels = { a: 'b' };
      }, false);
      await changed(({ spec: fields }) => {
        fields?.tolerations?.push({ key: 'foo', operator: 'Exists' });
      }, true);
      await changed(({ spec: fields }) => {
        fields!.activeDeadlineSeconds = 5000;
      }, true);
      expect((await seen(context, 'counted')).metadata.generation).toBe(3);
    },
  );
  spec('custom-set generation on new pods and graceful delete', async (context) => {
    const made = pod('custom', {}, { terminationGracePeriodSeconds: 5 });
    const created = await context.pods.create({ ...made, metadata: { name: 'custom', generation: 100 } });
    expect(created.metadata.generation).toBe(1);
    await running(context, 'custom');
    const marked = await context.pods.delete('custom');
    expect(marked).toMatchObject({ metadata: { generation: 2 } });
    await context.until('the pod to go', async () => !(await context.pods.find('custom')), 60_000);
  });
  spec(
    'issue 500 podspec updates and verify generation and observedGeneration eventually converge [MinimumKubeletVersion:1.34]',
    async (context) => {
      await context.pods.create(pod('busy', {}, quick));
      await running(context, 'busy');
      for (let index = 0; index < 500; index++)
        await context.pods.patch(
          'busy',
          { spec: { activeDeadlineSeconds: 5000 - index } },
          { type: 'strategic' },
        );
      expect((await seen(context, 'busy')).metadata.generation).toBe(501);
    },
    LONG,
  );
});

area('sig-node', 'Ephemeral Containers', (spec) => {
  const debuggerOf = (name: string, command: string[]) => ({
    spec: { ephemeralContainers: [{ name, image: IMAGE, command, stdin: true, tty: false }] },
  });
  const options = { type: 'strategic', subresource: 'ephemeralcontainers' } as const;
  spec('will start an ephemeral container in an existing pod [NodeConformance]', async (context) => {
    await context.pods.create(pod('debugged', {}, quick));
    await running(context, 'debugged');
    await context.pods.patch(
      'debugged',
      debuggerOf('debugger', ['sh', '-c', 'while true; do echo polo; sleep 1; done']),
      options,
    );
    await printed(context, 'debugged', 'polo', 'debugger');
    const { status } = await context.pods.get('debugged');
    expect(status?.ephemeralContainerStatuses).toMatchObject([{ name: 'debugger', state: { running: {} } }]);
  });
  spec('should update the ephemeral containers in an existing pod [NodeConformance]', async (context) => {
    await context.pods.create(pod('debugged', {}, quick));
    await running(context, 'debugged');
    await context.pods.patch('debugged', debuggerOf('first', ['sleep', '100000']), options);
    const updated = await context.pods.modify(
      'debugged',
      ({ spec: fields }) => {
        fields?.ephemeralContainers?.push({ name: 'second', image: IMAGE, command: ['sleep', '100000'] });
      },
      'ephemeralcontainers',
    );
    expect(updated.spec?.ephemeralContainers?.map(({ name }) => name)).toEqual(['first', 'second']);
    await context.until(
      'both to run',
      async () => {
        const { status } = await context.pods.get('debugged');
        return status?.ephemeralContainerStatuses?.filter(({ state }) => state?.running).length === 2;
      },
      60_000,
    );
  });
});
