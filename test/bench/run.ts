/**
 * Measures the packaged executable against the budgets and prints one table: `npm run bench [-- --idle-minutes=10]`.
 * Machines are noisy: read the ratios of one run, not single numbers of two.
 */
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Board, IMAGE, KEDGE } from '../e2e/board.ts';
import { bytesWrittenBy, cpuSecondsOf, memoryOf, processesWith } from './process.ts';

interface Row {
  readonly what: string;
  readonly budget: number | undefined;
  readonly unit: string;
  readonly measured: number | string;
  /** True where more is better. */
  readonly atLeast?: boolean;
}

const rows: Row[] = [];
const idleMinutes = Number(/--idle-minutes=(\d+)/.exec(process.argv.join(' '))?.[1] ?? 10);
const progress = (text: string): void => void process.stderr.write(`${text}\n`);

async function load<T>(board: Board, ...args: (string | number)[]): Promise<T> {
  const script = resolve(import.meta.dirname, 'load.ts');
  const { code, stdout, stderr } = await board.run(
    [process.execPath, script, board.kubeconfig, ...args.map(String)],
    { timeoutMs: 300_000 },
  );
  if (code !== 0) throw new Error(`load ${args.join(' ')}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

/** nsenter replaces itself, so the child's pid is the server's. */
const serverPid = (board: Board): number => board.pid;

async function startTimes(board: Board, agent: boolean): Promise<void> {
  const before = performance.now();
  board.spawn();
  const curl = (path: string): string => {
    try {
      return board.enter(['curl', '-sk', '--max-time', '1', `https://127.0.0.1:6443${path}`]);
    } catch {
      return '';
    }
  };
  while (curl('/readyz') !== 'ok')
    if (performance.now() - before > 60_000) throw new Error(`not ready: ${board.log}`);
  const readyMs = performance.now() - before;
  rows.push({
    what: `server start → /readyz${agent ? ' (with agent)' : ''}`,
    budget: 700,
    unit: 'ms',
    measured: readyMs,
  });
  if (!agent) return;
  while (!/ Ready /.test((await board.kubectl(['get', 'nodes', '--no-headers'])).stdout)) {
    if (performance.now() - before > 60_000) throw new Error(`node not Ready: ${board.log}`);
  }
  rows.push({
    what: 'server start → node Ready (kubectl included)',
    budget: 2000,
    unit: 'ms',
    measured: performance.now() - before,
  });
}

async function apiOnly(): Promise<void> {
  const board = Board.create({ agent: false });
  try {
    progress('API server alone: first start, then a second one');
    await board.start();
    await board.stop();
    await startTimes(board, false);
    await new Promise((next) => setTimeout(next, 5000));
    const idle = memoryOf(serverPid(board));
    rows.push({
      what: 'server without agent, idle: anonymous',
      budget: 40,
      unit: 'MB',
      measured: idle.anonymousMB,
    });
    progress('GET');
    const get = await load<{ p50Ms: number }>(board, 'get', 300);
    rows.push({ what: 'GET p50', budget: 1, unit: 'ms', measured: get.p50Ms });
    progress('writes');
    const writes = await load<{ perSecond: number; p99Ms: number; failed: number }>(board, 'writes', 16, 10);
    rows.push({
      what: 'durable API writes, 16 clients',
      budget: 3000,
      unit: '/s',
      measured: writes.perSecond,
      atLeast: true,
    });
    rows.push({ what: 'durable API writes p99', budget: 20, unit: 'ms', measured: writes.p99Ms });
    progress('watchers');
    const watch = await load<{ p99Ms: number; deliveries: number; lost: number; doubled: number }>(
      board,
      'watch',
      200,
      100,
      10,
    );
    rows.push({
      what: `watch delivery p99, 200 watchers (${watch.deliveries} deliveries)`,
      budget: 50,
      unit: 'ms',
      measured: watch.p99Ms,
    });
    rows.push({
      what: 'watch events lost or doubled',
      budget: 0,
      unit: '',
      measured: watch.lost + watch.doubled,
    });
    progress('5,000 pods');
    await load(board, 'fill', 5000);
    await load(board, 'list', 2);
    const before = memoryOf(serverPid(board)).anonymousMB;
    const list = await load<{ p50Ms: number; bytes: number }>(board, 'list', 20);
    const growth = memoryOf(serverPid(board)).anonymousMB - before;
    rows.push({
      what: `LIST of 5,000 pods p50 (${(list.bytes / 1e6).toFixed(1)} MB)`,
      budget: 60,
      unit: 'ms',
      measured: list.p50Ms,
    });
    rows.push({
      what: 'LIST of 5,000 pods: growth of anonymous memory',
      budget: 4,
      unit: 'MB',
      measured: growth,
    });
  } finally {
    await board.remove();
  }
}

const POD = (name: string): string =>
  `{apiVersion: v1, kind: Pod, metadata: {name: ${name}}, spec: {terminationGracePeriodSeconds: 0, containers: [{name: main, image: "${IMAGE}", command: [sleep, "100000"]}]}}`;

async function withAgent(): Promise<void> {
  const board = Board.create();
  try {
    progress('server and agent: first start, then a second one');
    await board.start();
    await board.stop();
    await startTimes(board, true);
    progress('60 pods at 5 a second');
    await podStarts(board);
    progress('10 pods');
    for (let n = 0; n < 10; n++) await board.apply(POD(`idle-${n}`));
    await board.ok(['wait', '--for=condition=Ready', 'pod', '--all', '--timeout=60s']);
    await new Promise((next) => setTimeout(next, 15_000));
    const memory = memoryOf(serverPid(board));
    rows.push({
      what: 'server + agent idle, 10 pods: anonymous',
      budget: 60,
      unit: 'MB',
      measured: memory.anonymousMB,
    });
    rows.push({ what: 'server + agent idle, 10 pods: PSS', budget: 110, unit: 'MB', measured: memory.pssMB });
    rows.push({
      what: 'server + agent idle, 10 pods: RSS',
      budget: undefined,
      unit: 'MB',
      measured: memory.rssMB,
    });
    const shims = processesWith(`${board.stateDir}/containerd`).filter((pid) =>
      readFileSync(`/proc/${pid}/comm`, 'utf8').includes('shim'),
    );
    const shimMB =
      shims.map((pid) => memoryOf(pid).pssMB).reduce((sum, one) => sum + one, 0) / Math.max(1, shims.length);
    rows.push({
      what: `memory per pod beyond the workload: PSS of a shim (${shims.length} shims)`,
      budget: 6,
      unit: 'MB',
      measured: shimMB,
    });
    progress(`idle for ${idleMinutes} minutes`);
    const cpu = cpuSecondsOf(serverPid(board));
    const disk = bytesWrittenBy(serverPid(board));
    await new Promise((next) => setTimeout(next, idleMinutes * 60_000));
    const perDay = (24 * 60) / idleMinutes;
    rows.push({
      what: 'idle CPU of one core',
      budget: 1,
      unit: '%',
      measured: ((cpuSecondsOf(serverPid(board)) - cpu) / (idleMinutes * 60)) * 100,
    });
    rows.push({
      what: `idle bytes written per day (from ${idleMinutes} min)`,
      budget: 20,
      unit: 'MB',
      measured: ((bytesWrittenBy(serverPid(board)) - disk) * perDay) / 1e6,
    });
  } finally {
    await board.remove();
  }
}

/** From creation to `Running` as the container's start time and the watch tell it, five pods a second. */
async function podStarts(board: Board): Promise<void> {
  const total = 60;
  const created = new Map<string, number>();
  const running = new Map<string, number>();
  const watching = board.run(
    [process.execPath, resolve(import.meta.dirname, 'pod-watch.ts'), board.kubeconfig, String(total)],
    { timeoutMs: 180_000 },
  );
  await new Promise((next) => setTimeout(next, 1000));
  const creating = board.run(
    [
      process.execPath,
      resolve(import.meta.dirname, 'pod-create.ts'),
      board.kubeconfig,
      String(total),
      '5',
      IMAGE,
    ],
    { timeoutMs: 180_000 },
  );
  for (const line of (await creating).stdout.trim().split('\n')) {
    const [name = '', at] = line.split(' ');
    created.set(name, Number(at));
  }
  for (const line of (await watching).stdout.trim().split('\n')) {
    const [name = '', at] = line.split(' ');
    if (!running.has(name)) running.set(name, Number(at));
  }
  const latencies = [...created]
    .map(([name, at]) => (running.get(name) ?? Number.POSITIVE_INFINITY) - at)
    .sort((a, b) => a - b);
  rows.push({
    what: 'pod create → Running p50, 5 pods/s',
    budget: 250,
    unit: 'ms',
    measured: latencies[Math.floor(total / 2)] ?? 0,
  });
  rows.push({
    what: 'pod create → Running p99, 5 pods/s',
    budget: 1000,
    unit: 'ms',
    measured: latencies[Math.floor(total * 0.99)] ?? 0,
  });
  await board.ok(['delete', 'pods', '--all', '--wait', '--timeout=90s']);
}

function print(): void {
  const lines = rows.map(({ what, budget, unit, measured, atLeast }) => {
    const value =
      typeof measured === 'string'
        ? measured
        : `${measured >= 100 ? measured.toFixed(0) : measured.toFixed(2)} ${unit}`;
    const ratio =
      typeof measured !== 'number' || !budget
        ? ''
        : `${(atLeast ? budget / measured : measured / budget).toFixed(2)}`;
    return `| ${what} | ${budget === undefined ? '' : `${atLeast ? '≥ ' : ''}${budget} ${unit}`} | ${value} | ${ratio} |`;
  });
  console.log(
    ['| what | budget | measured | ratio (1 = budget, less is better) |', '|---|---|---|---|', ...lines].join(
      '\n',
    ),
  );
}

rows.push({
  what: `executable on disk (${process.arch})`,
  budget: undefined,
  unit: 'MB',
  measured: statSync(KEDGE).size / 1e6,
});
await apiOnly();
await withAgent();
for (const what of ['agent alone idle: anonymous', 'release download, arm64']) {
  rows.push({ what, budget: undefined, unit: '', measured: 'not yet: needs joining and releases' });
}
print();
