import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Slabs, type Slot } from './slabs.ts';

const textOf = ({ buffer, start, length }: Slot): string => buffer.toString('latin1', start, start + length);

describe('slabs', () => {
  it('keep every string whole through any order of coming and going, in bounded room', () => {
    const step = fc.record({
      release: fc.boolean(),
      length: fc.integer({ min: 1, max: 700 }),
      pick: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const slabs = new Slabs(1024);
        const live: { slot: Slot; text: string }[] = [];
        steps.forEach(({ release, length, pick }, index) => {
          if (release && live.length > 0) {
            const [gone] = live.splice(pick % live.length, 1);
            if (gone) slabs.release(gone.slot);
          } else {
            const text = String.fromCharCode(97 + (index % 26)).repeat(length);
            live.push({ slot: slabs.store(Buffer.from(text)), text });
          }
        });
        for (const { slot, text } of live) expect(textOf(slot)).toBe(text);
        const liveBytes = live.reduce((sum, { text }) => sum + text.length, 0);
        // Half of each may be garbage, its end unused, and the present one is filling.
        expect(slabs.reservedBytes).toBeLessThanOrEqual(4 * liveBytes + 2 * 1024);
      }),
      { numRuns: 300 },
    );
  });

  it('give large strings room of their own, and take it back', () => {
    const slabs = new Slabs(1024);
    const slot = slabs.store(Buffer.alloc(100_000, 'x'));
    expect(slabs.reservedBytes).toBe(100_000);
    slabs.release(slot);
    expect(slabs.reservedBytes).toBe(0);
  });

  it('leave what somebody still reads untouched', () => {
    const slabs = new Slabs(1024);
    const slot = slabs.store(Buffer.from('read'));
    const { buffer, start, length } = slot;
    slabs.release(slot);
    for (let index = 0; index < 1000; index++) slabs.release(slabs.store(Buffer.alloc(100, 'y')));
    expect(buffer.toString('latin1', start, start + length)).toBe('read');
  });
});
