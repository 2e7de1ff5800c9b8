import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Pod } from '../../src/api/types.gen.ts';
import { Board, IMAGE, KEDGE } from './board.ts';

const pod = (name: string, command: string, more = ''): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { run: ${name.replace(/-\d+$/, '')} } }
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - { name: main, image: ${IMAGE}, command: [sh, -c, ${JSON.stringify(command)}] ${more} }
---`;
const FOREVER = 'trap "exit 0" TERM; while :; do sleep 1000 & wait; done';

async function pods(board: Board): Promise<readonly Pod[]> {
  return (JSON.parse(await board.ok(['get', 'pods', '-o', 'json'])) as { items: Pod[] }).items;
}
const containerId = ({ status }: Pod): string =>
  status?.containerStatuses?.[0]?.containerID?.replace('containerd://', '') ?? '';
const restarts = ({ status }: Pod): number => status?.containerStatuses?.[0]?.restartCount ?? 0;
const isReady = ({ status }: Pod): boolean => status?.containerStatuses?.every(({ ready }) => ready) === true;

/** First processes of the containers, by container id. */
async function tasks(board: Board): Promise<Map<string, string>> {
  const socket = join(board.stateDir, 'containerd/containerd.sock');
  const { stdout } = await board.run(['ctr', '--address', socket, '-n', 'k8s.io', 'tasks', 'list']);
  const lines = stdout.trim().split('\n').slice(1);
  return new Map(lines.map((line) => line.split(/\s+/) as [string, string]));
}

/** Addresses that host-local has given away. */
function leases(board: Board): readonly string[] {
  const folder = join(board.stateDir, 'cni/kedge');
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => /^\d+\./.test(name))
        .sort()
    : [];
}

async function allReady(board: Board, count: number): Promise<void> {
  try {
    await board.until(`${count} pods to be ready`, async () => {
      const list = await pods(board);
      return list.length === count && list.every(isReady);
    });
  } catch (cause) {
    const late = (await pods(board)).find((one) => !isReady(one))?.metadata?.name;
    const shown = late === undefined ? '' : await board.ok(['describe', 'pod', late]);
    throw new Error(`${await board.ok(['get', 'pods'])}\n${shown}`, { cause });
  }
}

/** What the API says runs is what containerd runs, and nothing else; each pod has the address it says. */
async function expectNoDuplicates(board: Board): Promise<void> {
  const list = await pods(board);
  const known = list.map(containerId).sort();
  await board.until('containerd to know each container once', async () => {
    const ids = await board.containerIds();
    return ids.join() === known.join();
  });
  expect([...(await tasks(board)).keys()].sort()).toEqual(known);
  expect(leases(board)).toEqual(list.map(({ status }) => status?.podIP ?? '').sort());
}

describe('a server that cannot start', () => {
  let board: Board;
  beforeAll(() => {
    board = Board.create();
  });
  afterEach(async () => {
    await board.stop('SIGKILL');
  });
  afterAll(async () => await board.remove());

  const server = (...prefix: string[]) =>
    board.run([...prefix, KEDGE, 'server', ...board.serverFlags], { timeoutMs: 30_000 });
  const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';

  it('says what to do where containerd is not installed', async () => {
    const { code, stderr } = await server('env', 'PATH=/nonexistent');
    expect(code).toBe(1);
    expect(lastLine(stderr)).toBe(
      'kedge: containerd is not installed; install it with: apt install containerd; without it, --disable-agent runs the API alone',
    );
    expect(existsSync(join(board.stateDir, 'kedge.pid'))).toBe(false);
  });

  it('says who must run it', async () => {
    expect(await server('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'kedge: containers need root: run as root, or with --disable-agent for the API alone\n',
    });
  });

  it('ends at once when told to while it starts', async () => {
    for (const line of ['msg=starting', 'API server listens']) {
      const before = board.log.length;
      board.spawn();
      await board.until(line, () => board.log.slice(before).includes(line));
      const since = performance.now();
      expect(await board.stop()).toBe(0);
      expect(performance.now() - since).toBeLessThan(5000);
      expect(board.log.slice(before)).toMatch(/msg=stopping signal=SIGTERM/);
      expect(existsSync(join(board.stateDir, 'kedge.pid'))).toBe(false);
    }
  });

  it('does not wait for a containerd that never answers', async () => {
    const folder = join(board.folder, 'bin');
    mkdirSync(folder);
    writeFileSync(join(folder, 'containerd'), '#!/bin/sh\nexec sleep 1000 # "$@"\n');
    chmodSync(join(folder, 'containerd'), 0o755);
    const before = board.log.length;
    board.spawn({ PATH: `${folder}:${process.env['PATH']}` });
    await board.until('API server listens', () => board.log.slice(before).includes('API server listens'));
    await board.until('containerd to be started', () =>
      existsSync(join(board.stateDir, 'containerd/containerd.pid')),
    );
    const since = performance.now();
    expect(await board.stop()).toBe(0);
    expect(performance.now() - since).toBeLessThan(3000);
  });
});

describe('a board with pods', () => {
  let board: Board;
  beforeAll(async () => {
    board = Board.create();
    await board.start();
  });
  afterAll(async () => await board.remove());
  afterEach(async () => {
    await board.kubectl(['delete', 'pods', '--all', '--now']);
  });

  it('starts each of 20 pods once, although the server is killed in the middle of it', async () => {
    const names = Array.from({ length: 20 }, (_, at) => `many-${at}`);
    await board.apply(names.map((name) => pod(name, FOREVER)).join('\n'));
    await board.until('some to run', async () => (await tasks(board)).size >= 5);
    await board.stop('SIGKILL');
    const before = await tasks(board);
    expect(before.size).toBeLessThan(20);
    await board.start();
    await allReady(board, 20);
    await expectNoDuplicates(board);
    const after = await tasks(board);
    const list = await pods(board);
    const ran = list.filter((one) => before.has(containerId(one)));
    expect(ran.map(restarts)).toEqual(ran.map(() => 0));
    // A container that was made but not started yet counts as a start, as upstream's kubelet counts it.
    for (const one of list) expect(restarts(one)).toBeLessThanOrEqual(1);
    const kept = [...before].filter(([id, pid]) => after.get(id) === pid);
    // One that was between creation and its record may be made anew; those that ran are not touched.
    expect(kept.length).toBeGreaterThanOrEqual(before.size - 2);
  });

  it('starts all pods although containerd is killed again and again', async () => {
    const names = Array.from({ length: 8 }, (_, at) => `stubborn-${at}`);
    await board.apply(names.map((name) => pod(name, FOREVER)).join('\n'));
    for (let round = 0; round < 3; round++) {
      const pid = board.containerdPid;
      process.kill(pid, 'SIGKILL');
      await board.until('containerd to be back', () => board.containerdPid !== pid);
      await new Promise((next) => setTimeout(next, 300));
    }
    await allReady(board, 8);
    await expectNoDuplicates(board);
  });

  it('shows a container that used too much memory as OOMKilled', async () => {
    await board.apply(
      pod(
        'greedy',
        'x=0123456789; while :; do x=$x$x; done',
        ', resources: { limits: { memory: 16Mi } }',
      ).replace('spec:', 'spec:\n  restartPolicy: Never'),
    );
    await board.until('it to end', async () =>
      /Failed/.test(await board.ok(['get', 'pod', 'greedy', '-o', 'jsonpath={.status.phase}'])),
    );
    const [greedy] = await pods(board);
    expect(greedy?.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({
      reason: 'OOMKilled',
      exitCode: 137,
    });
    expect(await board.ok(['get', 'pod', 'greedy', '--no-headers'])).toMatch(/OOMKilled/);
  });

  it('bounds the log of a container that never stops talking', async () => {
    await board.apply(
      pod(
        'chatty',
        'yes 0123456789012345678901234567890123456789 | head -n 1500000; echo the end; sleep 1000',
      ),
    );
    await board.until('it to have said all', async () =>
      /the end/.test(await board.ok(['logs', 'chatty', '--tail=1']).catch(() => '')),
    );
    const onDiskBytes = () =>
      Number(
        execFileSync('du', ['-s', '-B1', join(board.dataDir, 'agent/logs')], { encoding: 'utf8' }).split(
          '\t',
        )[0],
      );
    await board.until('the log to be cut', () => onDiskBytes() < 12 * 1024 * 1024);
    expect(await board.ok(['logs', 'chatty', '--tail=2'])).toBe(
      '0123456789012345678901234567890123456789\nthe end\n',
    );
  });

  it('runs everything again after the power was gone, with the addresses that are free', async () => {
    const names = Array.from({ length: 10 }, (_, at) => `phoenix-${at}`);
    await board.apply(names.map((name) => pod(name, FOREVER)).join('\n'));
    await allReady(board, 10);
    const before = await pods(board);
    await board.powerCycle();
    expect(existsSync(board.stateDir)).toBe(false);
    await board.start();
    await board.until('all to run in new containers', async () => {
      const list = await pods(board);
      return list.length === 10 && list.every((one) => isReady(one) && restarts(one) >= 1);
    });
    await expectNoDuplicates(board);
    const old = new Set(before.map(containerId));
    expect((await pods(board)).filter((one) => old.has(containerId(one)))).toEqual([]);
    expect((await pods(board)).map(({ metadata }) => metadata?.uid).sort()).toEqual(
      before.map(({ metadata }) => metadata?.uid).sort(),
    );
  });

  it('stops within five seconds and leaves ten pods running', async () => {
    const names = Array.from({ length: 10 }, (_, at) => `lasting-${at}`);
    await board.apply(names.map((name) => pod(name, FOREVER)).join('\n'));
    await allReady(board, 10);
    const before = await tasks(board);
    expect(readFileSync(join(board.stateDir, 'kedge.pid'), 'utf8')).toBe(`${board.pid}\n`);
    const since = performance.now();
    expect(await board.stop()).toBe(0);
    expect(performance.now() - since).toBeLessThan(5000);
    expect(existsSync(join(board.stateDir, 'kedge.pid'))).toBe(false);
    for (const pid of before.values()) expect(existsSync(`/proc/${pid}`)).toBe(true);
    await board.start();
    expect(await tasks(board)).toEqual(before);
    await expectNoDuplicates(board);
  });
});
