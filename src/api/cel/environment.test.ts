import { describe, expect, it } from 'vitest';
import { adaptJson } from './adapt.ts';
import { Environment } from './environment.ts';
import { schemaType } from './schema-type.ts';
import { DYN, INT, NULL, STRING } from './types.ts';
import { ListValue, type Value } from './values.ts';

const environment = new Environment({ variables: { object: DYN, count: INT, name: STRING } });
const data: Record<string, unknown> = {
  object: JSON.parse(
    '{"a": {"b": [1, 2, 3]}, "n": null, "__proto__": {"x": 1}, "constructor": "plain", "half": 0.5}',
  ),
  count: 3,
  name: 'web',
};

function run(source: string): unknown {
  const { program, error } = environment.compile(source);
  if (!program) throw new Error(error);
  const outcome = program.run((variable) =>
    Object.hasOwn(data, variable) ? adaptJson(data[variable]) : undefined,
  );
  if (outcome.error !== undefined) throw new Error(outcome.error);
  return plain(outcome.value);
}
function plain(value: Value): unknown {
  return value instanceof ListValue ? value.toArray().map(plain) : value;
}
const problem = (source: string): string | undefined => environment.compile(source).error;

describe('evaluation', () => {
  it.each<[string, unknown]>([
    ['1 + 2 * 3 - -4 % 3', 8n],
    ['size("añ😀") + size([1, 2]) + {"a": 1}.size()', 6n],
    ['object.a.b.map(x, x * 2).filter(y, y > 2)', [4n, 6n]],
    ['object.a.b.exists(x, x == 3) && !object.a.b.all(x, x > 1)', true],
    ['object.a.b.exists_one(x, x > 2)', true],
    ['object.a.b.transformList(i, v, i + v)', [1n, 3n, 5n]],
    ['{"a": 1, "b": 2}.transformMap(k, v, v == 2, v * 10)["b"]', 20n],
    ['has(object.a.c) || has(object.n)', true],
    ['object.?a.?c.orValue("none")', 'none'],
    ['object.a.b[?7].hasValue() ? 1 : object.?a.optMap(a, a.b.size()).value()', 3n],
    ['object.half == 0.5 && dyn(1) == 1.0 && dyn(2u) == 2', true],
    ['object.missing == 1 || true', true],
    ['"2026-01-02T03:04:05Z" == string(timestamp("2026-01-02T04:04:05+01:00"))', true],
    ['(timestamp("2026-03-01T00:00:00Z") - timestamp("2026-02-01T00:00:00Z")).getHours()', 672n],
    ['timestamp("2026-07-01T12:00:00Z").getHours("Europe/Berlin")', 14n],
    ['duration("90m") > duration("1h") && string(duration("1.5s")) == "1.5s"', true],
    ['name.matches("^w.b$") && !name.matches("^(a+)+$")', true],
    ['b"\\xff" < b"\\xff\\x00" && bytes("é").size() == 2', true],
    ["r'\\d' + '''a\nb'''", '\\da\nb'],
    ['type(1) == int && type([]) == list && type(type(1)) == type', true],
    ['{1: "a", 2: "b"}[dyn(2u)] == "b" && "x" in {"x": 1} && !(2 in [1])', true],
    ['-9223372036854775808 < 0 && 18446744073709551615u > 1u', true],
  ])('%s', (source, wanted) => {
    expect(run(source)).toEqual(wanted);
  });

  it.each([
    ['9223372036854775807 + 1', 'integer overflow'],
    ['0u - 1u', 'unsigned integer overflow'],
    ['1 / (count - 3)', 'division by zero'],
    ['object.missing', 'no such key: missing'],
    ['object.a.b[3]', 'index out of bounds: 3'],
    ['object.a + 1', 'no such overload'],
    ['object.a && true', 'no such overload'],
    ['duration(name + "x")', 'time: invalid duration "webx"'],
    ['name.matches(name + "(")', 'error parsing regexp: missing closing ): `web(`'],
  ])('%s fails', (source, message) => {
    expect(() => run(source)).toThrow(message);
  });

  it('takes the names of JavaScript for plain data', () => {
    expect(run('object.__proto__.x == 1 && object.constructor == "plain"')).toBe(true);
    expect(run('has(object.toString) || has(object.a.hasOwnProperty) || "valueOf" in object')).toBe(false);
    expect(problem('constructor == 1')).toContain("undeclared reference to 'constructor'");
    expect(problem('__proto__ == 1')).toContain("undeclared reference to '__proto__'");
  });
});

describe('compilation', () => {
  it.each([
    [
      'objec.x == 1',
      "ERROR: <input>:1:1: undeclared reference to 'objec' (in container '')\n | objec.x == 1\n | ^",
    ],
    [
      'count + name',
      "ERROR: <input>:1:7: found no matching overload for '_+_' applied to '(int, string)'\n | count + name\n | ......^",
    ],
    ['name.size', "ERROR: <input>:1:5: type 'string' does not support field selection"],
    ['name.nope(1)', "ERROR: <input>:1:10: undeclared reference to 'nope' (in container '')"],
    ['[1, "a"]', "ERROR: <input>:1:5: expected type 'int' but found 'string'"],
    [
      '1 +',
      "ERROR: <input>:1:4: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!'",
    ],
    ['count count', "ERROR: <input>:1:7: Syntax error: extraneous input 'count' expecting <EOF>"],
    ['@', "ERROR: <input>:1:1: Syntax error: token recognition error at: '@'"],
    ['count.map(1, 2)', 'ERROR: <input>:1:11: argument is not an identifier'],
    [
      'count.all(x, true)',
      "expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)",
    ],
    ['has(count)', 'ERROR: <input>:1:5: invalid argument to has() macro'],
    ['for', 'ERROR: <input>:1:1: reserved identifier: for'],
    ['name.matches("(")', 'ERROR: <input>:1:14: invalid matches argument'],
    ['duration("1") == duration("1s")', 'ERROR: <input>:1:10: invalid duration argument'],
  ])('%s', (source, message) => {
    expect(problem(source)).toContain(`compilation failed: `);
    expect(problem(source)).toContain(message);
  });

  it('holds the result to what is wanted', () => {
    expect(environment.compile('count', { result: [STRING] }).error).toBe(
      'must evaluate to string but got int',
    );
    expect(environment.compile('object.x', { result: [STRING, NULL] }).error).toBe(
      'must evaluate to one of [string null_type] but got dyn',
    );
    expect(environment.compile('name', { result: [STRING] }).error).toBeUndefined();
  });
});

describe('schemas', () => {
  const { type, adapt } = schemaType(
    {
      type: 'object',
      properties: {
        replicas: { type: 'integer' },
        ratio: { type: 'number' },
        'max-age': { type: 'string', format: 'duration' },
        namespace: { type: 'string' },
        port: { 'x-kubernetes-int-or-string': true },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
        opaque: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } as object,
      },
    },
    'selfType1',
    true,
  )!;
  const typed = new Environment({ variables: { self: type, oldSelf: type } });
  const self = {
    metadata: { name: 'a' },
    replicas: 2,
    ratio: 1,
    'max-age': '1h',
    namespace: 'x',
    port: '80',
    labels: { a: 'b' },
    tags: ['x', 'y'],
  };
  const oldSelf = { ...self, tags: ['y', 'x'] };
  const check = (source: string): unknown => {
    const { program, error } = typed.compile(source);
    if (!program) throw new Error(error);
    const outcome = program.run((name) => adapt(name === 'self' ? self : oldSelf));
    return outcome.error ?? plain(outcome.value);
  };

  it('gives fields their types', () => {
    expect(check('self.replicas + 1 == 3 && self.ratio / 2.0 == 0.5')).toBe(true);
    expect(check('self.max__dash__age > duration("30m") && self.__namespace__ == "x"')).toBe(true);
    expect(check('self.port == "80" && self.labels["a"] == self.labels.a && self.metadata.name == "a"')).toBe(
      true,
    );
    expect(check('has(self.labels) && !has(self.metadata.generateName)')).toBe(true);
    expect(() => check('self.replicas == "2"')).toThrow("'_==_' applied to '(int, string)'");
    expect(() => check('self.nope')).toThrow("undefined field 'nope'");
    expect(() => check('self.opaque.x')).toThrow("undefined field 'x'");
    expect(() => check('self == 1')).toThrow("'_==_' applied to '(selfType1, int)'");
  });

  it('compares sets without regard to order and merges them', () => {
    expect(check('self == oldSelf && self.tags == oldSelf.tags')).toBe(true);
    expect(check('self.tags + ["y", "z"]')).toEqual(['x', 'y', 'z']);
  });
});
