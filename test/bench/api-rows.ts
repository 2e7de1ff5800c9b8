import { Board } from '../e2e/board.ts';
import { type Bench, load, pause, startTimes, TIDIED_MS } from './measure.ts';
import { memoryOf } from './process.ts';
import type { Row } from './table.ts';

/** The API server without a node: start, requests, watches, lists. */
export async function apiRows({ binary, progress }: Bench): Promise<Row[]> {
  const board = Board.create({ agent: false, binary });
  try {
    progress('API server alone: starts');
    await board.start();
    const { readyzMs } = await startTimes(board, false);
    await pause(TIDIED_MS);
    const idle = memoryOf(board.pid);
    const rows: Row[] = [
      { what: 'server without agent: start → `/readyz`', unit: 'ms', measured: readyzMs },
      { what: 'server without agent, idle: anonymous', budget: 40, unit: 'MB', measured: idle.anonymousMB },
      { what: 'server without agent, idle: PSS', unit: 'MB', measured: idle.pssMB },
    ];
    progress('GET');
    const get = await load<{ p50Ms: number }>(board, 'get', 500);
    rows.push({ what: 'GET p50, one client', unit: 'ms', measured: get.p50Ms });
    rows.push(...(await writeRows(board, progress)));
    rows.push(...(await watchRows(board, progress)));
    rows.push(...(await listRows(board, progress)));
    await pause(TIDIED_MS);
    const after = memoryOf(board.pid);
    rows.push({
      what: 'server with 5,000 pods after all this: anonymous',
      unit: 'MB',
      measured: after.anonymousMB,
    });
    return rows;
  } finally {
    await board.remove();
  }
}

async function writeRows(board: Board, progress: Bench['progress']): Promise<Row[]> {
  progress('writes');
  const writes = await load<{ perSecond: number; p99Ms: number; failed: number }>(board, 'writes', 16, 10);
  return [
    {
      what: 'durable API writes, 16 clients: rate',
      budget: 3000,
      unit: '/s',
      measured: writes.perSecond,
      atLeast: true,
    },
    { what: 'durable API writes, 16 clients: p99', budget: 20, unit: 'ms', measured: writes.p99Ms },
    { what: 'durable API writes refused', unit: '', measured: writes.failed },
  ];
}

async function watchRows(board: Board, progress: Bench['progress']): Promise<Row[]> {
  progress('watchers');
  const watch = await load<{ p99Ms: number; deliveries: number; lost: number; doubled: number }>(
    board,
    ...['watch', 200, 100, 50],
  );
  const what = `watch delivery, 200 watchers, 100 events/s (${watch.deliveries} deliveries)`;
  return [
    { what: `${what}: p99`, budget: 50, unit: 'ms', measured: watch.p99Ms },
    { what: 'watch events lost or doubled', unit: '', measured: watch.lost + watch.doubled },
  ];
}

async function listRows(board: Board, progress: Bench['progress']): Promise<Row[]> {
  progress('5,000 pods');
  await load(board, 'fill', 5000);
  await load(board, 'list', 5);
  await pause(3000);
  const before = memoryOf(board.pid).anonymousMB;
  const list = await load<{ p50Ms: number; bytes: number }>(board, 'list', 20);
  const growth = memoryOf(board.pid).anonymousMB - before;
  return [
    {
      what: `LIST of 5,000 pods (${(list.bytes / 1e6).toFixed(1)} MB): p50`,
      budget: 60,
      unit: 'ms',
      measured: list.p50Ms,
    },
    { what: 'LIST of 5,000 pods: growth of anonymous memory', budget: 4, unit: 'MB', measured: growth },
  ];
}
