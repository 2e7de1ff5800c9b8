import type { Declaration } from '../declaration.ts';
import { timestamp } from '../operators.ts';
import {
  formatDuration,
  formatTimestamp,
  type LocalTime,
  localTime,
  parseDuration,
  parseTimestamp,
} from '../time.ts';
import {
  CelError,
  Duration,
  int64,
  isInt64,
  isUint64,
  type Timestamp,
  Uint,
  uint64,
  type Value,
} from '../values.ts';

const same = (value: Value): Value => value;

function textToInt(text: string): bigint {
  const value = /^[+-]?\d{1,20}$/.test(text) ? BigInt(text.replace('+', '')) : undefined;
  if (value === undefined)
    throw new CelError(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (!isInt64(value))
    throw new CelError(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`);
  return value;
}

function textToUint(text: string): Uint {
  const value = /^\d{1,21}$/.test(text) ? BigInt(text) : undefined;
  if (value === undefined || !isUint64(value))
    throw new CelError(`strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
  return new Uint(value);
}

function doubleToInt(value: number): bigint {
  if (!Number.isFinite(value) || value <= -(2 ** 63) || value >= 2 ** 63)
    throw new CelError('integer overflow');
  return BigInt(Math.trunc(value));
}

function doubleToUint(value: number): Uint {
  if (!Number.isFinite(value) || value < 0 || value >= 2 ** 64)
    throw new CelError('unsigned integer overflow');
  return new Uint(BigInt(Math.trunc(value)));
}

const FLOAT = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

function textToDouble(text: string): number {
  if (/^[+-]?inf(?:inity)?$/i.test(text))
    return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^nan$/i.test(text)) return Number.NaN;
  if (!FLOAT.test(text))
    throw new CelError(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`);
  const value = Number(text);
  if (!Number.isFinite(value))
    throw new CelError(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: value out of range`);
  return value;
}

/** As Go's `%g`. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const [mantissa = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 21) return plainDigits(value, mantissa, power);
  const size = Math.abs(power);
  return `${mantissa}e${power < 0 ? '-' : '+'}${size < 10 ? '0' : ''}${size}`;
}

function plainDigits(value: number, mantissa: string, power: number): string {
  const digits = mantissa.replace(/[-.]/g, '');
  const sign = value < 0 ? '-' : '';
  if (power < 0) return `${sign}0.${'0'.repeat(-power - 1)}${digits}`;
  if (digits.length <= power + 1) return sign + digits.padEnd(power + 1, '0');
  return `${sign}${digits.slice(0, power + 1)}.${digits.slice(power + 1)}`;
}

function bytesToText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CelError('invalid UTF-8 in bytes, cannot convert to string');
  }
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

function textToBool(text: string): boolean {
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw new CelError("type conversion error from 'string' to 'bool'");
}

const durationIn =
  (nanos: bigint) =>
  (duration: Duration): bigint =>
    duration.nanos / nanos;

/** `getHours()` and the like, in UTC or a zone. */
function getter(name: string, part: (time: LocalTime) => number): Declaration[] {
  return [
    [`(timestamp).${name}(): int`, (time: Timestamp) => BigInt(part(localTime(time)))],
    [
      `(timestamp).${name}(string): int`,
      (time: Timestamp, zone: string) => BigInt(part(localTime(time, zone))),
    ],
  ];
}

/** Conversions between types, and the parts of times and durations (CEL spec, standard definitions). */
export const conversionDeclarations = (): readonly Declaration[] => [
  ['bool(bool): bool', same],
  ['bool(string): bool', textToBool],
  ['bytes(bytes): bytes', same],
  ['bytes(string): bytes', (text: string) => Buffer.from(text)],
  ['double(double): double', same],
  ['double(int): double', (value: bigint) => Number(value)],
  ['double(string): double', textToDouble],
  ['double(uint): double', ({ value }: Uint) => Number(value)],
  ['duration(duration): duration', same],
  ['duration(int): duration', (nanos: bigint) => new Duration(nanos)],
  ['duration(string): duration', parseDuration],
  ['int(int): int', same],
  ['int(double): int', doubleToInt],
  ['int(duration): int', ({ nanos }: Duration) => nanos],
  ['int(string): int', textToInt],
  [
    'int(timestamp): int',
    ({ nanos }: Timestamp) => nanos / 1_000_000_000n - (nanos % 1_000_000_000n < 0n ? 1n : 0n),
  ],
  ['int(uint): int', ({ value }: Uint) => int64(value)],
  ['string(string): string', same],
  ['string(bool): string', (value: boolean) => String(value)],
  ['string(bytes): string', bytesToText],
  ['string(double): string', formatDouble],
  ['string(duration): string', formatDuration],
  ['string(int): string', (value: bigint) => String(value)],
  ['string(timestamp): string', formatTimestamp],
  ['string(uint): string', ({ value }: Uint) => String(value)],
  ['timestamp(timestamp): timestamp', same],
  ['timestamp(int): timestamp', (seconds: bigint) => timestamp(seconds * 1_000_000_000n)],
  ['timestamp(string): timestamp', parseTimestamp],
  ['uint(uint): uint', same],
  ['uint(double): uint', doubleToUint],
  ['uint(int): uint', (value: bigint) => uint64(value)],
  ['uint(string): uint', textToUint],
  ...getter('getFullYear', ({ year }) => year),
  ...getter('getMonth', ({ month }) => month),
  ...getter('getDayOfYear', ({ dayOfYear }) => dayOfYear),
  ...getter('getDayOfMonth', ({ day }) => day - 1),
  ...getter('getDate', ({ day }) => day),
  ...getter('getDayOfWeek', ({ weekday }) => weekday),
  ...getter('getHours', ({ hours }) => hours),
  ...getter('getMinutes', ({ minutes }) => minutes),
  ...getter('getSeconds', ({ seconds }) => seconds),
  ...getter('getMilliseconds', ({ milliseconds }) => milliseconds),
  ['(duration).getHours(): int', durationIn(3_600_000_000_000n)],
  ['(duration).getMinutes(): int', durationIn(60_000_000_000n)],
  ['(duration).getSeconds(): int', durationIn(1_000_000_000n)],
  ['(duration).getMilliseconds(): int', durationIn(1_000_000n)],
];
