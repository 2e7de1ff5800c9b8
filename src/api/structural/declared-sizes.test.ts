import { describe, expect, it } from 'vitest';
import { estimateCost } from '../cel/cost/cost-estimate.ts';
import { declaredSizes } from './declared-sizes.ts';
import type { JsonSchema } from './json-schema.ts';
import { compileRules } from './rule-programs.ts';
import { compileRoot } from './structural.ts';

function costOf(rule: string, schema: Schema, isRoot = false): number {
  const root = compileRoot(isRoot ? schema : { type: 'object', properties: { place: schema } });
  const place = isRoot ? root : root.properties.get('place')!;
  const [compiled] = compileRules([{ rule }], place)!.programs;
  if (!compiled?.checked) throw new Error(compiled?.error);
  return estimateCost(compiled.checked, declaredSizes(place)).max;
}

type Schema = JsonSchema;
const NUMBER: Schema = { type: 'number' };
const STRING: Schema = { type: 'string' };
const INT_OR_STRING: Schema = { 'x-kubernetes-int-or-string': true };
const ofFormat = (format: string): Schema => ({ type: 'string', format });
const PAIR: Schema = {
  type: 'object',
  properties: { required: STRING, optional: STRING },
  required: ['required'],
};
/** A schema without a bound, or with one. */
type Bounded = (max?: number) => Schema;
const array =
  (items: Schema): Bounded =>
  (maxItems) => ({ type: 'array', items, ...(maxItems === undefined ? {} : { maxItems }) });
const map =
  (additionalProperties: Schema): Bounded =>
  (maxProperties) => ({
    type: 'object',
    additionalProperties,
    ...(maxProperties === undefined ? {} : { maxProperties }),
  });
const text: Bounded = (maxLength) => ({ ...STRING, ...(maxLength === undefined ? {} : { maxLength }) });

/** Costs that upstream's compilation tests expect, without bounds and with one. */
const CASES: [rule: string, schema: Bounded, unbounded: number, max: number, bounded: number][] = [
  ['self.all(x, true)', array(NUMBER), 4718591, 10, 32],
  ['self.all(x, true)', array(STRING), 3145727, 20, 62],
  ['self.all(x, true)', array({ type: 'boolean' }), 1887437, 5, 17],
  ['self.all(x, true)', array(array(NUMBER)()), 3145727, 100, 302],
  ['self.all(x, true)', array(PAIR), 555128, 50, 152],
  ['self.all(x, true)', map(NUMBER), 1348169, 10, 32],
  ['self.all(x, true)', map(STRING), 1179647, 3, 11],
  ['self.all(x, true)', map({ type: 'boolean' }), 943718, 100, 302],
  ["self.contains('test')", text, 314574, 10, 5],
  ["self.startsWith('test')", text, 2, 15, 2],
  ["self.endsWith('test')", text, 2, 30, 2],
  ['size(self + "hello") > size("hello")', text, 314578, 4, 7],
  ['self[1] == 0.0', array(NUMBER), 2, 5000, 2],
  ['self[1] == self[1]', array(STRING), 314577, 8, 314577],
  ['self.matches("x")', text, 314574, 50, 22],
  ['"".matches("(((((((((())))))))))[0-9]")', text, 7, 10, 7],
  ['self.matches("")', text, 1, 100, 1],
  ['self.all(x, x.contains(self[x]))', (max) => ({ ...map(text(max))(max) }), 2752507, 10, 72],
  ['self[3] == 0.0', array(NUMBER), 2, 0, 2],
  ['self["x"] == 0.0', map(NUMBER), 2, 0, 2],
  ['self == "x"', text, 2, 0, 1],
  ['self == b"x"', (max) => ({ ...text(max), format: 'byte' }), 2, 0, 1],
  ['self.all(x, x == 0.0)', array(NUMBER), 6291454, 3 * 1024 * 2048, 25165826],
  [
    'self.all(x, x["y"].required == "z")',
    (max) => array(map({ ...PAIR, ...(max === undefined ? {} : { maxProperties: max }) })(max))(max),
    7340027,
    10,
    72,
  ],
  ['self.all(x, x["y"].required == "z")', (max) => array(map(PAIR)(max))(), 7340027, 10, 7340027],
  ['self.all(x, true)', array(INT_OR_STRING), 4718591, 10, 32],
  ['self[0] == 5', array(INT_OR_STRING), 3, 10, 3],
  ['self[0] == false', array({ type: 'boolean' }), 2, 25, 2],
  ['self[0] == null', array(PAIR), 2, 422, 2],
  ['self[0][0] == -1.0', array(array(NUMBER)()), 3, 51, 3],
  ['self.all(x, x.y == 25.2)', array(map(NUMBER)()), 6291452, 12, 74],
  ['self[0].x > 2.0', array(map(NUMBER)()), 4, 3000, 4],
  ['self.all(x, true)', array(ofFormat('duration')), 2359295, 5, 17],
  ['self[0].getHours() == 2', array(ofFormat('duration')), 4, 525, 4],
  ['self.all(x, true)', array(ofFormat('date')), 725936, 15, 47],
  ['self[2].getDayOfMonth() == 13', array(ofFormat('date')), 4, 42, 4],
  ['self.all(x, true)', array(ofFormat('date-time')), 428963, 25, 77],
  ['self[2].getMinutes() == 45', array(ofFormat('date-time')), 4, 99, 4],
  ['self.all(x, true)', map(INT_OR_STRING), 1348169, 15, 47],
  ['self.all(x, true)', map(PAIR), 428963, 20, 62],
  ['self.all(x, true)', map(map(NUMBER)()), 1179647, 10, 32],
  ['self.all(x, true)', map(array(NUMBER)()), 1179647, 25, 77],
  ['self.all(x, true)', map(ofFormat('duration')), 1048577, 5, 17],
  ['self.all(x, true)', map(ofFormat('date')), 524288, 10, 32],
  ['self.all(x, true)', map(ofFormat('date-time')), 349526, 25, 77],
  ["self.find('[0-9]+') == ''", text, 629147, 10, 11],
  ["self.join(' ') == 'aa bb'", (max) => array(text(max))(max), 329853068905, 10, 43],
  ['self.isSorted() == true', (max) => array(text(max))(max), 329854432052, 10, 52],
  [
    "self.str.replace(self.before, self.after) == 'does not matter'",
    (max) => ({ type: 'object', properties: { str: text(max), before: text(2), after: text(4) } }),
    629154,
    4,
    12,
  ],
  [
    'self.str.split(self.separator) == []',
    (max) => ({ type: 'object', properties: { str: text(max), separator: text(max) } }),
    629160,
    10,
    22,
  ],
  ["self.lowerAscii() == 'lower!'", text, 314575, 10, 6],
  ['oldSelf.size() == self.size()', map({ type: 'integer' }), 5, 10, 5],
  ['self["a"] == self["b"]', map(ofFormat('date-time')), 8, 7, 8],
  ['self["c"] == self["d"]', map(ofFormat('duration')), 8, 42, 8],
  ["self.contains('A')", (max) => ({ ...text(max), enum: ['A', 'B', 'C', 'LongValue'] }), 2, 1000, 401],
  [
    'isQuantity(self)',
    (max) => ({ ...INT_OR_STRING, ...(max === undefined ? {} : { maxLength: max }) }),
    314574,
    20,
    9,
  ],
];

describe('what a rule may cost by the sizes its schema declares', () => {
  it.each(CASES)('judges %s as upstream does', (rule, schema, unbounded, max, bounded) => {
    expect([costOf(rule, schema()), costOf(rule, schema(max))]).toEqual([unbounded, bounded]);
  });
  it('multiplies the sizes of lists that are walked inside each other', () => {
    const numbers = array(NUMBER);
    expect(costOf('self.all(x, self.all(y, true))', numbers(10))).toBe(352);
    expect(costOf('self.all(x, self.all(y, self.all(z, true)))', numbers(10))).toBe(3552);
    expect(costOf('self.all(x, self.all(y, true))', numbers())).toBeGreaterThan(10_000_000);
  });
  it('knows that the name of an object is short', () => {
    const cost = costOf("self.metadata.name.contains('x')", { type: 'object' }, true);
    expect(cost).toBeGreaterThan(0);
    expect(cost).toBeLessThan(10_000);
  });
});
