import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../lib/limits.ts';
import { parseJson } from './json-text.ts';

const parse = (text: string): ReturnType<typeof parseJson> => parseJson(Buffer.from(text));

describe('parseJson', () => {
  it('finds duplicates wherever they are, the last one winning', () => {
    const { value, duplicates } = parse('{"a":{"b":1,"b":2},"c":[{"d":1,"d":1}],"a":3}');
    expect(value).toEqual({ a: 3, c: [{ d: 1 }] });
    expect(duplicates).toEqual(['a.b', 'c[0].d', 'a']);
  });

  it('is not fooled by what looks like a member inside a string', () => {
    expect(parse('{"a":"b\\":{[,\\\\","c:":1}').duplicates).toEqual([]);
  });

  it('keeps integers that a number would round', () => {
    expect(parse('{"a":9223372036854775807,"b":1e30,"c":-9007199254740993}').value).toEqual({
      a: 9223372036854775807n,
      b: 1e30,
      c: -9007199254740993n,
    });
  });

  it.each([
    ['', 'unexpected end of JSON input'],
    ['{', 'unexpected end of JSON input'],
    ['{"a"}', "invalid character '}' after object key"],
    ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
    ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
    ['[1,]', "invalid character ']' looking for beginning of value"],
    ['[1 2]', "invalid character '2' after array element"],
    ['{"a":1 "b":2}', "invalid character '\"' after object key:value pair"],
    ['{} x', "invalid character 'x' after top-level value"],
    ['trux', "invalid character 'x' in literal true (expecting 'e')"],
    ['"\t"', "invalid character '\\t' in string literal"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"],
    ['-x', "invalid character 'x' in numeric literal"],
    ['1.x', "invalid character 'x' after decimal point in numeric literal"],
    ['1ex', "invalid character 'x' in exponent of numeric literal"],
    ["'a'", "invalid character '\\'' looking for beginning of value"],
    ['1e999', 'json: cannot unmarshal number 1e999 into Go value of type float64'],
  ])('words the error for %j as Go does', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  it('bounds nesting and refuses what is not UTF-8', () => {
    const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
    expect(parse(deep(LIMITS.http.nesting)).duplicates).toEqual([]);
    expect(() => parse(deep(LIMITS.http.nesting + 1))).toThrow('exceeded max depth');
    expect(() => parse('{"a":'.repeat(100_000))).toThrow('exceeded max depth');
    expect(() => parseJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow('invalid UTF-8');
  });

  it('keeps keys of Object.prototype plain', () => {
    const { value } = parse('{"__proto__":{"a":1},"constructor":2,"__proto__":{"b":1}}');
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(JSON.stringify(value)).toBe('{"__proto__":{"b":1},"constructor":2}');
  });

  it('agrees with JSON.parse on everything JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(parse(text).duplicates).toEqual([]);
        // Doubling a member takes the careful parser.
        const doubled = parse(`{"x":1,"y":${text},"x":1}`);
        expect(doubled.duplicates).toEqual(['x']);
        expect(numbers(doubled.value)).toEqual({ x: 1, y: JSON.parse(text) as unknown });
      }),
    );
  });

  it('accepts and refuses the same texts as JSON.parse', () => {
    const character = fc.constantFrom(...'{}[]:,"\\ 0123456789.eE+-truefalsn\n');
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 12 }), (text) => {
        // Numbers beyond a double are valid for JSON.parse, but not for us.
        fc.pre(!/e[+-]?\d{3}/i.test(text));
        expect(succeeds(() => parse(text))).toBe(succeeds(() => JSON.parse(text)));
      }),
      { numRuns: 3000 },
    );
  });
});

/** Numbers instead of the bigints that stand for large ones. */
function numbers(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(numbers);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, numbers(item)]));
}

function succeeds(action: () => unknown): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
