import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryOf } from '../decode/arbitrary-object.fake.ts';
import type { JsonObject } from '../json-value.ts';
import { kindSchema } from '../schema/built-in.ts';
import type { TypeNode } from '../type-node.ts';
import { compareObjects } from './compare.ts';
import { createdFields } from './created-fields.ts';
import { union } from './field-set.ts';

function expectAsCompared(object: JsonObject, type: TypeNode | undefined, custom: boolean): void {
  const { added, modified } = compareObjects({}, object, type, custom);
  // Order and all: it is stored as it is.
  expect(JSON.stringify(createdFields(object, type, custom))).toBe(JSON.stringify(union(added, modified)));
}

/** The object with the value at one place, counted through, replaced. */
function withReplaced(object: JsonObject, place: number, value: unknown): JsonObject {
  let at = 0;
  return JSON.parse(JSON.stringify(object), (key, before: unknown) =>
    key !== '' && at++ === place ? value : before,
  );
}

describe('createdFields', () => {
  it.each([
    ['', 'Pod'],
    ['', 'Service'],
    ['', 'Node'],
    ['', 'ConfigMap'],
    ['apps', 'Deployment'],
    ['networking.k8s.io', 'NetworkPolicy'],
  ])('is what a comparison with nothing finds in a %s %s', (group, kind) => {
    const type = kindSchema({ group, version: 'v1', kind })!;
    const empty = fc.constantFrom(null, {}, [], '', [{}], [null]);
    fc.assert(
      fc.property(
        arbitraryOf(type, 7),
        fc.nat(30),
        empty,
        fc.boolean(),
        fc.boolean(),
        (object, place, value, typed, custom) => {
          const named = { apiVersion: 'v1', kind, ...(object as JsonObject) };
          expectAsCompared(named, typed ? type : undefined, custom);
          expectAsCompared(withReplaced(named, place, value), typed ? type : undefined, custom);
        },
      ),
      { numRuns: 150 },
    );
  });

  it.each([true, false])('leaves metadata itself to nobody (custom: %s)', (custom) => {
    const type = kindSchema({ group: '', version: 'v1', kind: 'ConfigMap' });
    const metadata = { name: 'a', namespace: 'b' };
    expectAsCompared({ metadata }, type, custom);
    expect(createdFields({ metadata, data: { x: '1' } }, type, custom)).toEqual({
      'f:data': { '.': {}, 'f:x': {} },
    });
    expect(createdFields({ metadata: { ...metadata, labels: { c: 'd' } } }, type, custom)).toEqual({
      'f:metadata': { 'f:labels': { '.': {}, 'f:c': {} } },
    });
  });

  it('counts items of one identity as a whole, and leaves out those without any', () => {
    const type = kindSchema({ group: '', version: 'v1', kind: 'Pod' });
    const containers = [{ name: 'a', image: 'x' }, { name: 'a' }, { image: 'y' }, { name: 'B', image: 'z' }];
    const object = { metadata: { name: 'p', labels: { z: '1', a: '2' } }, spec: { containers } };
    expectAsCompared(object, type, false);
    expect(createdFields(object, type)).toEqual({
      'f:metadata': { 'f:labels': { '.': {}, 'f:a': {}, 'f:z': {} } },
      'f:spec': {
        'f:containers': {
          'k:{"name":"B"}': { '.': {}, 'f:image': {}, 'f:name': {} },
          'k:{"name":"a"}': {},
        },
      },
    });
  });
});
