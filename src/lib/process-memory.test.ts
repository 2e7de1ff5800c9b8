import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { processMemory, trimMalloc } from './process-memory.ts';

describe('memory of this process', () => {
  it('counts what is kept outside the heap', () => {
    const before = processMemory.heldBytes();
    const kept = Buffer.alloc(32 * 1024 * 1024, 1);
    expect(processMemory.heldBytes() - before).toBeGreaterThan(kept.length / 2);
  });

  it('returns what glibc keeps of what was freed', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    // Small pieces, since large ones go back at once; some stay in between, since glibc returns the end by itself.
    const pieces = Array.from({ length: 20_000 }, () => Buffer.allocUnsafeSlow(4096).fill(1));
    const kept = pieces.filter((_, index) => index % 100 === 0);
    pieces.length = 0;
    collect();
    expect(trimMalloc()).toBe(true);
    expect(kept).toHaveLength(200);
  });
});
