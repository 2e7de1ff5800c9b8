import { expect, it } from 'vitest';
import { applyMergePatch } from './merge-patch.ts';

// The table of RFC 7386, appendix A, as far as documents are objects.
it.each([
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
])('%j patched with %j', (document, patch, expected) => {
  const before = structuredClone(document);
  expect(applyMergePatch(document, patch)).toEqual(expected);
  expect(document).toEqual(before);
});

it('refuses a patch that is no object', () => {
  expect(() => applyMergePatch({}, [1])).toThrow('Invalid JSON Patch');
});

it('treats __proto__ as data', () => {
  const result = applyMergePatch({ data: {} }, JSON.parse('{"data":{"__proto__":"x"}}'));
  expect(JSON.stringify(result)).toBe('{"data":{"__proto__":"x"}}');
});
