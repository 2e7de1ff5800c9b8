import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstIndex, lastIndex, pieces } from './text-search.ts';

/** Texts of two letters, long enough not to be left to JavaScript. */
const texts = fc
  .tuple(
    fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 6 }),
    fc.integer({ min: 0, max: 9 }),
  )
  .map(([seed, cut]) => ({ text: seed.repeat(20_000), part: seed.repeat(20).slice(cut), cut }));

describe('searching long texts', () => {
  it('finds what JavaScript finds', () => {
    fc.assert(
      fc.property(texts, ({ text, part, cut }) => {
        for (const wanted of [part, `${part}a`, `b${part}`].filter((one) => one !== '')) {
          expect(firstIndex(text, wanted, cut)).toBe(text.indexOf(wanted, cut));
          expect(lastIndex(text, wanted)).toBe(text.lastIndexOf(wanted));
          expect(lastIndex(text, wanted, 777)).toBe(text.lastIndexOf(wanted, 777));
          expect(pieces(text, wanted).join('|') === text.split(wanted).join('|')).toBe(true);
        }
      }),
      { seed: 7, numRuns: 20 },
    );
  });

  it('takes no longer for texts that are made to be slow', () => {
    const run = 'a'.repeat(1_000_000);
    const before = performance.now();
    expect(lastIndex(run + run, `${run}b`)).toBe(-1);
    expect(firstIndex(run + run, `${run}b${run}`.slice(1, 1_500_000))).toBe(-1);
    expect(pieces(run + run, `${run}b`)).toHaveLength(1);
    expect(performance.now() - before).toBeLessThan(20_000);
  });
});
