import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { programRanges, unmapProgram } from './program-pages.ts';

const mapping = (line: string, anonymousKb: number, swapKb = 0) =>
  [
    line,
    'Size:                  4 kB',
    'Rss:                   4 kB',
    `Anonymous:             ${anonymousKb} kB`,
    'LazyFree:              0 kB',
    `Swap:                  ${swapKb} kB`,
    'SwapPss:               0 kB',
    'VmFlags: rd ex mr mw me',
    '',
  ].join('\n');

describe("the program's own pages", () => {
  it('are those of its file that nobody writes or has written', () => {
    const smaps = [
      mapping('00400000-0082e000 r--p 00000000 fe:00 2207868                  /usr/local/bin/kedge', 0),
      mapping('0082e000-03489000 r-xp 0042e000 fe:00 2207868                  /usr/local/bin/kedge', 0),
      mapping('072a7000-072dc000 r--p 06ea7000 fe:00 2207868                  /usr/local/bin/kedge', 56),
      mapping('072dc000-0735a000 rw-p 06edc000 fe:00 2207868                  /usr/local/bin/kedge', 0),
      mapping('0735a000-0735b000 r--s 06f5a000 fe:00 2207868                  /usr/local/bin/kedge', 0),
      mapping('7fd54e2c0000-7fd54e4d5000 r-xp 01627000 fe:00 9                /usr/lib/libc.so.6', 0),
      mapping('7fd54e4d5000-7fd54e4d6000 r--p 00000000 00:00 0', 0),
      mapping('7fd57f340000-7fd57f555000 r-xp 01627000 fe:00 2207868          /usr/local/bin/kedge.old', 0),
    ].join('');
    expect(programRanges(smaps, '/usr/local/bin/kedge')).toEqual([
      { start: 0x400000n, bytes: 0x42e000n },
      { start: 0x82e000n, bytes: 0x2c5b000n },
    ]);
  });

  it('are not those that the linker wrote to, even where all of them are swapped out', () => {
    const smaps = [
      mapping('072a7000-072dc000 r--p 06ea7000 fe:00 2207868                  /usr/local/bin/kedge', 0, 56),
      mapping('072dc000-072dd000 r--p 06edc000 fe:00 2207868                  /usr/local/bin/kedge', 4, 52),
    ].join('');
    expect(programRanges(smaps, '/usr/local/bin/kedge')).toEqual([]);
  });

  it('leave the process, which goes on', () => {
    const mappedKb = () =>
      Number(/RssFile:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? 0);
    const before = mappedKb();
    expect(unmapProgram()).toBe(true);
    expect(before - mappedKb()).toBeGreaterThan(10_000);
    expect(JSON.parse(JSON.stringify({ still: /h(er)e/.exec('here')?.[1] }))).toEqual({ still: 'er' });
  });
});
