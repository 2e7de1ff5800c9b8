import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parseYaml } from './yaml-text.ts';

const parse = (text: string): ReturnType<typeof parseYaml> => parseYaml(Buffer.from(text));

describe('parseYaml', () => {
  it('reads scalars as Go does', () => {
    const text =
      'a: yes\nb: 0777\nc: 2001-01-01\nd: 1:30\ne: ~\nf: "1"\ng: 9223372036854775807\nh: !!binary aGk=\n';
    expect(parse(text).value).toEqual({
      a: true,
      b: 511,
      c: '2001-01-01',
      d: '1:30',
      e: null,
      f: '1',
      g: 9223372036854775807n,
      h: 'aGk=',
    });
  });

  it('merges maps and never shares an aliased one', () => {
    const value = parse('x: &x {a: 1}\nz: *x\nw:\n  <<: *x\n  b: 2\n').value as Record<string, object>;
    expect(value).toEqual({ x: { a: 1 }, z: { a: 1 }, w: { a: 1, b: 2 } });
    expect(value['x']).not.toBe(value['z']);
  });

  it('names duplicates by line and takes the first document', () => {
    const { value, duplicates } = parse('a: 1\nb:\n  c: 1\n  c: 2\na: 3\n---\nd: 4\n');
    expect(value).toEqual({ a: 3, b: { c: 2 } });
    expect(duplicates.toSorted()).toEqual([
      'line 4: key "c" already set in map',
      'line 5: key "a" already set in map',
    ]);
  });

  it.each([
    ['a: [1\nb: 2', /^yaml: line 2: /],
    ['? [a]\n: b', /^yaml: invalid map key/],
    ['a: .inf', /^yaml: Infinity has no form in JSON/],
    ['['.repeat(100_000), /^yaml: exceeded max depth/],
    ['- '.repeat(20_000), /^yaml: line 1: exceeded max depth/],
    [`a: "${'x'.repeat(300_000)}"`, /^yaml: document is larger than/],
    ['a: &a [*a]', /^yaml: /],
  ])('refuses %.20j', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  it('does not swell', () => {
    const level = (name: string, below: string): string =>
      `${name}: &${name} [${`*${below},`.repeat(9)}*${below}]\n`;
    const bomb = `a: &a [1,2]\n${level('b', 'a')}${level('c', 'b')}${level('d', 'c')}${level('e', 'd')}`;
    expect(() => parse(bomb)).toThrow('excessive aliasing');
  });

  it('keeps keys of Object.prototype plain', () => {
    expect(JSON.stringify(parse('__proto__: {a: 1}\nconstructor: 2\n').value)).toBe(
      '{"__proto__":{"a":1},"constructor":2}',
    );
  });

  it('reads back what is written', () => {
    const scalar = fc.oneof(fc.integer(), fc.boolean(), fc.string({ maxLength: 8 }));
    const value = fc.dictionary(fc.stringMatching(/^[a-w]{2,6}$/), fc.oneof(scalar, fc.array(scalar)));
    fc.assert(
      fc.property(value, (object) => {
        const text = stringify(object, { version: '1.1' });
        expect(parse(text).value).toEqual(object);
      }),
      { numRuns: 60 },
    );
  });
});
