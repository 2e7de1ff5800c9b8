import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareKeys } from '../../datastore/keys.ts';
import type { CacheRecord } from './cache-record.ts';
import { SortedRecords } from './sorted-records.ts';

let revision = 0;
const record = (path: string): CacheRecord => ({ path, revision: ++revision }) as unknown as CacheRecord;
const paths = (records: readonly CacheRecord[]): string[] => records.map(({ path }) => path);

const names = fc.constantFrom('a/x', 'a/y', 'a-b/x', 'b/x', 'b/\ue000', 'b/\u{10000}', 'b/z', 'c');
const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('set' as const), path: names }),
    fc.record({ do: fc.constant('delete' as const), path: names }),
    fc.record({ do: fc.constant('list' as const), path: names }),
  ),
  { maxLength: 60 },
);

test('holds what a map holds, in key order, however writes and lists alternate', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const records = new SortedRecords();
      const model = new Map<string, CacheRecord>();
      for (const step of list) {
        if (step.do === 'set') {
          const one = record(step.path);
          expect(records.set(one)).toBe(model.get(step.path));
          model.set(step.path, one);
        } else if (step.do === 'delete') {
          expect(records.delete(step.path)).toBe(model.get(step.path));
          model.delete(step.path);
        } else {
          const sorted = [...model.values()].sort((one, other) => compareKeys(one.path, other.path));
          expect(records.all).toEqual(sorted);
          expect(records.inNamespace('b')).toEqual(sorted.filter(({ path }) => path.startsWith('b/')));
        }
        expect(records.get(step.path)).toBe(model.get(step.path));
        expect(records.size).toBe(model.size);
      }
    }),
  );
});

test('a list stays as it is while records change', () => {
  const records = new SortedRecords();
  for (const path of ['b', 'a', 'c']) records.set(record(path));
  const before = records.all;
  records.delete('a');
  records.set(record('d'));
  expect(paths(before)).toEqual(['a', 'b', 'c']);
  expect(paths(records.all)).toEqual(['b', 'c', 'd']);
});

test('thousands of changes that nobody lists are not remembered one by one', () => {
  const records = new SortedRecords();
  for (let n = 0; n < 5000; n++) {
    records.set(record(`n-${n}`));
    records.delete(`n-${n}`);
  }
  records.set(record('last'));
  expect(paths(records.all)).toEqual(['last']);
});

test('more changes than are remembered leave the order right', () => {
  const records = new SortedRecords();
  records.set(record('n-50'));
  const before = records.all;
  for (let n = 5000; n > 0; n--) records.set(record(`n-${n}`));
  const all = Array.from({ length: 5000 }, (_, at) => `n-${at + 1}`).sort(compareKeys);
  expect(paths(before)).toEqual(['n-50']);
  expect(paths(records.all)).toEqual(all);
  records.set(record('a'));
  records.delete(all[0]!);
  expect(paths(records.all)).toEqual(['a', ...all.slice(1)]);
});
