import { describe, expect, it } from 'vitest';
import { LIMITS } from '../src/lib/limits.ts';

/** Words that speak of time or size; a number of them means nothing without a unit. */
const MEASURES =
  /(time|timeout|delay|interval|period|duration|backoff|expiry|ttl|grace|size|length|memory|space)$/i;
const UNITS = /(bytes|KiB|MiB|chars|ms|seconds|minutes|percent)$/i;

type Limits = { readonly [name: string]: number | Limits };

function flatten(limits: Limits, path = ''): [path: string, value: number][] {
  return Object.entries(limits).flatMap(([name, value]): [string, number][] =>
    typeof value === 'number' ? [[path + name, value]] : flatten(value, `${path}${name}.`),
  );
}

describe('limits', () => {
  const all = flatten(LIMITS);

  it('are positive and finite', () => {
    expect(all.length).toBeGreaterThan(20);
    expect(all.filter(([, value]) => !(value > 0 && Number.isFinite(value)))).toEqual([]);
  });

  it('say their unit, or count things', () => {
    expect(all.filter(([path]) => MEASURES.test(path) && !UNITS.test(path))).toEqual([]);
  });

  it('count things in whole numbers', () => {
    const counts = all.filter(([path]) => !UNITS.test(path) && !/(factor|ratio|jitter|share)$/i.test(path));
    expect(counts.filter(([, value]) => !Number.isInteger(value))).toEqual([]);
  });
});
