import { Board } from '../e2e/board.ts';
import { type Bench, load, pause, startTimes, TIDIED_MS } from './measure.ts';
import { memoryOf } from './process.ts';
import { measureSchema } from './schema.ts';
import type { Row } from './table.ts';

const OBJECTS = 10_000;

/** What many objects cost an API server without a node: memory after they were written, and again after a restart. */
export async function memoryRows({ binary, progress }: Bench): Promise<Row[]> {
  progress('schema');
  const schema = await measureSchema();
  const rows: Row[] = [
    {
      what: `schema of all ${schema.kinds} kinds, each used once: heap, text and code`,
      budget: 6,
      unit: 'MB',
      measured: schema.usedMB,
    },
  ];
  const board = Board.create({ agent: false, binary });
  try {
    progress('10,000 ConfigMaps');
    await board.start();
    await pause(TIDIED_MS);
    const idleMB = memoryOf(board.pid).anonymousMB;
    const objects = '10,000 ConfigMaps of 1 KB';
    const growth = (when: string): Row => ({
      what: `${objects}, ${when}: anonymous memory more than idle`,
      budget: 40,
      unit: 'MB',
      measured: memoryOf(board.pid).anonymousMB - idleMB,
    });
    await load(board, 'config-maps', OBJECTS, 1000);
    await pause(TIDIED_MS);
    rows.push(growth('after they were written'));
    progress('starts with 10,000 ConfigMaps');
    const { readyzMs } = await startTimes(board, false);
    await pause(TIDIED_MS);
    rows.push(growth('after a restart'));
    rows.push({
      what: `server start → \`/readyz\`, ${objects}`,
      budget: 1500,
      unit: 'ms',
      measured: readyzMs,
    });
    return rows;
  } finally {
    await board.remove();
  }
}
