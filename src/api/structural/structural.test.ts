import { describe, expect, it } from 'vitest';
import { Correlated } from './correlated.ts';
import { fillDefaults } from './defaulting.ts';
import { coerceEmbedded, coerceMetadata, validateEmbedded } from './embedded.ts';
import type { JsonSchema } from './json-schema.ts';
import { validateListTypes } from './list-types.ts';
import { prune } from './prune.ts';
import { compile, compileRoot } from './structural.ts';
import { validateValue } from './validate-value.ts';

const texts = (errors: readonly { field: string; message: string }[]): string[] =>
  errors.map(({ field, message }) => `${field}: ${message}`);
const object = (properties: Record<string, JsonSchema>, more: JsonSchema = {}): JsonSchema => ({
  type: 'object',
  properties,
  ...more,
});
const problems = (schema: JsonSchema, value: unknown): string[] =>
  texts(validateValue(value, compile(schema)));

describe('patterns', () => {
  // At every character of such a text some thousand ways are under way, none of them the same set as before.
  const costly = `(${Array.from({ length: 8 }, (_, at) => `[ab]{${at + 1}}a[ab]{900}`).join('|')})c`;
  const text = (seed: number, length: number): string => {
    let state = seed;
    return Array.from({ length }, () => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return state & 0x10000 ? 'a' : 'b';
    }).join('');
  };

  it('cannot hold up the server, one of them or many', () => {
    const schema: JsonSchema = { type: 'array', items: { type: 'string', pattern: costly } };
    const [problem] = problems({ type: 'string', pattern: costly }, text(1, 1_000_000));
    expect(problem).toContain(`should match '${costly}, but that takes too long to find out'`);
    const many = Array.from({ length: 1000 }, (_, at) => text(at, 1000));
    const found = problems(schema, many);
    expect(found.some((one) => one.includes('too long to find out'))).toBe(true);
  }, 20_000);

  it('of the usual kind cost next to nothing', () => {
    const schema: JsonSchema = {
      type: 'array',
      items: {
        type: 'string',
        pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
      },
    };
    const names = Array.from({ length: 20_000 }, (_, at) => `a-${at}.${text(at, 60)}.example.com`);
    expect(problems(schema, names)).toEqual([]);
  });
});

describe('pruning', () => {
  const pruned = (schema: JsonSchema, value: object): { value: object; unknown: string[] } => {
    const unknown = prune(value, compileRoot(schema));
    return { value, unknown };
  };

  it('drops what the schema does not know and says so, but never what makes an object one', () => {
    const schema = object({
      spec: object({
        a: { type: 'string' },
        list: { type: 'array', items: object({ x: { type: 'integer' } }) },
      }),
    });
    expect(
      pruned(schema, {
        apiVersion: 'v1',
        kind: 'K',
        metadata: { name: 'n', foo: 1 },
        other: 1,
        spec: { a: 'x', b: 1, list: [{ x: 1, y: 2 }] },
      }),
    ).toEqual({
      value: {
        apiVersion: 'v1',
        kind: 'K',
        metadata: { name: 'n', foo: 1 },
        spec: { a: 'x', list: [{ x: 1 }] },
      },
      unknown: ['other', 'spec.b', 'spec.list[0].y'],
    });
  });

  it('keeps unknown fields where it is told to, and prunes again inside of known ones', () => {
    const schema = object({
      spec: object({ known: object({}) }, { 'x-kubernetes-preserve-unknown-fields': true }),
      map: { type: 'object', additionalProperties: { type: 'string' } },
      free: { type: 'object', additionalProperties: true },
    });
    expect(
      pruned(schema, {
        spec: { any: { thing: 1 }, known: { x: 1 } },
        map: { a: 'b' },
        free: { o: { gone: 1 }, n: 1 },
      }),
    ).toEqual({
      value: { spec: { any: { thing: 1 }, known: {} }, map: { a: 'b' }, free: { o: {}, n: 1 } },
      unknown: ['free.o.gone', 'spec.known.x'],
    });
  });

  it('drops null that means nothing', () => {
    const schema = object({
      a: { type: 'string' },
      b: { type: 'string', nullable: true },
      c: { type: 'string', default: 'x' },
    });
    const value = { a: null, b: null, c: null };
    prune(value, compileRoot(schema));
    expect(value).toEqual({ b: null, c: null });
    fillDefaults(value, compileRoot(schema));
    expect(value).toEqual({ b: null, c: 'x' });
  });
});

describe('defaults', () => {
  it('fill in where their parent is there, items and values of maps included', () => {
    const item = object({ port: { type: 'integer', default: 80 } });
    const schema = compileRoot(
      object({
        spec: object({
          deep: object({ x: { type: 'string', default: 'y' } }, { default: {} }),
          absent: object({ z: { type: 'string', default: 'z' } }),
          list: { type: 'array', items: item },
          map: { type: 'object', additionalProperties: item },
        }),
      }),
    );
    const value = { spec: { list: [{}, { port: 1 }], map: { a: {} } } };
    expect(fillDefaults(value, schema)).toBe(true);
    expect(value).toEqual({
      spec: { deep: { x: 'y' }, list: [{ port: 80 }, { port: 1 }], map: { a: { port: 80 } } },
    });
    expect(fillDefaults(value, schema)).toBe(false);
  });

  it('of a field named __proto__ are plain data', () => {
    const properties = JSON.parse(
      '{"__proto__":{"type":"object","default":{"admin":true}}}',
    ) as JsonSchema['properties'];
    const value: Record<string, unknown> = {};
    expect(fillDefaults(value, compileRoot({ type: 'object', properties: properties ?? {} }))).toBe(true);
    expect(value['admin']).toBeUndefined();
    expect(JSON.stringify(value)).toBe('{"__proto__":{"admin":true}}');
  });
});

describe('validation', () => {
  it.each<[JsonSchema, unknown, string[]]>([
    [
      object({ n: { type: 'integer' } }),
      { n: 'x' },
      ['n: Invalid value: "string": n in body must be of type integer: "string"'],
    ],
    [object({ n: { type: 'number' } }), { n: 1 }, []],
    [
      object({ n: { type: 'integer' } }),
      { n: 1.5 },
      [
        'n: Invalid value: "number": n in body must be of type integer: "number"',
        '<nil>: Invalid value: "": Checked value must be of type integer (default format) in n',
      ],
    ],
    [
      object({ n: { type: 'integer', format: 'int32' } }),
      { n: 2 ** 31 },
      ['<nil>: Invalid value: "": Checked value must be of type integer with format int32 in n'],
    ],
    [object({ p: { 'x-kubernetes-int-or-string': true } }), { p: '80%' }, []],
    [
      object({ p: { 'x-kubernetes-int-or-string': true } }),
      { p: true },
      ['p: Invalid value: "boolean": p in body must be of type integer,string: "boolean"'],
    ],
    [
      object({ a: object({ b: { type: 'string' } }, { required: ['b'] }) }),
      { a: {} },
      ['a.b: Required value'],
    ],
    [object({}, { required: ['spec'] }), {}, ['spec: Required value']],
    [
      object({ e: { type: 'string', enum: ['b', 'a'] } }),
      { e: 'c' },
      ['e: Unsupported value: "c": supported values: "b", "a"'],
    ],
    [
      object({ s: { type: 'string', minLength: 2 } }),
      { s: 'é' },
      ['s: Invalid value: "é": s in body should be at least 2 chars long'],
    ],
    [
      object({ s: { type: 'string', maxLength: 1 } }),
      { s: 'ab' },
      ['s: Too long: may not be more than 1 bytes'],
    ],
    [
      object({ s: { type: 'string', pattern: '^a+$' } }),
      { s: 'b' },
      ['s: Invalid value: "b": s in body should match \'^a+$\''],
    ],
    [
      object({ s: { type: 'string', format: 'date-time' } }),
      { s: 'noon' },
      ['s: Invalid value: "noon": s in body must be of type date-time: "noon"'],
    ],
    [object({ s: { type: 'string', format: 'whatever' } }), { s: 'x' }, []],
    [
      object({ l: { type: 'array', items: { type: 'integer', minimum: 1 }, maxItems: 2 } }),
      { l: [1, 0, 3] },
      [
        'l[1]: Invalid value: 0: l[1] in body should be greater than or equal to 1',
        'l: Too many: 3: must have at most 2 items',
      ],
    ],
    [
      object({ n: { type: 'number', maximum: 1, exclusiveMaximum: true, multipleOf: 0.1 } }),
      { n: 1.05 },
      [
        'n: Invalid value: 1.05: n in body should be a multiple of 0.1',
        'n: Invalid value: 1.05: n in body should be less than 1',
      ],
    ],
    [
      object({ m: { type: 'object', additionalProperties: { type: 'string' }, minProperties: 2 } }),
      { m: { a: 1 } },
      [
        'm: Invalid value: 1: m in body should have at least 2 properties',
        'm.a: Invalid value: "integer": m.a in body must be of type string: "integer"',
      ],
    ],
    [
      object({ x: { type: 'string' } }),
      { x: null },
      ['x: Invalid value: "null": x in body must be of type string: "null"'],
    ],
    [object({ x: { type: 'string', nullable: true } }), { x: null }, []],
  ])('%j refuses %j', (schema, value, expected) => {
    expect(problems(schema, value)).toEqual(expected);
  });

  it('says of several alternatives what the nearest one misses', () => {
    const schema = object(
      { a: { type: 'string' }, b: { type: 'string' } },
      { oneOf: [{ required: ['a'] }, { required: ['b'] }] },
    );
    expect(problems(schema, { a: '', b: '' })).toEqual([
      '<nil>: Invalid value: "": "" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    ]);
    expect(problems(schema, {})).toEqual([
      '<nil>: Invalid value: "": "" must validate one and only one schema (oneOf). Found none valid',
      'a: Required value',
    ]);
    const spec = object({ spec: object({}, { not: { required: ['x'] }, allOf: [{ required: ['y'] }] }) });
    expect(problems(spec, { spec: { x: 1 } })).toEqual([
      'spec.y: Required value',
      '<nil>: Invalid value: "": "spec" must validate all the schemas (allOf). None validated',
      '<nil>: Invalid value: "": "spec" must not validate the schema (not)',
    ]);
    const any = object({ v: { type: 'integer', anyOf: [{ minimum: 10 }, { maximum: 2 }] } });
    expect(problems(any, { v: 1 })).toEqual([]);
    expect(problems(any, { v: 5 })).toEqual([
      '<nil>: Invalid value: "": "v" must validate at least one schema (anyOf)',
      'v: Invalid value: 5: v in body should be greater than or equal to 10',
    ]);
  });

  it('names fields under a base', () => {
    const schema = compile(object({ phase: { type: 'string' } }));
    expect(texts(validateValue({ phase: 1 }, schema, { base: 'status' }))).toEqual([
      'status.phase: Invalid value: "integer": phase in body must be of type string: "integer"',
    ]);
  });

  it('forgives what did not change', () => {
    const schema = compile(
      object({
        kept: { type: 'string', minLength: 5 },
        map: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['k'],
          items: object({ k: { type: 'string' }, v: { type: 'integer', minimum: 5 } }),
        },
        atomic: { type: 'array', items: { type: 'integer', minimum: 5 } },
      }),
    );
    const old = { kept: 'x', map: [{ k: 'a', v: 1 }], atomic: [1] };
    const update = {
      kept: 'x',
      map: [
        { k: 'b', v: 2 },
        { k: 'a', v: 1 },
      ],
      atomic: [1, 6],
    };
    const correlated = new Correlated(update, old, schema);
    expect(texts(validateValue(update, schema, { correlated }))).toEqual([
      'map[0].v: Invalid value: 2: map[0].v in body should be greater than or equal to 5',
      'atomic[0]: Invalid value: 1: atomic[0] in body should be greater than or equal to 5',
    ]);
    const same = structuredClone(old);
    expect(validateValue(same, schema, { correlated: new Correlated(same, old, schema) })).toEqual([]);
  });

  it('takes a list with keys for the same in any order', () => {
    const item = object({ k: { type: 'string' } });
    const keyed = { type: 'array', items: item, 'x-kubernetes-list-type': 'map', maxItems: 1 } as const;
    const schema = compile(
      object({
        list: { ...keyed, 'x-kubernetes-list-map-keys': ['k'] },
        around: object({ list: { ...keyed, 'x-kubernetes-list-map-keys': ['k'] } }, { minProperties: 2 }),
      }),
    );
    const [a, b] = [{ k: 'a' }, { k: 'b' }];
    const old = { list: [a, b], around: { list: [a, b] } };
    const update = { list: [b, a], around: { list: [b, a] } };
    const check = (value: unknown) =>
      texts(validateValue(value, schema, { correlated: new Correlated(value, old, schema) }));
    expect(check(update)).toEqual([]);
    expect(check({ ...update, list: [a, { k: 'c' }] })).toEqual([
      'list: Too many: 2: must have at most 1 items',
    ]);
  });

  it('holds nothing for the same of which the schema says nothing', () => {
    const open = object({}, { 'x-kubernetes-preserve-unknown-fields': true, minProperties: 2 });
    const schema = compile(object({ open }));
    const value = { open: { any: 1 } };
    const correlated = new Correlated(value, structuredClone(value), schema);
    expect(validateValue(value, schema, { correlated })).toHaveLength(1);
  });
});

describe('lists', () => {
  it('hold no item of a set and no key of a map twice', () => {
    const schema = compile(
      object({
        set: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
        map: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['a', 'b'],
          items: object({ a: { type: 'string' }, b: { type: 'integer' } }),
        },
      }),
    );
    expect(
      texts(
        validateListTypes(
          { set: ['x', 'y', 'x', 'x'], map: [{ a: '1', b: 1 }, { a: '1' }, { b: 1, a: '1' }] },
          schema,
        ),
      ),
    ).toEqual(['set[2]: Duplicate value: "x"', 'map[2]: Duplicate value: {"a":"1","b":1}']);
  });
});

describe('embedded resources', () => {
  const schema = compileRoot(
    object({
      spec: object({
        template: {
          type: 'object',
          'x-kubernetes-embedded-resource': true,
          'x-kubernetes-preserve-unknown-fields': true,
        },
      }),
    }),
  );

  it('have metadata of the proper form', () => {
    const value = {
      metadata: { name: 'n', unknown: 1 },
      spec: { template: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', foo: 'y' }, any: 1 } },
    };
    expect(coerceMetadata(value)).toEqual(['metadata.unknown']);
    expect(coerceEmbedded(value, schema)).toEqual(['spec.template.metadata.foo']);
    expect(value.spec.template).toEqual({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, any: 1 });
  });

  it('refuse malformed metadata, or drop it when read back', () => {
    const value = (): { metadata: object } => ({ metadata: { name: 'n', labels: 'x' } });
    expect(() => coerceMetadata(value())).toThrow(/cannot unmarshal string/);
    const kept = value();
    coerceMetadata(kept, { dropsMalformed: true });
    expect(kept.metadata).toEqual({ name: 'n' });
  });

  it('say what they are', () => {
    const rule = (): [] => [];
    expect(texts(validateEmbedded({ spec: { template: { kind: 'no_kind' } } }, schema, rule))).toEqual([
      'spec.template.apiVersion: Required value',
      expect.stringContaining('spec.template.kind: Invalid value: "no_kind": may have mixed case'),
    ]);
  });
});
