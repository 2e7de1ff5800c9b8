import { duration, timestamp } from './operators.ts';
import { CelError, type Duration, type Timestamp } from './values.ts';

const NANOS = 1_000_000_000n;
const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?(?:Z|([+-])(\d\d):(\d\d))$/;

/** RFC 3339. Throws `CelError` for anything else and for times outside of the years 1 to 9999. */
export function parseTimestamp(text: string): Timestamp {
  const found = RFC3339.exec(text);
  if (!found) throw new CelError(`parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00"`);
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as number[];
  const ms = Date.UTC(2000, month! - 1, day, hour, minute, second);
  const date = new Date(ms);
  // A leap year stands in while the parts are checked; years below 100 mean the last century to Date.UTC.
  date.setUTCFullYear(year!);
  const isReal =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month! - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  if (!isReal) throw new CelError(`parsing time ${JSON.stringify(text)}: out of range`);
  const [fraction = '', sign, offsetHours = '0', offsetMinutes = '0'] = found.slice(7);
  const offset = BigInt(Number(offsetHours) * 60 + Number(offsetMinutes)) * 60n * (sign === '-' ? -1n : 1n);
  const seconds = BigInt(date.getTime()) / 1000n - offset;
  return timestamp(seconds * NANOS + BigInt(fraction.padEnd(9, '0')));
}

/** As Go's RFC3339Nano in UTC. */
export function formatTimestamp({ nanos }: Timestamp): string {
  const seconds = floorDivide(nanos, NANOS);
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const fraction = trimZeros((nanos - seconds * NANOS).toString().padStart(9, '0'));
  return `${text}${fraction === '' ? '' : `.${fraction}`}Z`;
}

const trimZeros = (digits: string): string => digits.replace(/0+$/, '');

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: NANOS,
  m: 60n * NANOS,
  h: 3600n * NANOS,
};

/** Go's `time.ParseDuration`: `1h30m`, `-1.5s`, `300ms`. Throws `CelError`. */
export function parseDuration(text: string): Duration {
  const wrong = (): CelError => new CelError(`time: invalid duration ${JSON.stringify(text)}`);
  const [, sign, rest = ''] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (rest === '0') return duration(0n);
  if (rest === '' || rest.length > 200) throw wrong();
  let total = 0n;
  const part = /(\d*)(?:\.(\d*))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/y;
  while (part.lastIndex < rest.length) {
    const found = part.exec(rest);
    if (!found || (found[1] === '' && !found[2])) throw wrong();
    const unit = UNITS[found[3]!]!;
    const fraction = (found[2] ?? '').slice(0, 18);
    total +=
      BigInt(found[1] || '0') * unit + (BigInt(fraction || '0') * unit) / 10n ** BigInt(fraction.length);
  }
  return duration(sign === '-' ? -total : total);
}

/** Seconds with as many digits as it takes, such as `5400s`. */
export function formatDuration({ nanos }: Duration): string {
  const size = nanos < 0n ? -nanos : nanos;
  const fraction = trimZeros((size % NANOS).toString().padStart(9, '0'));
  return `${nanos < 0n ? '-' : ''}${size / NANOS}${fraction === '' ? '' : `.${fraction}`}s`;
}

/** The parts of a time as a clock in some zone shows them. */
export interface LocalTime {
  readonly year: number;
  /** From 0. */
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  /** From 0. */
  readonly dayOfYear: number;
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
  readonly milliseconds: number;
}

const FIXED_ZONE = /^([+-]?\d{1,2}):(\d\d)$/;

/** A time in a zone of the IANA database or with an offset such as `-08:00`. Throws for unknown zones. */
export function localTime({ nanos }: Timestamp, zone = 'UTC'): LocalTime {
  const ms = Number(floorDivide(nanos, 1_000_000n));
  const date = new Date(ms + offsetMs(ms, zone));
  const year = date.getUTCFullYear();
  const newYear = new Date(0);
  newYear.setUTCFullYear(year, 0, 1);
  return {
    year,
    month: date.getUTCMonth(),
    day: date.getUTCDate(),
    weekday: date.getUTCDay(),
    dayOfYear: Math.floor((date.getTime() - newYear.getTime()) / 86_400_000),
    hours: date.getUTCHours(),
    minutes: date.getUTCMinutes(),
    seconds: date.getUTCSeconds(),
    milliseconds: date.getUTCMilliseconds(),
  };
}

function offsetMs(ms: number, zone: string): number {
  if (zone === 'UTC' || zone === '') return 0;
  const fixed = FIXED_ZONE.exec(zone);
  if (fixed) {
    const minutes = Number(fixed[2]);
    if (minutes > 59) throw new CelError(`timezone offset minutes out of range [0, 59]: ${zone}`);
    const hours = Number(fixed[1]);
    return (hours * 60 + (zone.startsWith('-') ? -minutes : minutes)) * 60_000;
  }
  return namedOffsetMs(ms, zone);
}

function namedOffsetMs(ms: number, zone: string): number {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
  } catch {
    throw new CelError(`unknown time zone ${zone}`);
  }
  const name = format.formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const [, sign, hours = '0', minutes = '0', seconds = '0'] =
    /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?/.exec(name) ?? [];
  const size = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
  return sign === '-' ? -size : size;
}
