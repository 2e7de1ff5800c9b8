import { readFileSync, readlinkSync } from 'node:fs';
import { libC } from './libc.ts';

/** Part of a process' memory: where it begins, and how long it is. */
export interface MemoryRange {
  readonly start: bigint;
  readonly bytes: bigint;
}

/**
 * Ranges that show this program's file and nothing else: code and constants, of which no page was written to. What is
 * taken from them the kernel maps again when it is used, from the page cache or the file. A page that the linker wrote
 * into counts wherever it is now: one that was swapped out is anonymous no more, and would be lost as well.
 */
export function programRanges(smaps: string, program: string): MemoryRange[] {
  const found: MemoryRange[] = [];
  let range: MemoryRange | undefined;
  for (const line of smaps.split('\n')) {
    const mapping = MAPPING.exec(line);
    if (mapping) range = mapping[4] === program ? rangeOf(mapping) : undefined;
    else if (range && OWN_PAGES.test(line)) {
      if (!NOTHING.test(line)) range = undefined;
      else if (line.startsWith('Swap:')) found.push(range);
    }
  }
  return found;
}

/** Start, end, permissions and path of a private mapping that cannot be written. */
const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) (r-[x-]p) \S+ \S+ \S+\s+(\S.*)$/;

/** Of a mapping's own pages; the kernel writes them in this order. */
const OWN_PAGES = /^(Anonymous|Swap):/;
const NOTHING = /\s0 kB$/;

function rangeOf([, start = '0', end = '0']: readonly string[]): MemoryRange {
  const from = BigInt(`0x${start}`);
  return { start: from, bytes: BigInt(`0x${end}`) - from };
}

/** https://man7.org/linux/man-pages/man2/madvise.2.html */
const MADV_DONTNEED = 4;

/**
 * Takes the program's own pages out of this process, most of which only its start needed: they stay in the page cache
 * for as long as there is room. True when something was taken. A Node without FFI does without.
 */
export function unmapProgram(): boolean {
  try {
    const { madvise } = libC();
    const ranges = programRanges(readFileSync('/proc/self/smaps', 'utf8'), readlinkSync('/proc/self/exe'));
    const taken = ranges.filter(({ start, bytes }) => madvise(start, bytes, MADV_DONTNEED) === 0);
    return taken.length > 0;
  } catch {
    return false;
  }
}
