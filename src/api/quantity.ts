/**
 * Kubernetes quantities (`100m`, `1.5Gi`, `1e3`): exact values, upstream's canonical text, and fast numbers for
 * hot paths. Mirrors k8s.io/apimachinery/pkg/api/resource.
 */
import { LIMITS } from '../lib/limits.ts';

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

/** An exact amount in billionths, the finest unit upstream keeps, and how it wants to be written. */
export interface ParsedQuantity {
  readonly nano: bigint;
  readonly format: QuantityFormat;
  /** The text as written, where upstream echoes it instead of its canonical form. */
  readonly text?: string;
}

/** Not a quantity; the message is upstream's sentence. */
export class QuantityError extends Error {
  override readonly name = 'QuantityError';
}

const FORMAT_WRONG =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const NUMERIC_WRONG = 'unable to parse numeric part of quantity';
const SUFFIX_WRONG = "unable to parse quantity's suffix";

const NANO = 1_000_000_000n;
const MAX_BINARY_NANO = (2n ** 63n - 1n) * NANO;
const SYNTAX = /^([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*[-+]?\d*)$/;

/** Powers of ten. */
const DECIMAL_SUFFIXES: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
/** Powers of two. */
const BINARY_SUFFIXES: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };

interface Suffix {
  readonly format: QuantityFormat;
  readonly exponent: number;
}

function interpretSuffix(suffix: string): Suffix {
  const decimal = Object.hasOwn(DECIMAL_SUFFIXES, suffix) ? DECIMAL_SUFFIXES[suffix] : undefined;
  if (decimal !== undefined) return { format: 'DecimalSI', exponent: decimal };
  const binary = Object.hasOwn(BINARY_SUFFIXES, suffix) ? BINARY_SUFFIXES[suffix] : undefined;
  if (binary !== undefined) return { format: 'BinarySI', exponent: binary };
  if (!/^[eE][-+]?\d+$/.test(suffix)) throw new QuantityError(SUFFIX_WRONG);
  const exponent = Number(suffix.slice(1));
  // Upstream takes any 32-bit exponent; a number of that many digits is a way to eat memory, never a resource.
  if (Math.abs(exponent) > LIMITS.api.quantityExponent) throw new QuantityError(SUFFIX_WRONG);
  return { format: 'DecimalExponent', exponent };
}

/** Divides rounding away from zero: who asks for anything gets something. */
function divideUp(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  const rest = value % divisor;
  if (rest === 0n) return quotient;
  return value < 0n ? quotient - 1n : quotient + 1n;
}

/**
 * Whether upstream keeps the text as written: its fast path echoes what already looks canonical, which lets
 * oddities such as `1.500` or `+5` through unchanged.
 */
function isEchoed(whole: string, fraction: string, suffix: Suffix): boolean {
  const digits = whole + fraction;
  if (suffix.format === 'BinarySI') {
    const precision = 15 - whole.length - Math.trunc((suffix.exponent * 3) / 10) - 1;
    return fraction === '' && precision >= 0 && (BigInt(whole) & 7n) !== 0n;
  }
  const scale = suffix.exponent - fraction.length;
  return (
    18 - digits.length >= 0 &&
    scale >= -9 &&
    scale % 3 === 0 &&
    !digits.endsWith('000') &&
    !digits.startsWith('0')
  );
}

/** Reads a quantity exactly, rounding up to billionths. Throws {@link QuantityError}. */
export function parseQuantity(text: string): ParsedQuantity {
  if (text.length > LIMITS.api.quantityChars) throw new QuantityError(NUMERIC_WRONG);
  const match = SYNTAX.exec(text);
  if (match === null || text === '') throw new QuantityError(FORMAT_WRONG);
  const [, sign = '', wholeText = '', fraction = '', suffixText = ''] = match;
  if (wholeText === '' && fraction === '' && suffixText !== '') throw new QuantityError(FORMAT_WRONG);
  const suffix = interpretSuffix(suffixText);
  const whole = wholeText.replace(/^0+/, '') || '0';
  const digits = BigInt(whole + fraction);

  let nano: bigint;
  if (suffix.format === 'BinarySI') {
    nano = divideUp(digits * 2n ** BigInt(suffix.exponent) * NANO, 10n ** BigInt(fraction.length));
    if (nano > MAX_BINARY_NANO) nano = MAX_BINARY_NANO;
  } else {
    const scale = suffix.exponent - fraction.length + 9;
    nano = scale >= 0 ? digits * 10n ** BigInt(scale) : divideUp(digits, 10n ** BigInt(-scale));
  }
  const tiny = suffix.format === 'BinarySI' && nano > 0n && nano < NANO;
  const format = tiny ? 'DecimalSI' : suffix.format;
  if (sign === '-') nano = -nano;
  return text === '0' || (nano !== 0n && isEchoed(whole, fraction, suffix))
    ? { nano, format, text }
    : { nano, format };
}

/** The canonical text: the largest suffix that loses nothing. */
export function formatQuantity({ nano, format, text }: ParsedQuantity): string {
  if (text !== undefined) return text;
  if (nano === 0n) return '0';
  const isSmall = nano > -1024n * NANO && nano < 1024n * NANO;
  if (format === 'BinarySI' && !isSmall && nano % NANO === 0n) {
    let amount = nano / NANO;
    let power = 0;
    while (power < 6 && amount % 1024n === 0n) {
      amount /= 1024n;
      power++;
    }
    return `${amount}${['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'][power]}`;
  }
  let amount = nano;
  let exponent = -9;
  const largest = format === 'DecimalExponent' ? Number.POSITIVE_INFINITY : 18;
  while (exponent < largest && amount % 1000n === 0n) {
    amount /= 1000n;
    exponent += 3;
  }
  if (format === 'DecimalExponent') return exponent === 0 ? `${amount}` : `${amount}e${exponent}`;
  return `${amount}${['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'][exponent / 3 + 3]}`;
}

/** What upstream would store and answer for this input; JSON numbers are allowed. Throws {@link QuantityError}. */
export function canonicalQuantity(input: string | number): string {
  return formatQuantity(parseQuantity(typeof input === 'number' ? String(input) : input.trim()));
}

/** Negative, zero or positive, as in sorting. */
export function compareQuantities(a: ParsedQuantity | string, b: ParsedQuantity | string): number {
  const left = parsed(a).nano;
  const right = parsed(b).nano;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The sum, written in the style of `a`, or of `b` where `a` is zero. */
export function addQuantities(a: ParsedQuantity | string, b: ParsedQuantity | string): ParsedQuantity {
  const [left, right] = [parsed(a), parsed(b)];
  return { nano: left.nano + right.nano, format: left.nano === 0n ? right.format : left.format };
}

/** The difference, written in the style of `a`, or of `b` where `a` is zero. */
export function subtractQuantities(a: ParsedQuantity | string, b: ParsedQuantity | string): ParsedQuantity {
  const [left, right] = [parsed(a), parsed(b)];
  return { nano: left.nano - right.nano, format: left.nano === 0n ? right.format : left.format };
}

const parsed = (value: ParsedQuantity | string): ParsedQuantity =>
  typeof value === 'string' ? parseQuantity(value) : value;

/** A quantity of whole units, such as bytes or a count. */
export function quantityOf(value: number | bigint, format: QuantityFormat = 'DecimalSI'): string {
  return formatQuantity({ nano: BigInt(value) * NANO, format });
}

/** A quantity of thousandths, such as CPU: 1500 is `1500m`. */
export function quantityOfMilli(milli: number | bigint): string {
  return formatQuantity({ nano: BigInt(milli) * 1_000_000n, format: 'DecimalSI' });
}

/**
 * Thousandths, rounded up: `100m` is 100, `2` is 2000. Absent counts as zero. For CPU in hot paths; a plain
 * number, so not exact beyond 2^53. Throws {@link QuantityError}.
 */
export function milliValue(text: string | number | undefined): number {
  if (text === undefined) return 0;
  const string = typeof text === 'number' ? String(text) : text;
  if (/^\d{1,12}m$/.test(string)) return Number(string.slice(0, -1));
  if (/^\d{1,12}$/.test(string)) return Number(string) * 1000;
  return Number(divideUp(parseQuantity(string.trim()).nano, 1_000_000n));
}

const FAST_BYTES = /^(\d{1,6})(Ki|Mi|Gi)?$/;

/**
 * Whole units, rounded up: `1Ki` is 1024. Absent counts as zero. For memory and counts in hot paths; a plain
 * number, so not exact beyond 2^53. Throws {@link QuantityError}.
 */
export function wholeValue(text: string | number | undefined): number {
  if (text === undefined) return 0;
  const string = typeof text === 'number' ? String(text) : text;
  const fast = FAST_BYTES.exec(string);
  if (fast !== null) return Number(fast[1]) * (fast[2] === undefined ? 1 : 2 ** BINARY_SUFFIXES[fast[2]]!);
  return Number(divideUp(parseQuantity(string.trim()).nano, NANO));
}
