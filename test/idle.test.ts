import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

/** docs/idle.md promises to name every timer, so each file that sets one must be there, and no other. */
const root = resolve(import.meta.dirname, '..');
const TIMER =
  /\bsetTimer\(|\bsetInterval\(|\bset(?:Socket)?Timeout\(|(?<![\w.#])sleep\(\s*(?:this\.|clock|options)/;
/** The clock itself makes timers for those that are listed. */
const CLOCK = 'src/lib/clock.ts';

function filesWithTimers(): string[] {
  return readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /(?<!\.test|fake|fake-clock)\.ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => TIMER.test(readFileSync(path, 'utf8')))
    .map((path) => relative(root, path))
    .filter((path) => path !== CLOCK)
    .sort();
}

describe('docs/idle.md', () => {
  it('names every file that sets a timer, and no other', () => {
    const text = readFileSync(join(root, 'docs/idle.md'), 'utf8');
    const named = [...text.matchAll(/\]\(\.\.\/(src\/[^)]+)\)/g)].map(([, path = '']) => path);
    expect([...new Set(named)].sort()).toEqual(filesWithTimers());
  });
});
