import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { createMemoryDatastore } from '../../src/datastore/memory.ts';
import { encodeForStorage } from '../../src/server/watchcache/stored-object.ts';
import { createWatchCache } from '../../src/server/watchcache/watch-caches.ts';

/** What a cache of pods costs to hold, to list and to watch. `node --expose-gc test/bench/watchcache.ts [pods]`. */
const count = Number(process.argv[2] ?? 5000);
const WATCHERS = 200;

function pod(index: number, phase: string) {
  const name = `web-${index % 100}-6d4b75cb6d-${index}`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: `ns-${index % 20}`,
      uid: `6f3f0f1e-0000-4000-8000-${String(index).padStart(12, '0')}`,
      labels: { app: `web-${index % 100}`, 'pod-template-hash': '6d4b75cb6d' },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: 'web',
          uid: `rs-${index % 100}`,
          controller: true,
        },
      ],
    },
    spec: {
      nodeName: `node-${index % 10}`,
      containers: [{ name: 'web', image: 'web', args: ['x'.repeat(2000)] }],
    },
    status: { phase },
  };
}

function memory(): { anonymousMiB: number; heapMiB: number; buffersMiB: number } {
  globalThis.gc?.();
  globalThis.gc?.();
  const status = readFileSync('/proc/self/status', 'utf8');
  const usage = process.memoryUsage();
  const mib = (bytes: number): number => Math.round((bytes / 1024 / 1024) * 10) / 10;
  return {
    anonymousMiB: mib(Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) * 1024),
    heapMiB: mib(usage.heapUsed),
    buffersMiB: mib(usage.arrayBuffers),
  };
}

const datastore = createMemoryDatastore();
let storedBytes = 0;
for (let index = 0; index < count; index++) {
  const object = pod(index, 'Pending');
  const value = encodeForStorage(object);
  storedBytes += value.length;
  await datastore.commit([
    { key: `/registry/core/pods/${object.metadata.namespace}/${object.metadata.name}`, value },
  ]);
}
console.log(`${count} pods, ${(storedBytes / 1024 / 1024).toFixed(1)} MiB of JSON`);
const before = memory();
const fillMs = performance.now();
const cache = await createWatchCache({
  datastore,
  resource: { namespaced: true },
  prefix: '/registry/core/pods/',
  selectableFields: {
    'spec.nodeName': (object) => (object as unknown as ReturnType<typeof pod>).spec.nodeName,
    'status.phase': (object) => (object as unknown as ReturnType<typeof pod>).status.phase,
  },
});
console.log(`filled in ${(performance.now() - fillMs).toFixed(0)} ms`);
// Objects just parsed live until the present turn of the event loop ends.
await new Promise((resolve) => setImmediate(resolve));
const after = memory();
console.log('the cache takes', {
  heapMiB: (after.heapMiB - before.heapMiB).toFixed(1),
  buffersMiB: (after.buffersMiB - before.buffersMiB).toFixed(1),
});

const listsMs = Array.from({ length: 5 }, () => {
  const startMs = performance.now();
  let bytes = 0;
  for (const object of cache.list({})) bytes += object.json().length;
  if (bytes < storedBytes) throw new Error('a short list');
  return performance.now() - startMs;
});
console.log(`list of all as JSON: ${Math.min(...listsMs).toFixed(1)}–${Math.max(...listsMs).toFixed(1)} ms`);

let delivered = 0;
let deliveredBytes = 0;
for (let index = 0; index < WATCHERS; index++) {
  const node = `node-${index % 10}`;
  const selection =
    index % 2
      ? {}
      : {
          matches: (object: { fields: object }) =>
            (object.fields as Record<string, string>)['spec.nodeName'] === node,
        };
  cache.watch(selection, cache.revision, {
    event: (event) => {
      delivered++;
      deliveredBytes += event.frame().length;
    },
    closed: () => {},
  });
}
const changes = 2000;
const watchMs = performance.now();
for (let index = 0; index < changes; index++) {
  const object = pod(index % count, 'Running');
  await datastore.commit([
    {
      key: `/registry/core/pods/${object.metadata.namespace}/${object.metadata.name}`,
      value: encodeForStorage(object),
    },
  ]);
}
const perChangeUs = ((performance.now() - watchMs) / changes) * 1000;
console.log(
  `${WATCHERS} watchers: ${perChangeUs.toFixed(0)} µs a change, ${delivered} events, ${(deliveredBytes / 1e6).toFixed(0)} MB`,
);
cache.close();
