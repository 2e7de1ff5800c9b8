import { expect, it } from 'vitest';
import { warningHeader } from './warning-header.ts';

it('quotes warnings, each once', () => {
  expect(warningHeader(['a "b" \\c', 'x\ny é 😀', 'a "b" \\c', ''])).toEqual([
    '299 - "a \\"b\\" \\\\c"',
    '299 - "x y é ?"',
  ]);
  expect(warningHeader([])).toEqual([]);
});

it('leaves 4096 characters whole, and cuts what is more', () => {
  expect(warningHeader(['a'.repeat(4000), 'b'.repeat(96)])).toEqual([
    `299 - "${'a'.repeat(4000)}"`,
    `299 - "${'b'.repeat(96)}"`,
  ]);
  expect(warningHeader(['a'.repeat(4000), 'b'.repeat(97)])).toEqual([
    `299 - "${'a'.repeat(256)}"`,
    `299 - "${'b'.repeat(97)}"`,
  ]);
  const many = warningHeader(Array.from({ length: 100_000 }, (_, at) => `${at} ${'x'.repeat(500)}`));
  expect(many).toHaveLength(16);
  expect(Math.max(...many.map((one) => one.length))).toBe(256 + '299 - ""'.length);
});
