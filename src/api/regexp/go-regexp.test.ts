import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileGoRegexp } from './go-regexp.ts';

const matches = (pattern: string, text: string): boolean => compileGoRegexp(pattern).test(text);

describe('expressions', () => {
  it.each([
    ['abc', 'xabcx', true],
    ['^abc$', 'abc\n', false],
    ['(?m)^b$', 'a\nb\nc', true],
    ['^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', 'web-1', true],
    ['^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', 'web-', false],
    ['^(a|b){2,3}$', 'abab', false],
    ['^(a|b){2,3}$', 'aba', true],
    ['^a{0}$', '', true],
    ['^\\d+\\.\\d+$', '12.34', true],
    ['^\\w$', 'é', false],
    ['^\\pL$', 'é', true],
    ['^\\p{Greek}+$', 'αβγ', true],
    ['^\\P{Greek}+$', 'αβγ', false],
    ['^[[:alpha:]_]+$', 'ab_', true],
    ['^[^[:^digit:]]+$', '12', true],
    ['(?i)^straße$', 'STRAßE', true],
    ['(?i)^[k]$', '\u212a', true],
    ['a.c', 'a\nc', false],
    ['(?s)a.c', 'a\nc', true],
    ['(?i:A)b', 'ab', true],
    ['(?i:A)b', 'aB', false],
    ['\\Qa.b\\E+$', 'a.bbb', true],
    ['\\bfoo\\b', 'a foo b', true],
    ['\\Bo', 'foo', true],
    ['^[\\]a]+$', ']a]', true],
    ['^[]a]+$', ']a]', true],
    ['^[a-]+$', 'a-a', true],
    ['x{,2}', 'x{,2}', true],
    ['^😀.$', '😀😀', true],
    ['^\\x41\\x{1F600}\\101$', 'A😀A', true],
    ['(?P<year>\\d{4})-(?<month>\\d\\d)', '2026-01', true],
    ['', '', true],
    ['a||b', '', true],
    ['^(|a)*$', 'aaa', true],
    ['^(a*)*b$', 'aab', true],
  ])('%s on %j', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  it('takes no longer for an expression that would explode elsewhere', () => {
    const hostile = compileGoRegexp('^(a+)+$');
    const startMs = performance.now();
    expect(hostile.test(`${'a'.repeat(50_000)}!`)).toBe(false);
    expect(compileGoRegexp('(.*)*(.*)*(.*)*x$').test('y'.repeat(20_000))).toBe(false);
    expect(performance.now() - startMs).toBeLessThan(20_000);
  });

  it('agrees with the engine of JavaScript where both know the syntax', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '(a|b)', '(?:ab)', '\\d', '^', '$', '\\b');
    const piece = fc.tuple(atom, fc.constantFrom('', '', '*', '+', '?', '{1,2}', '*?'));
    const pattern = fc
      .array(piece, { maxLength: 5 })
      .map((pieces) =>
        pieces.map(([one, times]) => (/^(\^|\$|\\b)$/.test(one) ? one : one + times)).join(''),
      );
    fc.assert(
      fc.property(pattern, fc.string({ unit: fc.constantFrom('a', 'b', '1', ' ') }), (source, text) => {
        expect(matches(source, text)).toBe(new RegExp(source).test(text));
      }),
      { numRuns: 500 },
    );
  });
});

describe('mistakes', () => {
  it.each([
    ['(a', 'missing closing ): `(a`'],
    ['a)', 'unexpected ): `a)`'],
    ['[a', 'missing closing ]: `[a`'],
    ['*a', 'missing argument to repetition operator: `*`'],
    ['a**', 'invalid nested repetition operator: `**`'],
    ['a{1001}', 'invalid repeat count: `{1001}`'],
    ['a{2,1}', 'invalid repeat count: `{2,1}`'],
    ['(a{100}){11}', 'invalid repeat count: `{11}`'],
    ['(?=a)', 'invalid or unsupported Perl syntax: `(?=`'],
    ['\\y', 'invalid escape sequence: `\\y`'],
    ['\\1', 'invalid escape sequence: `\\1`'],
    ['a\\', 'trailing backslash at end of expression: ``'],
    ['[z-a]', 'invalid character class range: `z-a`'],
    ['\\p{Nobody}', 'invalid character class range: `\\p{Nobody}`'],
    ['(?P<1 >a)', 'invalid named capture: `(?P<1 >`'],
  ])('%s', (pattern, message) => {
    expect(() => compileGoRegexp(pattern)).toThrow(`error parsing regexp: ${message}`);
  });

  it('bounds nesting and size', () => {
    expect(() => compileGoRegexp('('.repeat(5000))).toThrow('expression nests too deeply');
    expect(() => compileGoRegexp('(abcdefghij){999}'.repeat(20))).toThrow('expression too large');
  });
});
