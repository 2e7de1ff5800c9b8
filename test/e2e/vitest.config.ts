import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    // They share one cluster: npm run conformance.
    exclude: ['test/e2e/conformance/**'],
    pool: 'forks',
    // Boards share two cores: one file at a time keeps deadlines honest.
    maxWorkers: 1,
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
