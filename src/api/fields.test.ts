import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FieldSelector, parseFieldSelector, selectedName } from './fields.ts';

describe('parseFieldSelector', () => {
  it('matches fields, absent ones as empty', () => {
    const selector = parseFieldSelector('status.phase!=Running,spec.nodeName==');
    expect(selector.matches(() => undefined)).toBe(true);
    expect(selector.matches((field) => ({ 'status.phase': 'Running' })[field])).toBe(false);
    expect(selector.matches((field) => ({ 'spec.nodeName': 'a' })[field])).toBe(false);
    expect(parseFieldSelector('metadata.name=a').exactMatch('metadata.name')).toBe('a');
    expect(parseFieldSelector('metadata.name!=a').exactMatch('metadata.name')).toBeUndefined();
  });

  it('says what is wrong', () => {
    expect(() => parseFieldSelector('a')).toThrow("invalid selector: 'a'; can't understand 'a'");
    expect(() => parseFieldSelector('a=b=c')).toThrow(
      'invalid field selector: unescaped character in value: 61',
    );
    expect(() => parseFieldSelector('a=b\\x')).toThrow(
      'invalid field selector: invalid escape sequence: \\x',
    );
    expect(() => parseFieldSelector('a=b\\')).toThrow('invalid field selector: invalid escape sequence: \\');
    expect(() => parseFieldSelector('x=1', (field) => field === 'y')).toThrow('field label not supported: x');
  });

  it('finds the one name a request is about, and none where a value only looks like it', () => {
    expect(selectedName('metadata.name=a')).toBe('a');
    expect(selectedName('type=x,metadata.name==a')).toBe('a');
    expect(selectedName('metadata.name!=a')).toBe('');
    expect(selectedName('type!=\\,metadata.name=a')).toBe('');
    expect(selectedName(undefined)).toBe('');
  });

  it('reads back what it writes', () => {
    const requirement = fc.record({
      field: fc.stringMatching(/^[a-z.]{1,8}$/),
      operator: fc.constantFrom('=' as const, '!=' as const),
      value: fc.string({ unit: 'grapheme' }),
    });
    fc.assert(
      fc.property(fc.array(requirement, { minLength: 1, maxLength: 4 }), (requirements) => {
        const text = new FieldSelector(requirements).toString();
        const sort = (list: readonly { field: string; operator: string; value: string }[]): string[] =>
          list.map((one) => JSON.stringify([one.field, one.operator, one.value])).sort();
        expect(sort(parseFieldSelector(text).requirements)).toEqual(sort(requirements));
      }),
    );
  });
});
