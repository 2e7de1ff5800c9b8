import { describe, expect, it } from 'vitest';
import { ApiError } from '../status.ts';
import { applyJsonPatch } from './json-patch.ts';

const refusal = (document: Record<string, unknown>, patch: unknown): [number, string] => {
  try {
    applyJsonPatch(document, patch);
  } catch (error) {
    if (error instanceof ApiError)
      return [error.code, error.status.details?.causes?.[0]?.message ?? error.message];
    throw error;
  }
  throw new Error('was accepted');
};

describe('JSON patch', () => {
  it.each([
    ['add a member', { a: 1 }, [{ op: 'add', path: '/b', value: 2 }], { a: 1, b: 2 }],
    ['add into a list', { a: [1, 3] }, [{ op: 'add', path: '/a/1', value: 2 }], { a: [1, 2, 3] }],
    ['append', { a: [1] }, [{ op: 'add', path: '/a/-', value: 2 }], { a: [1, 2] }],
    ['escaped path', { 'a/b': { '~c': 1 } }, [{ op: 'remove', path: '/a~1b/~0c' }], { 'a/b': {} }],
    ['replace', { a: { b: 1 } }, [{ op: 'replace', path: '/a/b', value: [2] }], { a: { b: [2] } }],
    [
      'replace what is missing, as upstream',
      { a: {} },
      [{ op: 'replace', path: '/a/b', value: 1 }],
      { a: { b: 1 } },
    ],
    [
      'replace the last item by -1',
      { a: [1, 2] },
      [{ op: 'replace', path: '/a/-1', value: 3 }],
      { a: [1, 3] },
    ],
    ['move', { a: { x: 1 } }, [{ op: 'move', from: '/a/x', path: '/b' }], { a: {}, b: 1 }],
    ['copy', { a: { x: 1 } }, [{ op: 'copy', from: '/a', path: '/b' }], { a: { x: 1 }, b: { x: 1 } }],
    [
      'test that holds',
      { a: { x: [1] } },
      [{ op: 'test', path: '/a', value: { x: [1] } }],
      { a: { x: [1] } },
    ],
    ['test a missing member for null', {}, [{ op: 'test', path: '/a', value: null }], {}],
  ])('can %s', (_name, document, patch, expected) => {
    const before = structuredClone(document);
    expect(applyJsonPatch(document, patch)).toEqual(expected);
    expect(document).toEqual(before);
  });

  it.each([
    [{}, { op: 'add' }, 400, 'error decoding patch: a JSON patch is a list of operations'],
    [
      {},
      [{ op: 'add', path: '/a/b', value: 1 }],
      422,
      'add operation does not apply: doc is missing path: "/a/b": missing value',
    ],
    [
      {},
      [{ op: 'remove', path: '/a' }],
      422,
      "error in remove for path: '/a': Unable to remove nonexistent key: a: missing value",
    ],
    [
      { a: [] },
      [{ op: 'remove', path: '/a/0' }],
      422,
      "error in remove for path: '/a/0': Unable to access invalid index: 0: invalid index referenced",
    ],
    [{ a: 1 }, [{ op: 'test', path: '/a', value: 2 }], 422, 'testing value /a failed: test failed'],
    [{}, [{ op: 'frob', path: '/a' }], 422, 'Unexpected kind: frob'],
    [{}, [{ op: 'add', value: 2 }], 422, 'add operation failed to decode path: missing value'],
  ])('refuses %j %j', (document, patch, code, message) => {
    expect(refusal(document, patch)).toEqual([code, message]);
  });

  it("answers a patch that does not apply with upstream's words", () => {
    expect(() => applyJsonPatch({}, [{ op: 'remove', path: '/a' }])).toThrow(
      'the server rejected our request due to an error in our request',
    );
  });

  it('bounds the number of operations', () => {
    const patch = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a', value: null }));
    expect(refusal({}, patch)[0]).toBe(413);
  });

  it('bounds what copies may add', () => {
    const patch = Array.from({ length: 40 }, (_, index) => ({
      op: 'copy',
      from: '/a',
      path: `/a/c${index}`,
    }));
    expect(refusal({ a: { x: 'y'.repeat(100) } }, patch)).toEqual([
      422,
      expect.stringContaining('exceeding the limit 3145728'),
    ]);
  });

  it('treats __proto__ as data', () => {
    const patch = JSON.parse('[{"op":"add","path":"/data/__proto__","value":{"polluted":"yes"}}]') as unknown;
    const result = applyJsonPatch({ data: {} }, patch);
    expect(JSON.stringify(result)).toBe('{"data":{"__proto__":{"polluted":"yes"}}}');
    expect(refusal({}, [{ op: 'add', path: '/constructor/prototype/x', value: 1 }])[0]).toBe(422);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
