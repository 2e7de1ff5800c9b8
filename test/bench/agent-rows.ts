import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Board, IMAGE } from '../e2e/board.ts';
import { type Bench, pause, podNamed, startTimes } from './measure.ts';
import { bytesWrittenBy, cpuSecondsOf, memoryOf, processesWith } from './process.ts';
import type { Row } from './table.ts';

/** One board with everything: start, pods, memory, and what it does while nothing happens. */
export async function agentRows(bench: Bench): Promise<Row[]> {
  const { binary, progress } = bench;
  const board = Board.create({ binary });
  try {
    progress('server and agent: starts');
    await board.start();
    const { readyzMs, nodeReadyMs } = await startTimes(board, true);
    const rows: Row[] = [
      { what: 'server start → `/readyz`', budget: 700, unit: 'ms', measured: readyzMs },
      { what: 'server start → node Ready', budget: 2000, unit: 'ms', measured: nodeReadyMs },
    ];
    progress('60 pods at 5 a second');
    rows.push(...(await podStarts(board)));
    progress('10 pods');
    const names = Array.from({ length: 10 }, (_, n) => `idle-${n}`);
    await board.apply(names.map((name) => podNamed(name, IMAGE)).join('\n---\n'));
    await board.ok(['wait', '--for=condition=Ready', 'pod', '--all', '--timeout=60s']);
    await pause(30_000);
    rows.push(...memoryRows(board));
    rows.push(...(await idleRows(board, bench)));
    return rows;
  } finally {
    await board.remove();
  }
}

function memoryRows(board: Board): Row[] {
  const own = memoryOf(board.pid);
  const shims = processesWith(`${board.stateDir}/containerd`).filter((pid) =>
    readFileSync(`/proc/${pid}/comm`, 'utf8').includes('shim'),
  );
  const average = (values: readonly number[]): number =>
    values.reduce((sum, one) => sum + one, 0) / Math.max(1, values.length);
  const ofShims = shims.map((pid) => memoryOf(pid));
  return [
    { what: 'server + agent idle, 10 pods: anonymous', budget: 60, unit: 'MB', measured: own.anonymousMB },
    { what: 'server + agent idle, 10 pods: PSS', budget: 110, unit: 'MB', measured: own.pssMB },
    { what: 'server + agent idle, 10 pods: RSS', unit: 'MB', measured: own.rssMB },
    {
      what: `memory per pod: PSS of a shim (${shims.length} shims)`,
      budget: 6,
      unit: 'MB',
      measured: average(ofShims.map(({ pssMB }) => pssMB)),
    },
    {
      what: 'memory per pod: RSS of a shim',
      unit: 'MB',
      measured: average(ofShims.map(({ rssMB }) => rssMB)),
    },
  ];
}

async function idleRows(board: Board, { idleMinutes, progress }: Bench): Promise<Row[]> {
  progress(`idle for ${idleMinutes} minutes`);
  const cpu = cpuSecondsOf(board.pid);
  const disk = bytesWrittenBy(board.pid);
  const snapshots = board.snapshotBytes;
  await pause(idleMinutes * 60_000);
  const cpuShare = (cpuSecondsOf(board.pid) - cpu) / (idleMinutes * 60);
  // The snapshot of the day, ten minutes after a start, is counted once a day, not once a window.
  const window = bytesWrittenBy(board.pid) - disk;
  const daily = Math.min(window, board.snapshotBytes - snapshots);
  const perDay = (window - daily) * ((24 * 60) / idleMinutes) + daily;
  return [
    { what: 'idle CPU of one core', budget: 1, unit: '%', measured: cpuShare * 100 },
    {
      what: `idle bytes written per day (from ${idleMinutes} min, one board)`,
      budget: 20,
      unit: 'MB',
      measured: perDay / 1e6,
    },
    { what: `idle bytes written in ${idleMinutes} min`, unit: 'MB', measured: window / 1e6 },
    { what: 'of these, the snapshot of the day', unit: 'MB', measured: daily / 1e6 },
  ];
}

/** From the request that creates a pod to its `Running` on a watch, five pods a second. */
async function podStarts(board: Board): Promise<Row[]> {
  const total = 60;
  const script = (name: string, ...args: readonly string[]) =>
    board.run([process.execPath, resolve(import.meta.dirname, name), board.kubeconfig, ...args], {
      timeoutMs: 180_000,
    });
  const watching = script('pod-watch.ts', String(total));
  await pause(2000);
  const created = stamps((await script('pod-create.ts', String(total), '5', IMAGE)).stdout);
  const running = stamps((await watching).stdout);
  const latencies = [...created]
    .map(([name, at]) => (running.get(name) ?? Number.POSITIVE_INFINITY) - at)
    .sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(total * share)] ?? Number.NaN;
  await board.ok(['delete', 'pods', '--all', '--wait', '--timeout=90s']);
  return [
    { what: 'pod create → Running, 5 pods/s: p50', budget: 250, unit: 'ms', measured: at(0.5) },
    { what: 'pod create → Running, 5 pods/s: p99', budget: 1000, unit: 'ms', measured: at(0.99) },
  ];
}

/** Lines `name milliseconds`; the first of a name counts. */
function stamps(text: string): Map<string, number> {
  const pairs = text
    .trim()
    .split('\n')
    .map((line): [string, number] => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]);
  return new Map(pairs.reverse());
}
