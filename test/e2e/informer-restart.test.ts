import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { InformerReport } from '../fixtures/informer.ts';
import { Board } from './board.ts';

let board: Board;
beforeAll(async () => {
  board = Board.create({ agent: false });
  await board.start();
});
afterAll(async () => await board.remove());

it('an informer of client-node misses and doubles nothing while the server is killed and started again', async () => {
  const program = join(import.meta.dirname, '../fixtures/informer.ts');
  const child = spawn(
    'nsenter',
    [`--net=/run/netns/${board.name}`, process.execPath, program, board.kubeconfig, 'default', '300'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let lastLine = '';
  for await (const line of createInterface(child.stdout)) {
    lastLine = line;
    if (line !== 'ready' && line !== 'halfway') continue;
    // Writing goes on meanwhile, at first into nothing.
    await board.stop(line === 'ready' ? 'SIGTERM' : 'SIGKILL');
    board.spawn();
  }
  const { told, happened, acknowledged, restarts, lists } = JSON.parse(lastLine) as InformerReport;
  expect(restarts).toBeGreaterThanOrEqual(2);
  // Once to begin with, once by the informer: never again, for every watch goes on where the last one ended.
  expect(lists).toBe(2);
  expect(told).toEqual(happened);
  expect(acknowledged.length).toBeGreaterThan(50);
  const versions = new Set(happened.map((one) => one.split(' ')[2]));
  expect(acknowledged.filter((version) => !versions.has(version))).toEqual([]);
});
