import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// Test files, threads and child processes start from compiled modules: each of a hundred starts twice as fast.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules/.cache/compiled');

export default defineConfig({
  test: {
    include: [
      'src/**/*.test.ts',
      'test/*.test.ts',
      'test/bench/*.test.ts',
      'test/contract/**/*.test.ts',
      'test/sim/**/*.test.ts',
      'test/golden/**/*.test.ts',
      'test/fuzz/**/*.test.ts',
    ],
    pool: 'forks',
    maxWorkers: 2,
    // They end what hangs; how fast the machine is decides nothing.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
