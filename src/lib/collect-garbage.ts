import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

/**
 * Collects all garbage of this thread's heap, and shrinks the heap, before it returns. V8 shows its collector to
 * contexts made while a flag says so. The flag for the whole process, `--expose-gc`, would cost 100 ms at every start:
 * V8 refuses compiled code, Node's own included, that was made under other flags.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  try {
    const collect = runInNewContext('globalThis.gc') as Collect | undefined;
    // Another thread may have taken the flag back in between; then this time nothing is collected.
    collect?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  } finally {
    setFlagsFromString('--no-expose-gc');
  }
}
