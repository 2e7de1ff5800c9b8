import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { containerConfig, sandboxConfig } from '../../../test/contract/runtime.ts';
import { startTestContainerd, type TestContainerd } from '../../../test/fixtures/containerd.ts';
import type { ExecSession } from '../../client/node-port.ts';
import { LIMITS } from '../../lib/limits.ts';
import { createCgroups } from '../cgroups.ts';
import type { ContainerConfig, ContainerSecurity, Runtime, RuntimeEvent, SandboxConfig } from '../port.ts';
import { mountsBelow } from './mounts.ts';

/** What only real containers can show; what every runtime must do is in `test/contract/runtime.ts`. */
describe('ctr runtime', { timeout: 30_000 }, () => {
  let containerd: TestContainerd;
  let runtime: Runtime;
  let image = '';
  const pods = new Set<string>();

  beforeAll(async () => {
    containerd = await startTestContainerd();
    runtime = containerd.runtime();
    image = (await runtime.image('busybox:1'))?.id ?? '';
  }, 60_000);
  afterEach(async () => {
    for (const uid of pods) await runtime.removeSandbox(uid);
    pods.clear();
  }, 30_000);
  afterAll(() => containerd.close(), 60_000);

  const pod = async (extra: Partial<SandboxConfig> = {}): Promise<string> => {
    const config = sandboxConfig(extra);
    pods.add(config.uid);
    await runtime.createSandbox(config);
    return config.uid;
  };
  const run = (uid: string, script: string, extra: Partial<ContainerConfig> = {}) =>
    runtime.startContainer(containerConfig(uid, script, { image, ...extra }));
  const secured = (security: Partial<ContainerSecurity>): Partial<ContainerConfig> => ({
    security: { ...containerConfig('', '').security, ...security },
  });
  /** Starts one container in a pod of its own and gives what it printed until it ended. */
  const output = async (
    script: string,
    extra: Partial<ContainerConfig> = {},
    sandbox: Partial<SandboxConfig> = {},
  ) => {
    const { id } = await run(await pod(sandbox), script, extra);
    await ended(id);
    return (await readFile(runtime.logPath(id), 'utf8')).trim();
  };
  const find = async (id: string) =>
    (await runtime.listContainers()).find((container) => container.id === id);
  const ended = async (id: string) => {
    for (let tries = 0; tries < 200; tries++) {
      const container = await find(id);
      if (container?.state === 'exited') return container;
      await delay(50);
    }
    throw new Error(`${id} did not end`);
  };

  it('gives a container its hostname, environment, user, directory and files', async () => {
    const file = join(containerd.dir, 'hosts');
    await writeFile(file, '127.0.0.1 mounted\n');
    const script =
      'hostname; echo $HOSTNAME $WHO; id -u; id -g; id -G; pwd; cat /etc/hosts; touch /etc/hosts';
    const said = await output(script, {
      env: [{ name: 'WHO', value: 'me=you' }],
      workingDir: '/tmp',
      mounts: [{ hostPath: file, containerPath: '/etc/hosts', readOnly: true }],
      ...secured({ runAsUser: 1000, supplementalGroups: [5000] }),
    });
    expect(said.split('\n')).toEqual([
      'web-0',
      'web-0 me=you',
      ...['1000', '1001', '1001 1002 5000', '/tmp', '127.0.0.1 mounted'],
      'touch: /etc/hosts: Read-only file system',
    ]);
  });

  it('holds a container to its security context', async () => {
    const probe =
      'exec 2>&1; grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status; touch /x; echo 1 >/proc/sys/vm/swappiness';
    const locked = await output(
      probe,
      secured({
        dropCapabilities: ['ALL'],
        addCapabilities: ['CHOWN'],
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
      }),
    );
    expect(locked).toMatch(
      /CapEff:\s+0000000000000001\nNoNewPrivs:\s+1\nSeccomp:\s+2\n.*Read-only file system\n.*Read-only/s,
    );
    const plain = await output(probe);
    expect(plain).toMatch(/CapEff:\s+00000000a80425fb\nNoNewPrivs:\s+0\nSeccomp:\s+2\n/);
  });

  it('gives a privileged container everything', async () => {
    const script =
      'grep -E "^(Seccomp):" /proc/self/status; mount -t tmpfs x /tmp && echo mounted; ls /dev/null /dev/kmsg';
    expect(await output(script, secured({ privileged: true }))).toMatch(
      /Seccomp:\s+0\nmounted\n\/dev\/kmsg\n\/dev\/null/,
    );
  });

  it('refuses root where it must not be', async () => {
    const uid = await pod();
    await expect(run(uid, 'true', secured({ runAsNonRoot: true }))).rejects.toThrow(
      /runAsNonRoot and image will run as root/,
    );
  });

  it('shares network, shared memory and, if asked, processes between the containers of a pod', async () => {
    const uid = await pod();
    const first = await run(uid, 'echo from-first >/dev/shm/note; sleep 1000');
    const second = await run(
      uid,
      'until [ -s /dev/shm/note ]; do sleep 0.1; done; cat /dev/shm/note; ip -4 addr show eth0 | grep inet; ps | grep -c "sleep 1000"',
      {
        pidNamespaceOf: first.id,
      },
    );
    await ended(second.id);
    const log = await readFile(runtime.logPath(second.id), 'utf8');
    const [note, address, processes] = log.split('\n');
    expect(note).toBe('from-first');
    expect(address).toContain(` inet ${containerd.addressPrefix}.`);
    expect(Number(processes)).toBeGreaterThan(0);
  });

  it('sets sysctls and lets any user bind low ports', async () => {
    const said = await output(
      'cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/ip_unprivileged_port_start',
      {},
      { sysctls: { 'net.core.somaxconn': '1234' } },
    );
    expect(said).toBe('1234\n0');
  });

  it('tells that a container ran out of memory', async () => {
    const { id } = await run(await pod(), 'sleep 0.3; head -c 64m /dev/zero | tail', {
      resources: { oomScoreAdj: 0, memoryLimitBytes: 16 * 1024 * 1024 },
    });
    const container = await ended(id);
    expect(container.reason).toBe('OOMKilled');
    expect(container.exitCode).not.toBe(0);
  });

  it('connects a host port to a pod and lets go of it', async () => {
    const port = containerd.hostPort;
    const uid = await pod({ ports: [{ containerPort: 8080, hostPort: port, protocol: 'TCP' }] });
    await run(uid, 'nc -ll -p 8080 -e echo hello');
    const ask = async (address: string): Promise<string> => {
      const socket = connect(port, address);
      return text(socket).catch((error: Error) => error.message);
    };
    const own = Object.values(networkInterfaces()).flat();
    // Not the address of a pod's gateway: that goes with the pod.
    const isOwn = (address = ''): boolean => address !== '' && !address.startsWith('10.211.');
    const host = own.find((found) => found?.family === 'IPv4' && !found.internal && isOwn(found.address));
    const address = host?.address ?? '127.0.0.1';
    await until(async () => (await ask(address)) === 'hello\n');
    await runtime.removeSandbox(uid);
    expect(await ask(address)).toMatch(/ECONNREFUSED/);
  });

  const collect = (session: ExecSession): { all: string } => {
    const seen = { all: '' };
    session.stdout?.on('data', (chunk: Buffer) => {
      seen.all += chunk.toString();
    });
    return seen;
  };
  const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
    for (let tries = 0; tries < 800; tries++) {
      if (await condition()) return;
      await delay(25);
    }
    throw new Error(`did not come true: ${condition}`);
  };

  it('executes on a terminal of the size that is asked for', async () => {
    const { id } = await run(await pod(), 'sleep 1000');
    const session = await runtime.exec(id, {
      command: ['sh'],
      tty: true,
      stdin: true,
      stdout: true,
      stderr: false,
    });
    const seen = collect(session);
    await until(() => seen.all.includes('#'));
    session.resize({ columns: 123, rows: 45 });
    session.stdin?.write('until stty size | grep -q 123; do sleep 0.1; done; stty size; exit 6\n');
    expect(await session.exit).toBe(6);
    expect(seen.all).toMatch(/45 123\r\n/);
    expect(seen.all).not.toContain('\r\r\n');
  });

  it('gives a terminal the size that is asked for before it is there', async () => {
    const { id } = await run(await pod(), 'sleep 1000');
    const session = await runtime.exec(id, {
      command: ['sh', '-c', 'until stty size | grep -q 123; do sleep 0.1; done; stty size'],
      tty: true,
      stdin: true,
      stdout: true,
      stderr: false,
    });
    session.resize({ columns: 123, rows: 45 });
    const seen = collect(session);
    expect(await session.exit).toBe(0);
    expect(seen.all).toMatch(/45 123\r\n/);
  });

  it('executes with input to its end, and arguments no shell has touched', async () => {
    const { id } = await run(await pod(), 'sleep 1000');
    const odd = 'a "b" $HOME `x` \'y\' ; z\nnext';
    for (const tty of [false, true]) {
      const session = await runtime.exec(id, {
        command: ['printf', '%s', odd],
        tty,
        stdin: false,
        stdout: true,
        stderr: false,
      });
      const seen = collect(session);
      expect(await session.exit).toBe(0);
      expect(seen.all.replaceAll('\r', '')).toBe(odd);
    }
    const cat = await runtime.exec(id, {
      command: ['cat'],
      tty: false,
      stdin: true,
      stdout: true,
      stderr: true,
    });
    const seen = collect(cat);
    cat.stdin?.end('all of it');
    expect(await cat.exit).toBe(0);
    expect(seen.all).toBe('all of it');
  });

  it('executes as the container does, with pipes that can be opened again', async () => {
    const { id } = await run(await pod(), 'sleep 1000', secured({ runAsUser: 1000, runAsGroup: 2000 }));
    const session = await runtime.exec(id, {
      command: ['sh', '-c', 'id -u; id -g; cat /dev/stdin >/dev/stdout; echo bad >/dev/stderr; kill -9 $$'],
      tty: false,
      stdin: true,
      stdout: true,
      stderr: true,
    });
    const [out, err] = [text(session.stdout!), text(session.stderr!)];
    session.stdin?.end('given\n');
    expect(await session.exit).toBe(137);
    expect(await out).toBe('1000\n2000\ngiven\n');
    expect(await err).toBe('bad\n');
  });

  it('keeps what an executed command has said for a client that takes its time', async () => {
    const { id } = await run(await pod(), 'sleep 1000');
    const STEP_BYTES = 8192;
    const session = await runtime.exec(id, {
      command: ['head', '-c', '800000', '/dev/zero'],
      tty: false,
      stdin: false,
      stdout: true,
      stderr: true,
    });
    const stdout = session.stdout!;
    const isRunning = async (): Promise<boolean> =>
      (await runtime.execSync(id, ['ps'], 20_000)).output.includes('head -c');
    let sizeBytes = 0;
    // Until everything between is as full as the command could make it.
    while (sizeBytes === 0 || (await isRunning())) {
      const chunk = stdout.read(Math.min(STEP_BYTES, stdout.readableLength)) as Buffer | null;
      if (chunk) sizeBytes += chunk.length;
      else await once(stdout, 'readable');
    }
    await delay(LIMITS.runtime.execDrainMs + 1500);
    for await (const chunk of stdout) sizeBytes += (chunk as Buffer).length;
    expect(sizeBytes).toBe(800_000);
    expect(await session.exit).toBe(0);
  });

  it('does not wait for what an executed command leaves behind', async () => {
    const { id } = await run(await pod(), 'sleep 1000');
    const command = ['sh', '-c', 'sleep 778 & echo started; exit 4'];
    expect(await runtime.execSync(id, command, 20_000)).toEqual({ exitCode: 4, output: 'started\n' });
    const { output: processes } = await runtime.execSync(id, ['ps'], 20_000);
    expect(processes).toContain('sleep 778');
    // Nothing of ours is left: no number of a process, and nobody who waits.
    expect((await readdir(containerd.dir, { recursive: true })).filter((name) => /exec-/.test(name))).toEqual(
      [],
    );
    const { stdout } = await containerd.exec.run(['ps', '-eo', 'args']);
    expect(stdout.split('\n').filter((line) => line.includes(id) && line.startsWith('perl'))).toEqual([]);
  });

  it('ends an executed process that is closed', async () => {
    const { id } = await run(await pod(), 'sleep 1000');
    const processes = async (): Promise<string> => (await runtime.execSync(id, ['ps'], 20_000)).output;
    for (const tty of [false, true]) {
      const session = await runtime.exec(id, {
        command: ['sleep', '777'],
        tty,
        stdin: false,
        stdout: true,
        stderr: true,
      });
      await until(async () => (await processes()).includes('777'));
      session.close();
      expect(await session.exit).not.toBe(0);
    }
    expect(await processes()).not.toContain('777');
  });

  it('ends an executed process that is closed while it starts', async () => {
    const { id } = await run(await pod(), 'sleep 1000');
    const request = { tty: false, stdin: false, stdout: true, stderr: true };
    const exits = [0, 5, 10, 20, 30, 40, 50].map(async (afterMs) => {
      const session = await runtime.exec(id, { command: ['sleep', '779'], ...request });
      await delay(afterMs);
      session.close();
      return await session.exit;
    });
    for (const code of await Promise.all(exits)) expect(code).not.toBe(0);
    expect((await runtime.execSync(id, ['ps'], 20_000)).output).not.toContain('779');
  });

  it('forwards a port in both directions, with half-closed connections', async () => {
    const uid = await pod();
    const { id } = await run(uid, 'nc -l -p 7000 -e cat');
    // It takes one connection only: a try would be that one.
    const isListening = ['grep', '-qi', ':1B58 ', '/proc/net/tcp', '/proc/net/tcp6'];
    await until(async () => (await runtime.execSync(id, isListening, 20_000)).exitCode === 0);
    const stream = await runtime.portForward(uid, 7000);
    const payload = 'x'.repeat(300_000);
    stream.end(payload);
    expect((await text(stream)).length).toBe(payload.length);
    // The port's own end comes through in full, although nobody ended the other direction.
    await run(uid, 'yes | head -c 300000 | nc -l -p 7001 -w 1');
    await delay(200);
    const oneWay = await runtime.portForward(uid, 7001);
    oneWay.write('still here');
    expect((await text(oneWay)).length).toBe(300_000);
    oneWay.destroy();
  });

  it('attaches to a container with a terminal, also after a restart of the driver', async () => {
    const { id } = await run(await pod(), 'echo ready; exec sh', { tty: true, stdin: true });
    await until(async () => (await readFile(runtime.logPath(id), 'utf8')).includes('ready'));
    const first = await runtime.attach(id, { stdin: true, stdout: true });
    const seen = collect(first);
    first.resize({ columns: 90, rows: 30 });
    first.stdin?.write('until stty size | grep -q 90; do sleep 0.1; done; stty size; echo one\n');
    await until(() => /30 90\r\n[\s\S]*one\r\n/.test(seen.all));
    first.close();
    runtime = containerd.runtime();
    const second = await runtime.attach(id, { stdin: true, stdout: true });
    const again = collect(second);
    second.stdin?.write('echo two; exit 5\n');
    await until(() => again.all.includes('two\r\n')).catch((cause: unknown) => {
      throw new Error(`said only ${JSON.stringify(again.all)}`, { cause });
    });
    expect((await ended(id)).exitCode).toBe(5);
    expect(await second.exit).toBe(5);
    expect(await readFile(runtime.logPath(id), 'utf8')).toMatch(/^ready\r\n/);
  });

  it('ends the input of a stdinOnce container with its first client', async () => {
    const { id } = await run(await pod(), 'cat; echo end', { stdin: true, stdinOnce: true });
    const session = await runtime.attach(id, { stdin: true, stdout: true });
    const seen = collect(session);
    session.stdin?.end('piped\n');
    expect((await ended(id)).exitCode).toBe(0);
    await session.exit;
    await until(() => seen.all === 'piped\nend\n');
    // More than a pipe holds, to a reader that takes its time; a second client's input goes nowhere.
    const slow = await run(await pod(), 'sleep 1; wc -c; until [ -e /dev/shm/on ]; do sleep 0.1; done', {
      stdin: true,
      stdinOnce: true,
    });
    const big = await runtime.attach(slow.id, { stdin: true, stdout: true });
    const counted = collect(big);
    big.stdin?.end('x'.repeat(1_000_000));
    await until(() => counted.all === '1000000\n');
    const late = await runtime.attach(slow.id, { stdin: true, stdout: true });
    late.stdin?.end('late');
    await runtime.execSync(slow.id, ['touch', '/dev/shm/on'], 20_000);
    expect((await ended(slow.id)).exitCode).toBe(0);
    // Without any client the pipe's reader must not outlive the container.
    const lonely = await run(await pod(), 'exit 4', { stdin: true, stdinOnce: true });
    expect((await ended(lonely.id)).exitCode).toBe(4);
    const { stdout: processes } = await containerd.exec.run(['ps', '-eo', 'args']);
    expect(processes).not.toContain(`${lonely.id}/stdin`);
    await expect(run(await pod(), '', { stdin: true, command: ['/absent'] })).rejects.toThrow(/\/absent/);
  });

  it('goes on when containerd dies and comes back, and misses no exit', async () => {
    const stop = new AbortController();
    const events: RuntimeEvent[] = [];
    void (async () => {
      for await (const event of runtime.events(stop.signal)) events.push(event);
    })();
    await until(() => events.length === 1);
    const uid = await pod();
    const { id, pid } = await run(uid, 'sleep 1000');
    const short = await run(uid, 'sleep 1; exit 8');
    process.kill(containerd.containerd.pid, 'SIGKILL');
    await until(() => events.length >= 2);
    expect(events.slice(1).every(({ type }) => type === 'resync' || type === 'exit')).toBe(true);
    expect(await find(id)).toMatchObject({ state: 'running', pid });
    expect(await ended(short.id)).toMatchObject({ exitCode: 8 });
    stop.abort();
  });

  it('gives a running container other limits, but not less memory than it uses', async () => {
    const { id } = await run(await pod(), 'sleep 1000');
    const limit = async (): Promise<number> => {
      const files = '/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max';
      const { output } = await runtime.execSync(id, ['sh', '-c', `cat ${files} 2>/dev/null`], 5000);
      return Number(output);
    };
    const memoryLimitBytes = 64 * 1024 * 1024;
    await runtime.updateContainer(id, { cpuShares: 200, memoryLimitBytes, oomScoreAdj: 0 });
    expect(await limit()).toBe(memoryLimitBytes);
    await expect(runtime.updateContainer(id, { memoryLimitBytes: 4096, oomScoreAdj: 0 })).rejects.toThrow(
      /^attempting to set container memory limit \(4096\) below current usage \(\d+\)$/,
    );
    expect(await limit()).toBe(memoryLimitBytes);
    await runtime.removeContainer(id);
    await expect(runtime.updateContainer(id, { oomScoreAdj: 0 })).rejects.toThrow('not found');
  });

  it('leaves no mount, no cgroup and no process behind', async () => {
    const uid = await pod();
    await run(uid, 'sleep 1000');
    const cgroup = sandboxConfig({ uid }).cgroupParent;
    expect(await createCgroups().stats(cgroup, 0)).toBeDefined();
    await runtime.removeSandbox(uid);
    const hierarchies = await readdir('/sys/fs/cgroup');
    expect(hierarchies.filter((name) => existsSync(join('/sys/fs/cgroup', name, cgroup)))).toEqual([]);
    expect((await mountsBelow(join(containerd.dir, 'run'))).length).toBe(0);
  });

  it('gives a pod that needs a new network the address it had, unless another pod has it', async () => {
    const addressOf = async (wanted: string) =>
      (await runtime.listSandboxes()).find(({ uid }) => uid === wanted)?.ips[0] ?? '';
    const uid = await pod();
    const before = await addressOf(uid);
    await pod();
    await runtime.removeSandbox(uid);
    await runtime.createSandbox(sandboxConfig({ uid }));
    expect(await addressOf(uid)).toBe(before);
    await runtime.removeSandbox(uid);
    const lease = join(containerd.dir, 'run/cni/kedge', before);
    await writeFile(lease, 'somebody-else\neth0');
    await runtime.createSandbox(sandboxConfig({ uid }));
    expect(await addressOf(uid)).toMatch(new RegExp(`^${containerd.addressPrefix}\\.`));
    expect(await addressOf(uid)).not.toBe(before);
    await rm(lease);
  });

  it('says what to do about a pod range or a plugin that is missing', async () => {
    await expect(containerd.runtime({ podCidrs: () => [] }).createSandbox(sandboxConfig())).rejects.toThrow(
      /no pod range/,
    );
    const noPlugins = containerd.runtime({ binDirs: ['/nonexistent'] }).createSandbox(sandboxConfig());
    await expect(noPlugins).rejects.toThrow(/plugin ptp not found in \/nonexistent \(apt install/);
  });
});
