import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type {
  Container,
  ContainerConfig,
  Runtime,
  RuntimeEvent,
  SandboxConfig,
} from '../../src/runtime/port.ts';
import { TEST_CGROUP_ROOT } from '../fixtures/containerd.ts';

/** One implementation under test, with the image `busybox:1` present. */
export interface RuntimeHarness {
  readonly runtime: Runtime;
  /** The process that drives the runtime ends and another takes its place; what runs goes on. */
  restart(): Promise<Runtime>;
  /** Lets so much time pass. */
  advance(ms: number): Promise<void>;
  close(): Promise<void>;
}

let counter = 0;

export function sandboxConfig(extra: Partial<SandboxConfig> = {}): SandboxConfig {
  const uid = extra.uid ?? `uid-${process.pid}-${++counter}`;
  return {
    uid,
    namespace: 'default',
    name: 'web',
    hostname: 'web-0',
    hostNetwork: false,
    hostIPC: false,
    hostPID: false,
    ports: [],
    sysctls: {},
    cgroupParent: `${TEST_CGROUP_ROOT}/pods/pod${uid}`,
    ...extra,
  };
}

export function containerConfig(
  podUid: string,
  script: string,
  extra: Partial<ContainerConfig> = {},
): ContainerConfig {
  return {
    id: `c-${process.pid}-${++counter}`,
    podUid,
    name: 'main',
    attempt: 0,
    image: '',
    command: ['sh', '-c', script],
    args: [],
    env: [],
    mounts: [],
    labels: {},
    tty: false,
    stdin: false,
    security: {
      privileged: false,
      supplementalGroups: [],
      readOnlyRootFilesystem: false,
      allowPrivilegeEscalation: true,
      addCapabilities: [],
      dropCapabilities: [],
      seccomp: 'RuntimeDefault',
    },
    resources: { oomScoreAdj: 0 },
    ...extra,
  };
}

/** What every runtime must do, the same for all implementations. */
export function describeRuntime(name: string, start: () => Promise<RuntimeHarness>): void {
  describe(`runtime contract: ${name}`, { timeout: 30_000 }, () => {
    let harness: RuntimeHarness;
    let runtime: Runtime;
    let image = '';
    const pods = new Set<string>();

    beforeAll(async () => {
      harness = await start();
      runtime = harness.runtime;
      image = (await runtime.image('busybox:1'))?.id ?? '';
    }, 60_000);
    afterEach(async () => {
      for (const uid of pods) await runtime.removeSandbox(uid);
      pods.clear();
    }, 30_000);
    afterAll(() => harness.close(), 60_000);

    const pod = async (extra: Partial<SandboxConfig> = {}): Promise<string> => {
      const config = sandboxConfig(extra);
      pods.add(config.uid);
      await runtime.createSandbox(config);
      return config.uid;
    };
    const run = (uid: string, script: string, extra: Partial<ContainerConfig> = {}): Promise<Container> =>
      runtime.startContainer(containerConfig(uid, script, { image, ...extra }));
    const find = async (id: string): Promise<Container | undefined> =>
      (await runtime.listContainers()).find((container) => container.id === id);
    const exited = async (id: string): Promise<Container> => {
      for (let waitedMs = 0; waitedMs < 20_000; waitedMs += 50) {
        const container = await find(id);
        if (container?.state === 'exited') return container;
        await harness.advance(50);
      }
      throw new Error(`${id} did not end`);
    };

    it('says what it is', async () => {
      const { name: found, version } = await runtime.version();
      expect(found).not.toBe('');
      expect(version).not.toBe('');
    });

    it('gives every pod its own address, and the same sandbox when asked again', async () => {
      const first = await runtime.createSandbox(sandboxConfig({ uid: await pod() }));
      const second = await runtime.createSandbox(sandboxConfig({ uid: await pod() }));
      expect(first.ips).toHaveLength(1);
      expect(second.ips).not.toEqual(first.ips);
      const again = await runtime.createSandbox(sandboxConfig({ uid: first.uid }));
      expect(again).toEqual(first);
      expect((await runtime.listSandboxes()).map(({ uid }) => uid)).toEqual(
        expect.arrayContaining([first.uid, second.uid]),
      );
    });

    it('gives a pod on the host network no address', async () => {
      const uid = await pod({ hostNetwork: true });
      const sandbox = (await runtime.listSandboxes()).find((found) => found.uid === uid);
      expect(sandbox).toMatchObject({ ips: [], ready: true });
    });

    it('starts a container and lists it with what it was started with', async () => {
      const uid = await pod();
      const started = await run(uid, 'sleep infinity', { attempt: 3, labels: { app: 'web' } });
      expect(await find(started.id)).toMatchObject({
        ...{ podUid: uid, name: 'main', attempt: 3, image, labels: { app: 'web' } },
        state: 'running',
        pid: expect.any(Number),
        startedAtMs: expect.any(Number),
      });
    });

    it('refuses a container without its sandbox, without its image, or with an id in use', async () => {
      await expect(run('no-such-pod', 'sleep infinity')).rejects.toThrow(/no-such-pod has no sandbox/);
      const uid = await pod();
      const gone = `sha256:${'0'.repeat(64)}`;
      await expect(run(uid, 'sleep infinity', { image: gone })).rejects.toThrow(/is not present/);
      const { id } = await run(uid, 'sleep infinity');
      await expect(run(uid, 'sleep infinity', { id })).rejects.toThrow(/exists already/);
      expect((await find(id))?.state).toBe('running');
    });

    it('says why a process cannot be started, and leaves nothing of it', async () => {
      const uid = await pod();
      // runc keeps what it knows of containers by id in one place for all containerds.
      const id = `c-absent-${randomUUID()}`;
      const config = { id, command: ['/no/such/program'] };
      await expect(run(uid, '', config)).rejects.toThrow(
        /failed to start container main: .*\/no\/such\/program/s,
      );
      expect(await find(id)).toBeUndefined();
      await run(uid, 'sleep infinity', { id });
      expect((await find(id))?.state).toBe('running');
    });

    it('keeps exit code, reason and log of a container that ended, until it is removed', async () => {
      const uid = await pod();
      const { id } = await run(uid, 'echo first; echo second; exit 3');
      expect(await exited(id)).toMatchObject({
        exitCode: 3,
        reason: 'Error',
        finishedAtMs: expect.any(Number),
      });
      expect((await find(id))?.pid).toBeUndefined();
      expect(await readFile(runtime.logPath(id), 'utf8')).toBe('first\nsecond\n');
      await runtime.removeContainer(id, { logs: true });
      expect(await find(id)).toBeUndefined();
      await expect(readFile(runtime.logPath(id))).rejects.toThrow(/ENOENT/);
      await runtime.removeContainer(id);
    });

    it('tells an exit with code 0 as such', async () => {
      const { id } = await run(await pod(), 'echo done');
      expect(await exited(id)).toMatchObject({ exitCode: 0, reason: 'Completed' });
    });

    it('signals a container, which may ignore all but SIGKILL', async () => {
      const { id } = await run(await pod(), "trap '' TERM; echo deaf; sleep 1000");
      const log = (): Promise<string> => readFile(runtime.logPath(id), 'utf8').catch(() => '');
      for (let tries = 0; (await log()) !== 'deaf\n' && tries < 400; tries++) await harness.advance(50);
      await runtime.signalContainer(id, 'SIGTERM');
      await harness.advance(200);
      expect((await find(id))?.state).toBe('running');
      await runtime.signalContainer(id, 'SIGKILL');
      expect(await exited(id)).toMatchObject({ exitCode: 137 });
      await runtime.signalContainer(id, 'SIGTERM');
    });

    it('reports exits as they happen, after a resync', async () => {
      const stop = new AbortController();
      const events: RuntimeEvent[] = [];
      const done = (async () => {
        for await (const event of runtime.events(stop.signal)) events.push(event);
      })();
      for (let tries = 0; events.length === 0 && tries < 400; tries++) await harness.advance(50);
      expect(events).toEqual([{ type: 'resync' }]);
      await runtime.listContainers();
      const { id } = await run(await pod(), 'exit 7');
      for (let tries = 0; events.length < 2 && tries < 400; tries++) await harness.advance(50);
      expect(events[1]).toMatchObject({ type: 'exit', id, exitCode: 7, oomKilled: false });
      expect(await find(id)).toMatchObject({ state: 'exited', exitCode: 7 });
      stop.abort();
      await done;
    });

    it('runs a probe to its end or to its timeout', async () => {
      const { id } = await run(await pod(), 'sleep 1000');
      expect(await runtime.execSync(id, ['sh', '-c', 'echo fine; exit 4'], 10_000)).toEqual({
        exitCode: 4,
        output: 'fine\n',
      });
      expect((await runtime.execSync(id, ['sleep', '60'], 200)).exitCode).toBe(124);
      const missing = await runtime.execSync(id, ['no-such-program'], 10_000);
      expect(missing.exitCode).toBe(127);
      expect(missing.output).toMatch(/executable file not found/);
      await expect(runtime.execSync('c-none', ['true'], 100)).rejects.toThrow(/c-none not found/);
    });

    it('executes a command with streams and its exit code', async () => {
      const { id } = await run(await pod(), 'sleep 1000');
      const session = await runtime.exec(id, {
        ...{ command: ['sh', '-c', 'echo out; exit 5'], tty: false },
        ...{ stdin: false, stdout: true, stderr: true },
      });
      expect(session.stdin).toBeUndefined();
      expect(session.stdout && (await text(session.stdout))).toBe('out\n');
      expect(await session.exit).toBe(5);
    });

    it('keeps what a command said for who reads it only after its end', async () => {
      const { id } = await run(await pod(), 'sleep 1000');
      const session = await runtime.exec(id, {
        ...{ command: ['sh', '-c', 'echo out; exit 5'], tty: false },
        ...{ stdin: false, stdout: true, stderr: true },
      });
      expect(await session.exit).toBe(5);
      expect(session.stdout && (await text(session.stdout))).toBe('out\n');
    });

    it('refuses a port where nobody listens', async () => {
      await expect(runtime.portForward(await pod(), 4321)).rejects.toThrow(
        /failed to connect to localhost:4321 inside namespace: Connection refused/,
      );
    });

    it('measures a running container', async () => {
      const { id } = await run(await pod(), 'sleep 1000');
      const stats = await runtime.stats(id);
      expect(stats?.cpuUsageNanos).toBeGreaterThan(0);
      expect(stats?.memoryWorkingSetBytes).toBeGreaterThan(0);
      await runtime.removeContainer(id);
      expect(await runtime.stats(id)).toBeUndefined();
    });

    it('finds images by short name, digest and id', async () => {
      const found = await runtime.image('docker.io/library/busybox:1');
      expect(found?.references).toContain('docker.io/library/busybox:1');
      expect(found?.digests[0]).toMatch(/^docker\.io\/library\/busybox@sha256:[0-9a-f]{64}$/);
      expect((await runtime.image(found?.id ?? ''))?.id).toBe(found?.id);
      expect((await runtime.image(found?.digests[0] ?? ''))?.id).toBe(found?.id);
      expect(await runtime.image('docker.io/library/absent:9')).toBeUndefined();
      expect((await runtime.listImages()).map(({ id }) => id)).toContain(found?.id);
      await expect(runtime.image('Not A Name')).rejects.toThrow(/invalid reference format/);
    });

    it('does not remove an image in use', async () => {
      await run(await pod(), 'sleep 1000');
      await expect(runtime.removeImage(image)).rejects.toThrow(/is used by container/);
    });

    it('finds its sandboxes and containers again after a restart, untouched, with what ended meanwhile', async () => {
      const uid = await pod();
      const { id, pid } = await run(uid, 'sleep 1000');
      const short = await run(uid, 'sleep 1; exit 9');
      const before = (await runtime.listSandboxes()).find((sandbox) => sandbox.uid === uid);
      runtime = await harness.restart();
      expect((await runtime.listSandboxes()).find((sandbox) => sandbox.uid === uid)).toEqual(before);
      expect(await find(id)).toMatchObject({ state: 'running', pid });
      expect(await exited(short.id)).toMatchObject({ exitCode: 9 });
    });

    it('removes a sandbox with everything in it, and twice without harm', async () => {
      const uid = await pod();
      const { id } = await run(uid, 'sleep 1000');
      await runtime.removeSandbox(uid);
      expect(await find(id)).toBeUndefined();
      expect((await runtime.listSandboxes()).some((sandbox) => sandbox.uid === uid)).toBe(false);
      await runtime.removeSandbox(uid);
    });
  });
}
