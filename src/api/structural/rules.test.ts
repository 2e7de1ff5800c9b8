import { describe, expect, it } from 'vitest';
import type { ValidationRule } from '../types.gen.ts';
import { Correlated } from './correlated.ts';
import type { JsonSchema } from './json-schema.ts';
import { RuleChecker } from './rule-check.ts';
import { RuleSet } from './rule-programs.ts';
import { compileRoot } from './structural.ts';
import { validateRules } from './validate-rules.ts';
import { validateSchema } from './validate-schema.ts';

const withRules = (...rules: ValidationRule[]): Pick<JsonSchema, 'x-kubernetes-validations'> => ({
  'x-kubernetes-validations': rules,
});
const RANGE: JsonSchema = {
  type: 'object',
  ...withRules(
    { rule: 'self.min <= self.max', message: 'min must not be above max', fieldPath: '.min' },
    { rule: 'self.max >= oldSelf.max', message: 'max only grows', reason: 'FieldValueForbidden' },
  ),
  properties: { min: { type: 'integer' }, max: { type: 'integer' } },
};
const within = (name: string, schema: JsonSchema): JsonSchema => ({
  type: 'object',
  properties: { [name]: schema },
});

function find(
  root: JsonSchema,
  value: object,
  { old, budget = 1_000_000 }: { old?: object; budget?: number } = {},
) {
  const schema = compileRoot(root);
  const correlated = old && new Correlated(value, old, schema);
  const found = validateRules({ value, old, correlated, schema, programs: new RuleSet(), budget });
  const text = ({ field, message }: { field: string; message: string }): string => `${field}: ${message}`;
  return { errors: found.errors.map(text), ratcheted: found.ratcheted.map(text) };
}

describe('rules', () => {
  it('say what is wrong and where', () => {
    expect(find(within('spec', RANGE), { spec: { min: 3, max: 2 } }).errors).toEqual([
      'spec.min: Invalid value: min must not be above max',
    ]);
    expect(find(within('spec', RANGE), { spec: { min: 1, max: 2 } }).errors).toEqual([]);
  });

  it('judge changes, where there is something to compare with', () => {
    const old = { spec: { min: 1, max: 3 } };
    expect(find(within('spec', RANGE), { spec: { min: 1, max: 2 } }, { old }).errors).toEqual([
      'spec: Forbidden: max only grows',
    ]);
    const isNew = { rule: 'oldSelf.hasValue() || self == 1', optionalOldSelf: true };
    const optional = within('count', { type: 'integer', ...withRules(isNew) });
    expect(find(optional, { count: 2 }).errors).toEqual([
      'count: Invalid value: 2: failed rule: oldSelf.hasValue() || self == 1',
    ]);
    expect(find(optional, { count: 3 }, { old: { count: 2 } }).errors).toEqual([]);
  });

  it('leave alone what did not change, with a warning', () => {
    const names = { type: 'array', items: { type: 'string', ...withRules({ rule: 'self != "b"' }) } };
    const schema: JsonSchema = {
      type: 'object',
      properties: { names: names as JsonSchema, other: { type: 'string' } },
    };
    const found = find(schema, { names: ['b'], other: 'x' }, { old: { names: ['b'] } });
    expect(found).toEqual({
      errors: [],
      ratcheted: ['names[0]: Invalid value: "b": failed rule: self != "b"'],
    });
    expect(find(schema, { names: ['b', 'b'] }, { old: { names: ['b'] } }).errors).toHaveLength(2);
  });

  it('compare items of lists by their keys', () => {
    const item: JsonSchema = {
      type: 'object',
      properties: { name: { type: 'string' }, size: { type: 'integer' } },
      ...withRules({ rule: 'self.size == oldSelf.size', message: 'size is fixed' }),
    };
    const list: JsonSchema = {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: item,
    };
    const old = { list: [{ name: 'a', size: 1 }] };
    const value = {
      list: [
        { name: 'new', size: 9 },
        { name: 'a', size: 2 },
      ],
    };
    expect(find(within('list', list), value, { old }).errors).toEqual([
      'list[1]: Invalid value: size is fixed',
    ]);
  });

  it('see the metadata of resources, and what allOf says', () => {
    const schema: JsonSchema = {
      type: 'object',
      ...withRules({
        rule: "self.metadata.name.startsWith('a')",
        messageExpression: "'not ' + self.metadata.name",
      }),
      properties: {
        kind: { type: 'string' },
        text: { type: 'string', allOf: [withRules({ rule: "self != 'bad'" })] },
      },
    };
    expect(find(schema, { metadata: { name: 'b' }, text: 'bad' }).errors).toEqual([
      ': Invalid value: not b',
      'text: Invalid value: "bad": failed rule: self != \'bad\'',
    ]);
  });

  it('fail where they fail, and stop when they cost too much', () => {
    const failing = within('spec', {
      type: 'object',
      properties: { list: { type: 'array', items: { type: 'string' } } },
      ...withRules({ rule: 'self.list[5] == ""' }),
    });
    expect(find(failing, { spec: { list: [] } }).errors[0]).toMatch(
      /^spec: Invalid value: "object": .*index out of bounds.* evaluating rule: self.list\[5\] == ""$/,
    );
    expect(find(failing, { spec: { list: [] } }, { budget: 1 }).errors).toEqual([
      'spec: Invalid value: "object": validation failed due to running out of cost budget, no further validation rules will be run',
    ]);
  });
});

describe('rules of a definition', () => {
  const problems = (schema: JsonSchema): string[] => {
    const checker = new RuleChecker(schema, { limitsEach: true });
    const rules = { requireValidTypes: true, requireAtomicSets: true, requireMapListKeys: true };
    return [...validateSchema(schema, 'schema', rules, checker.check), ...checker.total('schema')].map(
      ({ field, message }) => `${field}: ${message}`,
    );
  };
  const list = (rule: ValidationRule, maxItems?: number): JsonSchema =>
    within('list', {
      type: 'array',
      items: { type: 'string', maxLength: 10 },
      ...(maxItems === undefined ? {} : { maxItems }),
      ...withRules(rule),
    });
  const at = 'schema.properties[list].x-kubernetes-validations[0]';

  it('must compile', () => {
    expect(problems(list({ rule: 'self.nothing' }, 5))[0]).toContain('does not support field selection');
    expect(problems(list({ rule: 'size(self)' }, 5))).toEqual([
      `${at}.rule: Invalid value: {"Rule":"size(self)","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}: cel expression must evaluate to a bool`,
    ]);
    expect(problems(list({ rule: 'true', messageExpression: '42' }, 5))[0]).toContain(
      'messageExpression must evaluate to a string',
    );
  });

  it('may not cost too much', () => {
    const rule = { rule: 'self.all(one, self.all(other, one == other))' };
    expect(problems(list(rule, 10))).toEqual([]);
    expect(problems(list(rule))[0]).toContain(
      `${at}.rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x`,
    );
    expect(problems(list(rule)).at(-1)).toContain(
      'schema: Forbidden: x-kubernetes-validations estimated rule',
    );
  });

  it('may not ask for what was before where nobody knows', () => {
    const item = { type: 'string', ...withRules({ rule: 'self == oldSelf' }) } as JsonSchema;
    expect(problems(within('list', { type: 'array', maxItems: 5, items: item }))).toEqual([
      'schema.properties[list].items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within schema.properties[list]',
    ]);
    expect(problems(list({ rule: 'true', optionalOldSelf: true }, 5))[0]).toContain(
      'may not be set if oldSelf is not used in rule',
    );
  });
});
