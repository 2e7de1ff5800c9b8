import { defineConfig } from 'vitest/config';

/** Specs share one cluster, which run.ts has started; most of their time they wait for it. */
export default defineConfig({
  test: {
    include: ['test/e2e/conformance/sig-*/**/*.test.ts'],
    pool: 'forks',
    isolate: false,
    maxWorkers: 2,
    sequence: { concurrent: true },
    maxConcurrency: 6,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
