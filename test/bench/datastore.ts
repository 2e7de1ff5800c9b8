import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { openSqliteDatastore } from '../../src/datastore/sqlite/datastore.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';

/** Durable single-key writes by concurrent writers, then reads. `node test/bench/datastore.ts [seconds] [writers]`. */
const seconds = Number(process.argv[2] ?? 3);
const writers = Number(process.argv[3] ?? 16);
const KEYS = 1000;
const value = new TextEncoder().encode(`{"padding":"${'x'.repeat(2000)}"}`);

const folder = mkdtempSync(join(tmpdir(), 'kedge-bench-'));
const store = await openSqliteDatastore({
  path: join(folder, 'state.db'),
  log: silentLogger,
  clock: systemClock,
});
const latenciesMs: number[] = [];
const endMs = performance.now() + seconds * 1000;

async function writer(id: number): Promise<void> {
  for (let round = 0; performance.now() < endMs; round++) {
    const startMs = performance.now();
    const key = `/registry/core/pods/default/pod-${(round * writers + id) % KEYS}`;
    const result = await store.commit([{ key, value }]);
    if (!result.ok) throw new Error('unconditional write refused');
    latenciesMs.push(performance.now() - startMs);
  }
}

try {
  const cpu = process.cpuUsage();
  await Promise.all(Array.from({ length: writers }, (_, id) => writer(id)));
  const used = process.cpuUsage(cpu);
  latenciesMs.sort((a, b) => a - b);
  const at = (share: number): string => (latenciesMs[Math.floor(latenciesMs.length * share)] ?? 0).toFixed(2);
  const rate = Math.round(latenciesMs.length / seconds);
  const cpuUs = Math.round((used.user + used.system) / latenciesMs.length);
  console.log(
    `${writers} writers: ${rate} durable writes/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${cpuUs} µs CPU each`,
  );
  const listMs = performance.now();
  const { entries } = await store.list({ prefix: '/registry/core/pods/' });
  console.log(`list of ${entries.length}: ${(performance.now() - listMs).toFixed(1)} ms`);
  const compactMs = performance.now();
  await store.compact(store.revision);
  console.log(`compaction: ${(performance.now() - compactMs).toFixed(0)} ms`);
} finally {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
}
