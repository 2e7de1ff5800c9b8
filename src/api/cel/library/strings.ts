import type { Declaration } from '../declaration.ts';
import { countCodePoints } from '../lexer.ts';
import type { Meter } from '../meter.ts';
import { CelError, ListValue } from '../values.ts';
import { formatText } from './format-text.ts';
import { firstIndex, lastIndex, pieces } from './text-search.ts';

/** Text that can be indexed by code point, as CEL does. */
function characters(text: string): readonly string[] | string {
  return countCodePoints(text) === text.length ? text : [...text];
}
const join = (part: readonly string[] | string): string => (typeof part === 'string' ? part : part.join(''));

function charAt(text: string, index: bigint): string {
  const all = characters(text);
  if (index < 0n || index > BigInt(all.length)) throw new CelError(`index out of range: ${index}`);
  return all[Number(index)] ?? '';
}

function indexOf(text: string, part: string, offset = 0n): bigint {
  if (offset < 0n) throw new CelError(`index out of range: ${offset}`);
  const size = countCodePoints(text);
  if (part === '') return offset > BigInt(size) ? BigInt(size) : offset;
  if (offset >= BigInt(size)) return -1n;
  const from = join(characters(text).slice(0, Number(offset))).length;
  const found = firstIndex(text, part, from);
  return found < 0 ? -1n : BigInt(countCodePoints(text, 0, found));
}

function lastIndexOf(text: string, part: string, offset?: bigint): bigint {
  const size = countCodePoints(text);
  if (part === '') return offset === undefined || offset > BigInt(size) ? BigInt(size) : offset;
  if (offset === undefined) return position(text, lastIndex(text, part));
  if (offset < 0n) throw new CelError(`index out of range: ${offset}`);
  if (offset >= BigInt(size)) return -1n;
  const from = join(characters(text).slice(0, Number(offset))).length;
  return position(text, lastIndex(text, part, from));
}
const position = (text: string, found: number): bigint =>
  found < 0 ? -1n : BigInt(countCodePoints(text, 0, found));

function substring(text: string, start: bigint, end?: bigint): string {
  const all = characters(text);
  const size = BigInt(all.length);
  const stop = end ?? size;
  if (end !== undefined && start > end)
    throw new CelError(`invalid substring range. start: ${start}, end: ${end}`);
  for (const index of [start, stop])
    if (index < 0n || index > size) throw new CelError(`index out of range: ${index}`);
  return join(all.slice(Number(start), Number(stop)));
}

/** Go's `strings.Replace`: an empty part matches before every character and at the end. */
function replace(text: string, part: string, by: string, ...rest: readonly (bigint | Meter)[]): string {
  const meter = rest.at(-1) as Meter;
  const limit = typeof rest[0] === 'bigint' && rest[0] >= 0n ? Number(rest[0]) : Number.POSITIVE_INFINITY;
  const parts = part === '' ? ['', ...text, ''] : pieces(text, part);
  const gaps = parts.length - 1;
  const count = Math.min(gaps, limit);
  meter.work(text.length + count * by.length);
  if (part === '') return replaceEmpty([...text], by, limit);
  return parts.map((piece, index) => (index === 0 ? piece : (index <= count ? by : part) + piece)).join('');
}

function replaceEmpty(all: readonly string[], by: string, limit: number): string {
  const parts = all.map((one, index) => (index < limit ? by + one : one));
  return parts.join('') + (all.length < limit ? by : '');
}

function split(text: string, separator: string, limit?: bigint | Meter): ListValue {
  const count = typeof limit === 'bigint' && limit >= 0n ? Number(limit) : Number.POSITIVE_INFINITY;
  const parts = separator === '' ? [...text] : pieces(text, separator);
  if (parts.length <= count) return ListValue.of(parts);
  if (count === 0) return ListValue.of([]);
  return ListValue.of([...parts.slice(0, count - 1), parts.slice(count - 1).join(separator)]);
}

function joinList(list: ListValue, ...rest: readonly (string | Meter)[]): string {
  const separator = typeof rest[0] === 'string' ? rest[0] : '';
  const meter = rest.at(-1) as Meter;
  const parts = list.toArray().map((one) => {
    if (typeof one !== 'string') throw new CelError(`join: invalid input: ${String(one)}`);
    return one;
  });
  meter.work(parts.reduce((sum, part) => sum + part.length + separator.length, 0));
  return parts.join(separator);
}

/** White space as Go's unicode.IsSpace has it, which JavaScript's `trim` does not. */
const BLANKS = '[\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const LEADING = new RegExp(`^${BLANKS}+`);

function trim(text: string): string {
  const start = text.replace(LEADING, '');
  let end = start.length;
  while (end > 0 && LEADING.test(start[end - 1]!)) end--;
  return start.slice(0, end);
}

const QUOTED: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};
const quote = (text: string): string =>
  `"${text.replace(/[\x07-\r\\"]/g, (found) => QUOTED[found] ?? found)}"`;

/** cel-go's strings extension, version 2, which Kubernetes offers. */
export const stringDeclarations = (): readonly Declaration[] => [
  ['(string).charAt(int): string', charAt],
  ['(string).indexOf(string): int', (text: string, part: string) => indexOf(text, part)],
  ['(string).indexOf(string, int): int', indexOf],
  ['(string).lastIndexOf(string): int', (text: string, part: string) => lastIndexOf(text, part)],
  ['(string).lastIndexOf(string, int): int', lastIndexOf],
  [
    '(string).lowerAscii(): string',
    (text: string) => text.replace(/[A-Z]+/g, (found) => found.toLowerCase()),
  ],
  [
    '(string).upperAscii(): string',
    (text: string) => text.replace(/[a-z]+/g, (found) => found.toUpperCase()),
  ],
  ['(string).replace(string, string): string', replace],
  ['(string).replace(string, string, int): string', replace],
  ['(string).split(string): list<string>', split],
  ['(string).split(string, int): list<string>', split],
  ['(string).substring(int): string', (text: string, start: bigint) => substring(text, start)],
  ['(string).substring(int, int): string', substring],
  ['(string).trim(): string', trim],
  ['(list<string>).join(): string', joinList],
  ['(list<string>).join(string): string', joinList],
  ['strings.quote(string): string', quote],
  ['(string).format(list<dyn>): string', formatText],
];
