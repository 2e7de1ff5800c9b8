import { describe, expect, it } from 'vitest';
import { collectGarbage } from './collect-garbage.ts';
import { processMemory, trimMalloc } from './process-memory.ts';

describe('memory of this process', () => {
  it('counts what is kept outside the heap', () => {
    const before = processMemory.heldBytes();
    const kept = Buffer.alloc(32 * 1024 * 1024, 1);
    expect(processMemory.heldBytes() - before).toBeGreaterThan(kept.length / 2);
  });

  it('collects what nobody holds any more', () => {
    let large: Buffer | undefined = Buffer.alloc(32 * 1024 * 1024, 1);
    const before = processMemory.heldBytes();
    expect(large).toHaveLength(32 * 1024 * 1024);
    large = undefined;
    collectGarbage();
    expect(before - processMemory.heldBytes()).toBeGreaterThan(16 * 1024 * 1024);
    expect(globalThis.gc).toBeUndefined();
  });

  it('returns what glibc keeps of what was freed', () => {
    // Small pieces, since large ones go back at once; some stay in between, since glibc returns the end by itself.
    const pieces = Array.from({ length: 20_000 }, () => Buffer.allocUnsafeSlow(4096).fill(1));
    const kept = pieces.filter((_, index) => index % 100 === 0);
    pieces.length = 0;
    collectGarbage();
    expect(trimMalloc()).toBe(true);
    expect(kept).toHaveLength(200);
  });
});
