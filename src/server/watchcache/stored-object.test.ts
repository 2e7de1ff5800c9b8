import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../api/resource.ts';
import { encodeForStorage, isAsStored } from './stored-object.ts';

const object = (data: unknown): KubeObject =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', uid: 'u' }, data }) as KubeObject;

describe('an object is as it is stored', () => {
  it('exactly when parsing the bytes gives it back', () => {
    const values = fc.anything({
      withDate: true,
      withBigInt: false,
      withNullPrototype: false,
      values: [
        fc.string(),
        fc.double(),
        fc.boolean(),
        fc.constantFrom(null, undefined, -0, Number.NaN, () => 1, Symbol('s')),
      ],
    });
    fc.assert(
      fc.property(values, (value) => {
        const one = object(value);
        const parsed: unknown = JSON.parse(encodeForStorage(one).toString());
        if (isAsStored(one)) expect(parsed).toStrictEqual(one);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['undefined', { a: { b: undefined } }],
    ['undefined in an array', [1, undefined]],
    ['no number', { a: Number.NaN }],
    ['a function', { a: () => 1 }],
    ['what writes itself', { at: new Date(0) }],
  ])('not with %s in it', (_what, data) => {
    expect(isAsStored(object(data))).toBe(false);
  });

  it('not with a revision, or in another order', () => {
    expect(isAsStored(object({ a: ['b', null, true, 1.5] }))).toBe(true);
    expect(isAsStored({ ...object({}), metadata: { name: 'a', resourceVersion: '1' } })).toBe(false);
    const { metadata, ...rest } = object({});
    expect(isAsStored({ metadata, ...rest })).toBe(false);
  });
});
