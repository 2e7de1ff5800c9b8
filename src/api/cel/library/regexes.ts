import type { Declaration } from '../declaration.ts';
import type { Meter } from '../meter.ts';
import { regexOf } from '../regexp-cache.ts';
import { ListValue } from '../values.ts';

function find(text: string, pattern: string, meter: Meter): string {
  const match = regexOf(pattern).find(text, 0, (steps) => meter.work(steps));
  return match ? text.slice(match.start, match.end) : '';
}

/** Go's `FindAllString`: matches that do not overlap; an empty one right behind another does not count. */
function findAll(text: string, pattern: string, ...rest: readonly (bigint | Meter)[]): ListValue {
  const meter = rest.at(-1) as Meter;
  const regex = regexOf(pattern);
  const limit = typeof rest[0] === 'bigint' && rest[0] >= 0n ? rest[0] : undefined;
  const found: string[] = [];
  let lastEnd = -1;
  for (let from = 0; from <= text.length && (limit === undefined || BigInt(found.length) < limit); ) {
    const match = regex.find(text, from, (steps) => meter.work(steps));
    if (!match) break;
    const isEmpty = match.start === match.end;
    if (!isEmpty || match.start !== lastEnd) found.push(text.slice(match.start, match.end));
    lastEnd = match.end;
    from = isEmpty ? match.end + ((text.codePointAt(match.end) ?? 0) > 0xffff ? 2 : 1) : match.end;
  }
  return ListValue.of(found);
}

/** Kubernetes' regex library. */
export const regexDeclarations = (): readonly Declaration[] => [
  ['(string).find(string): string', find],
  ['(string).findAll(string): list<string>', findAll],
  ['(string).findAll(string, int): list<string>', findAll],
];
