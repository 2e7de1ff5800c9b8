import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  milliValue,
  parseQuantity,
  QuantityError,
  quantityOf,
  quantityOfMilli,
  subtractQuantities,
  wholeValue,
} from './quantity.ts';

describe('canonicalQuantity', () => {
  it.each([
    ['0', '0'],
    ['0Ki', '0'],
    ['0.5', '500m'],
    ['.5', '500m'],
    ['100m', '100m'],
    ['1000m', '1'],
    ['1.5', '1500m'],
    ['1.5Gi', '1536Mi'],
    ['0.5Gi', '512Mi'],
    ['1024Mi', '1Gi'],
    ['100Ki', '100Ki'],
    ['1.1Ki', '1126400m'],
    ['0.5Ki', '512'],
    ['2000k', '2M'],
    ['1000000', '1M'],
    ['1e3', '1e3'],
    ['1E3', '1E3'],
    ['1000e3', '1e6'],
    ['1E', '1E'],
    ['1000E', '1000E'],
    ['1n', '1n'],
    ['0.1n', '1n'],
    ['-0.1n', '-1n'],
    ['-1.5Gi', '-1536Mi'],
    ['100000Ei', '9223372036854775807'],
    ['1.', '1.'],
    ['+5', '+5'],
    ['007', '007'],
  ])('writes %s as %s', (input, output) => {
    expect(canonicalQuantity(input)).toBe(output);
  });

  it('takes JSON numbers and surrounding blanks', () => {
    expect(canonicalQuantity(2)).toBe('2');
    expect(canonicalQuantity(0.1)).toBe('100m');
    expect(canonicalQuantity(' 1Gi ')).toBe('1Gi');
  });

  it.each(['', 'x', '1 Gi', '1Gix', '--1', '1.2.3', 'Gi', '1_000'])('refuses %j', (input) => {
    expect(() => canonicalQuantity(input)).toThrow(/quantities must match the regular expression/);
  });

  it.each(['1Zi', '1mm', '1ki', '1e', '1e999999999', '1Em'])('refuses the suffix of %j', (input) => {
    expect(() => canonicalQuantity(input)).toThrow(QuantityError);
  });

  it('refuses numbers long enough to be an attack', () => {
    expect(() => canonicalQuantity('9'.repeat(1_000_000))).toThrow(QuantityError);
  });
});

describe('arithmetic', () => {
  it('adds and subtracts in the style of the left side', () => {
    expect(formatQuantity(addQuantities('1Gi', '512M'))).toBe('1548576Ki');
    expect(formatQuantity(addQuantities('0', '1Gi'))).toBe('1Gi');
    expect(formatQuantity(subtractQuantities('1', '100m'))).toBe('900m');
  });

  it('compares across notations', () => {
    expect(compareQuantities('1Gi', '1073741824')).toBe(0);
    expect(compareQuantities('1G', '1Gi')).toBe(-1);
    expect(compareQuantities('1', '999m')).toBe(1);
  });

  it('gives plain numbers, rounded up', () => {
    expect(milliValue('100m')).toBe(100);
    expect(milliValue('1.5')).toBe(1500);
    expect(milliValue('1n')).toBe(1);
    expect(milliValue(undefined)).toBe(0);
    expect(wholeValue('64Mi')).toBe(64 * 1024 * 1024);
    expect(wholeValue('100m')).toBe(1);
    expect(wholeValue('1k')).toBe(1000);
    expect(quantityOf(1024 * 1024, 'BinarySI')).toBe('1Mi');
    expect(quantityOfMilli(1500)).toBe('1500m');
  });
});

describe('properties', () => {
  const suffix = fc.constantFrom('n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'Ki', 'Mi', 'Gi', 'Ti', 'e3', 'E-3');
  const text = fc
    .tuple(fc.constantFrom('', '-', '+'), fc.nat(99_999_999), fc.option(fc.nat(999)), suffix)
    .map(([sign, whole, fraction, end]) => `${sign}${whole}${fraction === null ? '' : `.${fraction}`}${end}`);

  it('keeps the value and settles after one pass', () => {
    fc.assert(
      fc.property(text, (input) => {
        const once = canonicalQuantity(input);
        expect(compareQuantities(input, once)).toBe(0);
        const { nano, format } = parseQuantity(once);
        const clean = formatQuantity({ nano, format });
        expect(canonicalQuantity(clean)).toBe(clean);
      }),
    );
  });

  it('agrees between fast numbers and exact values', () => {
    fc.assert(
      fc.property(text, (input) => {
        const { nano } = parseQuantity(input);
        expect(milliValue(input)).toBe(roundedAway(nano, 1_000_000n));
        expect(wholeValue(input)).toBe(roundedAway(nano, 1_000_000_000n));
      }),
    );
  });
});

function roundedAway(nano: bigint, unit: bigint): number {
  const magnitude = nano < 0n ? -nano : nano;
  const up = Number((magnitude + unit - 1n) / unit);
  return nano < 0n && up !== 0 ? -up : up;
}
