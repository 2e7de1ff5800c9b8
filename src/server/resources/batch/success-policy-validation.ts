import { invalidValue, required, tooLong, tooMany } from '../../../api/field-errors.ts';
import type { FieldError } from '../../../api/status.ts';
import type { JobSpec, SuccessPolicyRule } from '../../../api/types.gen.ts';
import { eachOf, nonNegative } from '../field-checks.ts';

const MAX_RULES = 20;
const MAX_INDEXES_BYTES = 64 * 1024;

/** When an Indexed Job may be done early. Upstream's validateSuccessPolicy. */
export function validateSuccessPolicy(
  { successPolicy, completionMode, completions = 0 }: JobSpec,
  path: string,
): FieldError[] {
  if (successPolicy === undefined) return [];
  const field = `${path}.successPolicy`;
  if (completionMode !== 'Indexed')
    return [invalidValue(field, successPolicy, 'requires indexed completion mode')];
  const { rules = [] } = successPolicy;
  const errors: FieldError[] = [];
  if (rules.length === 0) {
    errors.push(
      required(`${field}.rules`, 'at least one rules must be specified when the successPolicy is specified'),
    );
  }
  if (rules.length > MAX_RULES) errors.push(tooMany(`${field}.rules`, rules.length, MAX_RULES));
  return [...errors, ...eachOf(rules, `${field}.rules`, (rule, at) => validateRule(rule, completions, at))];
}

function validateRule(
  { succeededIndexes, succeededCount }: SuccessPolicyRule,
  completions: number,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  if (succeededIndexes === undefined && succeededCount === undefined) {
    errors.push(required(path, 'at least one of succeededCount or succeededIndexes must be specified'));
  }
  let indexes = 0;
  if (succeededIndexes !== undefined) {
    const field = `${path}.succeededIndexes`;
    if (Buffer.byteLength(succeededIndexes) > MAX_INDEXES_BYTES)
      errors.push(tooLong(field, MAX_INDEXES_BYTES));
    const counted = countIndexes(succeededIndexes, completions);
    if (typeof counted === 'number') indexes = counted;
    else
      errors.push(
        invalidValue(field, succeededIndexes, `error parsing succeededIndexes: ${counted.problem}`),
      );
  }
  if (succeededCount === undefined) return errors;
  const field = `${path}.succeededCount`;
  const atMost = (limit: number, what: string): void => {
    if (succeededCount > limit)
      errors.push(invalidValue(field, succeededCount, `must be less than or equal to ${limit} (${what})`));
  };
  errors.push(...nonNegative(field, succeededCount));
  atMost(completions, 'the number of specified completions');
  if (succeededIndexes !== undefined)
    atMost(indexes, 'the number of indexes in the specified succeededIndexes field');
  return errors;
}

/** How many indexes `0,2-4` names, or what is wrong with it. They must rise, and stay below `completions`. */
function countIndexes(text: string, completions: number): number | { readonly problem: string } {
  if (text === '') return 0;
  let total = 0;
  let last = -1;
  for (const fragment of text.split(',')) {
    const limits = fragment.split('-');
    if (limits.length > 2) {
      const why = 'violates the requirement that an index interval can have at most two parts separated by';
      return { problem: `the fragment ${JSON.stringify(fragment)} ${why} '-'` };
    }
    const numbers: number[] = [];
    for (const limit of limits) {
      if (!/^[+-]?\d+$/.test(limit))
        return { problem: `cannot convert string to integer for index: ${JSON.stringify(limit)}` };
      const number = Number(limit);
      if (number >= completions) return { problem: `too large index: ${JSON.stringify(limit)}` };
      numbers.push(number);
    }
    const [from = 0, to = from] = numbers;
    if (limits.length === 2 && from >= to)
      return { problem: `non-increasing order, previous: ${from}, current: ${to}` };
    if (last >= from) return { problem: `non-increasing order, previous: ${last}, current: ${from}` };
    total += to - from + 1;
    last = to;
  }
  return total;
}
