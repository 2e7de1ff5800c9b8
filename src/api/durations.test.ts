import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ageOf, formatGoDuration, formatTime, humanDuration, parseGoDuration } from './durations.ts';
import { scaledValue } from './int-or-string.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

describe('humanDuration', () => {
  it.each([
    [-2 * SECOND_MS, '<invalid>'],
    [-SECOND_MS, '0s'],
    [0, '0s'],
    [119 * SECOND_MS, '119s'],
    [2 * MINUTE_MS, '2m'],
    [3 * MINUTE_MS + 5 * SECOND_MS, '3m5s'],
    [10 * MINUTE_MS + 5 * SECOND_MS, '10m'],
    [179 * MINUTE_MS, '179m'],
    [3 * HOUR_MS, '3h'],
    [5 * HOUR_MS + 7 * MINUTE_MS, '5h7m'],
    [9 * HOUR_MS + 7 * MINUTE_MS, '9h'],
    [47 * HOUR_MS, '47h'],
    [50 * HOUR_MS, '2d2h'],
    [8 * DAY_MS + HOUR_MS, '8d'],
    [729 * DAY_MS, '729d'],
    [800 * DAY_MS, '2y70d'],
    [3000 * DAY_MS, '8y'],
  ])('%d is %s', (durationMs, text) => {
    expect(humanDuration(durationMs)).toBe(text);
  });

  it('gives ages', () => {
    expect(ageOf('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:01:30Z'))).toBe('90s');
    expect(ageOf(undefined, 0)).toBe('<unknown>');
  });
});

describe('Go durations', () => {
  it.each([
    ['1h30m', 5_400_000, '1h30m0s'],
    ['1.5s', 1500, '1.5s'],
    ['-2m', -120_000, '-2m0s'],
    ['100ms', 100, '100ms'],
    ['0', 0, '0s'],
    ['10us', 0.01, '10µs'],
  ])('%s', (text, durationMs, written) => {
    expect(parseGoDuration(text)).toBe(durationMs);
    expect(formatGoDuration(durationMs)).toBe(written);
  });

  it('refuses as Go does', () => {
    expect(() => parseGoDuration('')).toThrow('time: invalid duration ""');
    expect(() => parseGoDuration('5')).toThrow('time: missing unit in duration "5"');
    expect(() => parseGoDuration('5d')).toThrow('time: unknown unit "d" in duration "5d"');
    expect(() => parseGoDuration('9999999999h')).toThrow('time: invalid duration');
  });

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e12, max: 1e12 }), (durationMs) => {
        expect(parseGoDuration(formatGoDuration(durationMs))).toBeCloseTo(durationMs, 3);
      }),
    );
  });
});

describe('timestamps', () => {
  it('have the precision of their type', () => {
    expect(formatTime(1_767_225_600_123)).toBe('2026-01-01T00:00:00Z');
  });
});

describe('scaledValue', () => {
  it('takes numbers and percentages', () => {
    expect(scaledValue(3, 10, 'up')).toBe(3);
    expect(scaledValue('25%', 10, 'up')).toBe(3);
    expect(scaledValue('25%', 10, 'down')).toBe(2);
    expect(() => scaledValue('3', 10, 'up')).toThrow('string is not a percentage');
    expect(() => scaledValue('x%', 10, 'up')).toThrow('invalid value "x%"');
  });
});
