import { resolve } from 'node:path';
import { LIMITS } from '../../src/lib/limits.ts';
import type { Board } from '../e2e/board.ts';
import { median } from './table.ts';

/** What every section of the benchmark gets. */
export interface Bench {
  /** The executable, as an installer leaves it on the disk. */
  readonly binary: string;
  readonly idleMinutes: number;
  readonly progress: (text: string) => void;
}

/** A pod that sleeps; wherever the scheduler puts it, unless a node is named. */
export const podNamed = (name: string, image: string, nodeName?: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      ...(nodeName === undefined ? {} : { nodeName }),
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'main', image, command: ['sleep', '100000'] }],
    },
  });

export const pause = (ms: number): Promise<void> => new Promise((next) => setTimeout(next, ms));

/** Runs a job of `load.ts` in the board's network and returns what it measured. */
export async function load<T>(board: Board, ...args: readonly (string | number)[]): Promise<T> {
  const script = resolve(import.meta.dirname, 'load.ts');
  const argv = [process.execPath, script, board.kubeconfig, ...args.map(String)];
  const { code, stdout, stderr } = await board.run(argv, { timeoutMs: 300_000 });
  if (code !== 0) throw new Error(`load ${args.join(' ')}: ${stderr}${stdout}`);
  return JSON.parse(stdout) as T;
}

/** Until a server has given back what a start or a burst left, twice `LIMITS.memory.quietMs` and some more. */
export const TIDIED_MS = 2 * LIMITS.memory.quietMs + 5000;

const STARTS = 5;

/** Median milliseconds from the start of the process, over several starts of a board that ran before; it runs at the end. */
export async function startTimes(
  board: Board,
  withNode: boolean,
): Promise<{ readyzMs: number; nodeReadyMs: number }> {
  const readyz: number[] = [];
  const nodeReady: number[] = [];
  for (let round = 0; round < STARTS; round++) {
    await board.stop();
    const waiting = load<{ readyzAt: number; nodeReadyAt: number }>(board, 'ready', withNode ? 'any' : '');
    // Longer than the whole second that a heartbeat is rounded down to.
    await pause(2000);
    const startedAt = Date.now();
    board.spawn();
    const seen = await waiting;
    readyz.push(seen.readyzAt - startedAt);
    nodeReady.push(seen.nodeReadyAt - startedAt);
    await pause(2000);
  }
  return { readyzMs: median(readyz), nodeReadyMs: median(nodeReady) };
}
