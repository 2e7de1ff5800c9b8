import type { Meter } from '../meter.ts';
import { entriesOf } from '../operators.ts';
import { formatDuration, formatTimestamp } from '../time.ts';
import { runtimeName } from '../types.ts';
import {
  CelError,
  Duration,
  isMap,
  ListValue,
  type MapValue,
  Timestamp,
  TypeValue,
  typeOf,
  Uint,
  type Value,
} from '../values.ts';
import { formatDouble } from './conversions.ts';

const CLAUSE = /%(?:(%)|(?:\.(\d{1,3}))?([sdfexXbo]))|%/g;
/** As many digits as JavaScript writes; upstream has no bound. */
const MOST_DIGITS = 100;

/** `'%s is %d'.format([…])` of cel-go's strings extension. Throws for clauses and arguments that do not fit. */
export function formatText(template: string, args: ListValue, meter: Meter): string {
  let next = 0;
  meter.work(template.length);
  const result = template.replace(CLAUSE, (clause, percent: string | undefined, digits, letter) => {
    if (percent !== undefined) return '%';
    if (letter === undefined)
      throw new CelError(`could not parse formatting clause: unrecognized formatting clause`);
    if (next >= args.size) throw new CelError(`index ${next} out of range`);
    const value = args.at(next++);
    if (clause.includes('.') && letter !== 'f' && letter !== 'e')
      throw new CelError(`could not parse formatting clause: unrecognized formatting clause "${clause}"`);
    const text = formatClause(letter, value, { meter, digits: digits === undefined ? 6 : Number(digits) });
    meter.work(text.length);
    return text;
  });
  return result;
}

function formatClause(
  letter: string,
  value: Value,
  { digits, meter }: { digits: number; meter: Meter },
): string {
  switch (letter) {
    case 's':
      return plainText(value, meter);
    case 'd':
      return String(whole(value, 'decimal', 'integers'));
    case 'b':
      return typeof value === 'boolean'
        ? value
          ? '1'
          : '0'
        : whole(value, 'binary', 'integers and bools').toString(2);
    case 'o':
      return whole(value, 'octal', 'integers').toString(8);
    case 'x':
      return hex(value);
    case 'X':
      return hex(value).toUpperCase();
    default:
      return float(letter, value, Math.min(digits, MOST_DIGITS));
  }
}

const wrong = (clause: string, takes: string, value: Value): CelError =>
  new CelError(
    `error during formatting: ${clause} clause can only be used on ${takes}, was given ${runtimeName(typeOf(value))}`,
  );

function whole(value: Value, clause: string, takes: string): bigint {
  if (typeof value === 'bigint') return value;
  if (value instanceof Uint) return value.value;
  throw wrong(clause, takes, value);
}

function hex(value: Value): string {
  if (typeof value === 'string') return Buffer.from(value).toString('hex');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return whole(value, 'hex', 'integers, byte buffers, and strings').toString(16);
}

const GROUPED = new Map<number, Intl.NumberFormat>();

/** As Go's printer writes numbers for en_US, which is what Kubernetes' version of the extension does. */
function float(letter: string, value: Value, digits: number): string {
  const clause = letter === 'f' ? 'fixed-point' : 'scientific';
  const number = value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? Number(value) : value;
  if (typeof number !== 'number') throw wrong(clause, 'doubles', value);
  if (Number.isNaN(number)) return 'NaN';
  if (!Number.isFinite(number)) return number > 0 ? '∞' : '-∞';
  if (letter === 'f') {
    let format = GROUPED.get(digits);
    if (!format) {
      const bounds = { minimumFractionDigits: digits, maximumFractionDigits: digits } as const;
      format = new Intl.NumberFormat('en-US', { ...bounds, roundingMode: 'halfEven' });
      GROUPED.set(digits, format);
    }
    return format.format(number);
  }
  const [mantissa = '', exponent = '0'] = number.toExponential(digits).split('e');
  const power = Math.abs(Number(exponent)).toString().padStart(2, '0');
  const raised = [...power].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]).join('');
  return `${mantissa}\u202f×\u202f10${Number(exponent) < 0 ? '⁻' : ''}${raised}`;
}

function plainText(value: Value, meter: Meter): string {
  if (typeof value === 'string') return value;
  if (value === null) return 'null';
  if (typeof value === 'number') return formatDouble(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (value instanceof TypeValue) return runtimeName(value.type);
  if (value instanceof Timestamp) return formatTimestamp(value);
  if (value instanceof Duration) return formatDuration(value);
  return literal(value, meter);
}

/** As a literal of CEL, the way values in lists and maps are shown. */
function literal(value: Value, meter: Meter): string {
  meter.work(1);
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return Number.isFinite(value) ? value.toFixed(6) : `"${formatDouble(value)}"`;
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      return value === null ? 'null' : objectLiteral(value, meter);
  }
}

function objectLiteral(
  value: Exclude<Value, null | boolean | bigint | number | string>,
  meter: Meter,
): string {
  if (value instanceof ListValue) {
    const items: string[] = [];
    for (const one of value) items.push(literal(one, meter));
    return shown(`[${items.join(', ')}]`, meter);
  }
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Uint8Array) return `b${JSON.stringify(Buffer.from(value).toString('utf8'))}`;
  if (value instanceof Timestamp) return `timestamp("${formatTimestamp(value)}")`;
  if (value instanceof Duration) return `duration("${formatDuration(value)}")`;
  if (value instanceof TypeValue) return runtimeName(value.type);
  if (isMap(value)) return shown(mapLiteral(value, meter), meter);
  throw new CelError(`no formatting function for ${runtimeName(typeOf(value))}`);
}

function mapLiteral(map: MapValue, meter: Meter): string {
  const entries = entriesOf(map).map(([key, value]) => [literal(key, meter), literal(value, meter)] as const);
  entries.sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
  return `{${entries.map(([key, value]) => `${key}:${value}`).join(', ')}}`;
}

function shown(text: string, meter: Meter): string {
  meter.work(text.length);
  return text;
}
