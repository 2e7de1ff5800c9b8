import { getHeapStatistics } from 'node:v8';
import { collectGarbage } from './collect-garbage.ts';
import { libC } from './libc.ts';
import type { ProcessMemory } from './memory-tidier.ts';
import { unmapProgram } from './program-pages.ts';

/**
 * Of this process. V8 returns its own pages; what lay beside the heap goes back to glibc, which has to be told to
 * return it ({@link https://man7.org/linux/man-pages/man3/malloc_trim.3.html}) and which only `node:ffi` reaches. What
 * only the start ran of the program itself need not stay mapped either.
 */
export const processMemory: ProcessMemory = {
  heldBytes() {
    const { total_physical_size: heap, external_memory: outside } = getHeapStatistics();
    return heap + outside;
  },
  async giveBack() {
    collectGarbage();
    trimMalloc();
    unmapProgram();
  },
};

/** True when glibc had something to return. A Node without FFI, or another C library, does without. */
export function trimMalloc(): boolean {
  try {
    return libC().malloc_trim(0n) === 1;
  } catch {
    return false;
  }
}
