import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLabelSelector } from './label-selector-text.ts';
import {
  formatLabelSelector,
  NOTHING,
  selectorFromLabels,
  selectorFromObject,
  validateLabelSelector,
} from './labels.ts';

describe('parseLabelSelector', () => {
  it.each([
    ['', { a: 'b' }, true],
    ['a=b', { a: 'b' }, true],
    ['a==b', { a: 'c' }, false],
    ['a!=b', {}, true],
    ['a in (b,c)', { a: 'c' }, true],
    ['a in (b, c )', {}, false],
    ['a notin (b,c)', { a: 'd' }, true],
    ['a notin (b,c)', {}, true],
    ['a', { a: '' }, true],
    ['!a', { a: '' }, false],
    ['! a', {}, true],
    ['a=', { a: '' }, true],
    ['a in ()', { a: '' }, true],
    ['a in (,x)', { a: '' }, true],
    ['a>5', { a: '6' }, true],
    ['a<5', { a: 'x' }, false],
    ['in in (in,notin)', { in: 'notin' }, true],
    ['constructor', {}, false],
    ['!constructor', {}, true],
    ['example.com/x=y,a', { 'example.com/x': 'y', a: '1' }, true],
  ] as const)('%j on %j: %j', (text, labels, expected) => {
    expect(parseLabelSelector(text).matches(labels)).toBe(expected);
  });

  it.each([
    [',', "found ',', expected: !, identifier, or 'end of string'"],
    ['a,', "found '', expected: identifier after ','"],
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ['a=b c', "found 'c', expected: ',' or 'end of string'"],
    ['a in b', "unable to parse requirement: found 'b' expected: '('"],
    ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
    [
      'a>x',
      "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
    ],
  ])('refuses %j', (text, message) => {
    expect(() => parseLabelSelector(text)).toThrow(message);
  });

  it('names a bad key or value as upstream does', () => {
    expect(() => parseLabelSelector('-a=b')).toThrow(
      /^unable to parse requirement: <nil>: Invalid value: "-a": name part must consist of/,
    );
    expect(() => parseLabelSelector('a=-b')).toThrow(
      /^unable to parse requirement: values\[0\]\[a\]: Invalid value: "-b": a valid label must be/,
    );
  });

  it('writes text that parses to the same selector', () => {
    const key = fc.stringMatching(/^[a-z]{1,5}$/);
    const value = fc.stringMatching(/^[a-z0-9]{0,4}$/);
    const term = fc.oneof(
      key,
      key.map((one) => `!${one}`),
      fc.tuple(key, fc.constantFrom('=', '==', '!='), value).map((parts) => parts.join('')),
      fc
        .tuple(key, fc.constantFrom('in', 'notin'), fc.array(value, { minLength: 1, maxLength: 4 }))
        .map(([one, operator, values]) => `${one} ${operator} (${values.join(',')})`),
    );
    fc.assert(
      fc.property(fc.array(term, { maxLength: 4 }), (terms) => {
        const selector = parseLabelSelector(terms.join(','));
        const again = parseLabelSelector(selector.toString());
        expect(again.requirements).toEqual(selector.requirements);
      }),
    );
  });

  it('never does anything but return or throw a SelectorError', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab=!(),<> in\tnot-') }), (text) => {
        try {
          parseLabelSelector(text);
        } catch (error) {
          expect(error).toHaveProperty('name', 'SelectorError');
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('LabelSelector objects', () => {
  it('select nothing when absent and everything when empty', () => {
    expect(selectorFromObject(undefined)).toBe(NOTHING);
    expect(NOTHING.matches({})).toBe(false);
    expect(selectorFromObject({}).isEverything).toBe(true);
    expect(selectorFromLabels({}).matches({ a: 'b' })).toBe(true);
  });

  it('match and print', () => {
    const selector = {
      matchLabels: { b: '1' },
      matchExpressions: [
        { key: 'a', operator: 'In', values: ['y', 'x'] },
        { key: 'c', operator: 'DoesNotExist' },
      ],
    };
    expect(formatLabelSelector(selector)).toBe('a in (x,y),b=1,!c');
    expect(selectorFromObject(selector).matches({ a: 'x', b: '1' })).toBe(true);
    expect(selectorFromObject(selector).matches({ a: 'x', b: '1', c: '' })).toBe(false);
    expect(formatLabelSelector({})).toBe('<none>');
    expect(formatLabelSelector({ matchExpressions: [{ key: 'a', operator: 'Near' }] })).toBe('<error>');
  });

  it('are validated field by field', () => {
    const errors = validateLabelSelector(
      {
        matchLabels: { 'bad key': 'v' },
        matchExpressions: [
          { key: 'a', operator: 'In' },
          { key: 'a', operator: 'Exists', values: ['x'] },
          { key: 'a', operator: 'Near' },
        ],
      },
      'spec.selector',
    );
    expect(errors.map(({ field }) => field)).toEqual([
      'spec.selector.matchLabels',
      'spec.selector.matchExpressions[0].values',
      'spec.selector.matchExpressions[1].values',
      'spec.selector.matchExpressions[2].operator',
    ]);
  });
});
