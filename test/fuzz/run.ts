import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

/**
 * The fuzz suite for longer, each time with other seeds: `npm run fuzz [-- requests [seed]]`. A failure names the seed
 * of its request; the same seed brings it back.
 */
const [runs = '20000', seed = String(Date.now() % 4000)] = process.argv.slice(2);
if (![runs, seed].every((one) => /^\d{1,9}$/.test(one))) {
  console.error('usage: npm run fuzz [-- requests [seed]]');
  process.exit(2);
}
console.log(`fuzz: ${runs} requests, seed ${seed}`);
const root = resolve(import.meta.dirname, '../..');
const { status } = spawnSync(
  process.execPath,
  [resolve(root, 'node_modules/vitest/vitest.mjs'), 'run', 'test/fuzz'],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, KEDGE_FUZZ_RUNS: runs, KEDGE_FUZZ_SEED: seed },
  },
);
process.exit(status ?? 1);
