import { describe, expect, it } from 'vitest';
import { definitionSchema } from '../schema/built-in.ts';
import { applyStrategicMergePatch } from './strategic-merge-patch.ts';

const deployment = definitionSchema('io.k8s.api.apps.v1.Deployment');
const pod = definitionSchema('io.k8s.api.core.v1.Pod');
const withContainers = (...containers: object[]): Record<string, unknown> => ({ spec: { containers } });
const patchPod = (document: Record<string, unknown>, patch: unknown): unknown =>
  applyStrategicMergePatch(document, patch, pod);

describe('strategic merge patch', () => {
  it('merges a list by its merge key and adds new items', () => {
    const before = withContainers({ name: 'a', image: 'one' }, { name: 'b', image: 'one' });
    const copy = structuredClone(before);
    const patch = withContainers({ name: 'b', image: 'two' }, { name: 'c', image: 'two' });
    expect(patchPod(before, patch)).toEqual(
      withContainers({ name: 'a', image: 'one' }, { name: 'b', image: 'two' }, { name: 'c', image: 'two' }),
    );
    expect(before).toEqual(copy);
  });

  it('removes a field by null and ignores null for what is not there', () => {
    expect(
      patchPod({ spec: { hostname: 'x', containers: [] } }, { spec: { hostname: null, subdomain: null } }),
    ).toEqual({ spec: { containers: [] } });
    expect(patchPod({}, { spec: { hostname: 'x', subdomain: null } })).toEqual({ spec: { hostname: 'x' } });
  });

  it('replaces lists without the merge strategy', () => {
    const before = withContainers({ name: 'a', args: ['1', '2'] });
    expect(patchPod(before, withContainers({ name: 'a', args: ['3'] }))).toEqual(
      withContainers({ name: 'a', args: ['3'] }),
    );
  });

  it('honours $patch: delete and replace for items', () => {
    const before = withContainers({ name: 'a' }, { name: 'b' });
    expect(patchPod(before, withContainers({ name: 'a', $patch: 'delete' }))).toEqual(
      withContainers({ name: 'b' }),
    );
    expect(patchPod(before, withContainers({ $patch: 'replace' }, { name: 'z' }))).toEqual(
      withContainers({ name: 'z' }),
    );
    expect(patchPod({ spec: {} }, withContainers({ name: 'a', $patch: 'delete' }))).toEqual(withContainers());
  });

  it('honours $patch: replace and delete for objects', () => {
    const before = { metadata: { labels: { a: '1', b: '2' } } };
    expect(patchPod(before, { metadata: { labels: { $patch: 'replace', c: '3' } } })).toEqual({
      metadata: { labels: { c: '3' } },
    });
    expect(patchPod(before, { metadata: { labels: { $patch: 'delete' } } })).toEqual({
      metadata: { labels: {} },
    });
  });

  it('merges and deletes in lists of primitives', () => {
    const before = { metadata: { finalizers: ['a', 'b'] } };
    expect(patchPod(before, { metadata: { finalizers: ['b', 'c'] } })).toEqual({
      metadata: { finalizers: ['a', 'b', 'c'] },
    });
    expect(patchPod(before, { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } })).toEqual({
      metadata: { finalizers: ['b'] },
    });
  });

  it('orders a list by $setElementOrder and keeps items only the server has in place', () => {
    const before = withContainers({ name: 'a' }, { name: 'server' }, { name: 'b' });
    const patch = {
      spec: {
        '$setElementOrder/containers': [{ name: 'b' }, { name: 'c' }, { name: 'a' }],
        containers: [{ name: 'c', image: 'new' }],
      },
    };
    expect(patchPod(before, patch)).toEqual(
      withContainers({ name: 'server' }, { name: 'b' }, { name: 'c', image: 'new' }, { name: 'a' }),
    );
  });

  it('applies $retainKeys, so that a union switches cleanly', () => {
    const before = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } };
    const patch = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } };
    expect(applyStrategicMergePatch(before, patch, deployment)).toEqual({
      spec: { strategy: { type: 'Recreate' } },
    });
  });

  it.each([
    [{ spec: { $retainKeys: ['a'], hostname: 'x' } }, 'invalid patch format of retainKeys'],
    [withContainers({ image: 'x' }), 'map: {"image":"x"} does not contain declared merge key: name'],
    [withContainers({ name: 'a', $patch: 'frob' }), 'unknown patch type: frob in map'],
    [{ metadata: { finalizers: [['x']] } }, 'lists of lists are not supported'],
    [
      { spec: { '$setElementOrder/containers': [{ name: 'q' }], containers: [{ name: 'a' }] } },
      "doesn't match $setElementOrder list",
    ],
    ['text', 'invalid JSON document'],
  ])('refuses %j', (patch, message) => {
    const before = { metadata: { finalizers: ['f'] }, ...withContainers({ name: 'a' }) };
    expect(() => patchPod(before, patch)).toThrow(message);
  });

  it('leaves no directive behind in what it adds', () => {
    const patch = {
      spec: {
        template: { spec: { '$setElementOrder/containers': [{ name: 'a' }], containers: [{ name: 'a' }] } },
      },
    };
    expect(applyStrategicMergePatch({ spec: {} }, patch, deployment)).toEqual({
      spec: { template: { spec: { containers: [{ name: 'a' }] } } },
    });
  });
});
