import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adaptJson } from './adapt.ts';
import { estimateCost } from './cost/cost-estimate.ts';
import { Environment, type Outcome } from './environment.ts';
import { toJson } from './to-json.ts';
import { DYN, INT, STRING } from './types.ts';
import type { Value } from './values.ts';

const environment = new Environment({ variables: { object: DYN, count: INT, name: STRING } });
const data: Record<string, unknown> = {
  object: JSON.parse(
    '{"a": {"b": [1, 2, 3], "s": "text"}, "__proto__": {"x": 1}, "constructor": "plain", "n": null, "half": 0.5}',
  ),
  count: 3,
  name: 'añ😀',
};

function run(source: string, limit?: number, variables = data): Outcome | string {
  const { program, error, checked } = environment.compile(source);
  if (!program) return error;
  estimateCost(checked, () => undefined);
  return program.run(
    (variable) => (Object.hasOwn(variables, variable) ? adaptJson(variables[variable]) : undefined),
    limit,
  );
}

/** Whatever came out, it is one of the answers that callers know. */
function expectAnswer(outcome: Outcome | string, limit: number): void {
  if (typeof outcome === 'string') expect(outcome).toMatch(/^compilation failed: ERROR: /);
  else if (outcome.error !== undefined) expect(typeof outcome.error).toBe('string');
  else {
    expect(outcome.cost).toBeLessThanOrEqual(limit);
    toJsonOrRefuse(outcome);
  }
}

function toJsonOrRefuse(outcome: Extract<Outcome, { error?: undefined }>): void {
  try {
    JSON.stringify(toJson(outcome.value));
  } catch (error) {
    expect((error as Error).name).toBe('CelError');
  }
}

const TOKENS =
  '( ) [ ] { } . , : ? ?. [? + - * / % ! && || < <= == != in 1 2u -3 0x1F 1.5 9223372036854775807 "a" r"\\d" b"\\xff" ' +
  "'''x''' true null x y object object.a count name has( .all( .map( .exists( size( string( int( type( dyn( " +
  'duration( timestamp( optional.of( .orValue( .matches( .format( Object{ __proto__ constructor toString `a-b` // \\ "';

const soup = fc
  .array(fc.constantFrom(...TOKENS.split(' ')), { maxLength: 24 })
  .map((tokens) => tokens.join(' '));

const leaf = fc.constantFrom(
  ...['1', '0', '-1', '2u', '1.5', '"a"', '"añ😀"', 'b"x"', 'true', 'null', '[]', '{}', 'count', 'name'],
  ...[
    'object',
    'object.a.b',
    'object.a.s',
    'object.n',
    'object.__proto__',
    'object.constructor',
    'object.?zip',
  ],
  ...['duration("1h")', 'timestamp("2026-01-01T00:00:00Z")', 'optional.none()', '9223372036854775807'],
);
const SHAPES: readonly ((a: string, b: string) => string)[] = [
  (a, b) => `(${a} + ${b})`,
  (a, b) => `(${a} - dyn(${b}))`,
  (a, b) => `(dyn(${a}) * ${b})`,
  (a, b) => `(dyn(${a}) / dyn(${b}))`,
  (a, b) => `(dyn(${a}) == ${b})`,
  (a, b) => `(dyn(${a}) < dyn(${b}))`,
  (a, b) => `(dyn(${a}) in dyn(${b}))`,
  (a, b) => `(${a} == ${a} && dyn(${b}) == 1 || !dyn(${b}))`,
  (a, b) => `(dyn(${a}) ? dyn(${b}) : dyn(${a}))`,
  (a, b) => `dyn(${a})[dyn(${b})]`,
  (a, b) => `dyn(${a})[?dyn(${b})].orValue(dyn(${b}))`,
  (a, b) => `[dyn(${a}), dyn(${b})]`,
  (a, b) => `{"k": dyn(${a}), "__proto__": dyn(${b})}`,
  (a, b) => `dyn(${a}).map(x, [x, dyn(${b})])`,
  (a, b) => `dyn(${a}).all(x, dyn(${b}).exists(y, x == y))`,
  (a, b) => `dyn(${a}).filter(x, x != dyn(${b}))`,
  (a, b) => `dyn(${a}).transformList(i, v, [i, v, dyn(${b})])`,
  (a) => `size(dyn(${a}))`,
  (a) => `string(dyn(${a}))`,
  (a) => `int(dyn(${a}))`,
  (a) => `type(${a})`,
  (a) => `has(dyn(${a}).k)`,
  (a) => `dyn(${a}).x`,
  (a, b) => `"%s %d".format([dyn(${a}), dyn(${b})])`,
  (a, b) => `dyn(${a}).replace(dyn(${b}), "zz")`,
  (a, b) => `dyn(${a}).split(dyn(${b}))`,
  (a, b) => `dyn(${a}).matches(string(dyn(${b})))`,
  (a) => `dyn(${a}).sum()`,
];
const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 5, depthSize: 'medium' },
    leaf,
    fc
      .tuple(fc.constantFrom(...SHAPES), tie('expression'), tie('expression'))
      .map(([shape, a, b]) => shape(a, b)),
  ),
}));

describe('whatever an expression says', () => {
  it('is answered, be it nonsense', () => {
    fc.assert(
      fc.property(soup, (source) => expectAnswer(run(source, 5000), 5000)),
      { seed: 145, numRuns: 300 },
    );
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
        (source) => expectAnswer(run(source, 5000), 5000),
      ),
      { seed: 146, numRuns: 200 },
    );
  });

  it('runs within its budget', () => {
    fc.assert(
      fc.property(expression, (source) => expectAnswer(run(source, 2000), 2000)),
      { seed: 147, numRuns: 400 },
    );
    expect(Object.prototype).not.toHaveProperty('x');
  });

  it('sees keys such as __proto__ as plain data', () => {
    const key = fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', 'a', '');
    fc.assert(
      fc.property(key, key, fc.jsonValue({ maxDepth: 2 }), (one, other, value) => {
        const object = JSON.parse(`{${JSON.stringify(one)}: ${JSON.stringify(value)}}`);
        const at = JSON.stringify(other);
        const found = run(`${at} in object && object[${at}] == object[${at}]`, undefined, { object });
        expect(found).toMatchObject({ value: one === other });
        const copy = run('object.transformMap(k, v, v)', undefined, { object });
        expect(copy).toHaveProperty('value');
      }),
      { seed: 148, numRuns: 100 },
    );
  });

  it.each([
    ['parentheses', `${'('.repeat(5000)}1${')'.repeat(5000)}`],
    ['lists', `${'['.repeat(5000)}${']'.repeat(5000)}`],
    ['maps', `${'{1:'.repeat(5000)}1${'}'.repeat(5000)}`],
    ['choices', `${'true ? 1 : '.repeat(5000)}1`],
    ['selections', `object${'.a'.repeat(20_000)}`],
    ['sums', `1${' + 1'.repeat(20_000)}`],
    ['conjunctions', `true${' && true'.repeat(10_000)}`],
    ['signs', `${'-'.repeat(50_000)}count`],
    ['calls', `object${'.map(x, x)'.repeat(5000)}`],
    ['loops', `${'object.map(x, '.repeat(500)}1${')'.repeat(500)}`],
    ['types that double', `[1]${'.map(x, [[x], [x]])'.repeat(60)}`],
    ['optionals', `object.?a${'.optMap(x, x)'.repeat(200)}`],
    ['parts used twice', `object.?a${'.optMap(x, x)'.repeat(40)}.hasValue()`],
    ['text', `"${'x'.repeat(200_000)}"`],
  ])('is refused or run when it is long: %s', (_, source) => {
    const before = performance.now();
    expectAnswer(run(source), Number.POSITIVE_INFINITY);
    expect(performance.now() - before).toBeLessThan(20_000);
  });

  it('becomes no JSON that is larger than an object may be', () => {
    const outcome = run(`[1]${'.map(x, [[x], [x]])'.repeat(60)}`);
    expect(() => toJson((outcome as { value: Value }).value)).toThrow('the result is too large');
  });

  it('gets back nothing of its budget', () => {
    const least = -(2n ** 63n) + 1n;
    for (const free of [`lists.range(${least}).size() == 0`, `[[1]].flatten(${least}).size() > 0 || true`]) {
      const source = `${free} && lists.range(900000).all(x, lists.range(900).all(y, y >= 0))`;
      expect(run(source, 1_000_000)).toMatchObject({ isOverBudget: true });
    }
  });

  it('ends when data is large', () => {
    const object = { l: Array.from({ length: 3000 }, (_, index) => index), s: 'ab'.repeat(100_000) };
    const endless = [
      'object.l.all(x, object.l.all(y, object.l.all(z, x + y + z >= 0)))',
      'object.l.map(x, object.l.map(y, object.s + string(x)))',
      'object.l.exists(x, object.s.matches("(a|b|ab)*c"))',
      'object.l.all(x, object.s.replace("a", object.s) != "")',
      'object.l.all(x, object.l.map(y, object.l) == object.l.map(y, object.l))',
    ];
    for (const source of endless)
      expect(run(source, undefined, { object })).toMatchObject({ isOverBudget: true });
  });
});
