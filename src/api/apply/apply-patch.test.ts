import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../json-value.ts';
import type { KubeObject } from '../resource.ts';
import { definitionSchema } from '../schema/built-in.ts';
import { ApiError } from '../status.ts';
import { type ApplyOptions, applyPatch } from './apply-patch.ts';
import { trackUpdate } from './track-update.ts';

type Loose = KubeObject & Record<string, unknown>;

function world(definition: string, apiVersion: string, kind: string) {
  const type = definitionSchema(definition);
  const full = (object: JsonObject): JsonObject => ({
    apiVersion,
    kind,
    ...object,
    metadata: { name: 'x', namespace: 'default', ...(object['metadata'] as object | undefined) },
  });
  return {
    apply: (live: Loose | undefined, applied: JsonObject, more: Partial<ApplyOptions> = {}): Loose =>
      applyPatch({
        live,
        applied: full(applied),
        manager: 'a',
        force: false,
        apiVersion,
        kind,
        now: '2026-01-01T00:00:00Z',
        type,
        ...more,
      }).object as Loose,
    update: (live: Loose | undefined, next: JsonObject, manager = 'u'): Loose => {
      const object = { ...full(next) } as unknown as Loose;
      const managedFields = trackUpdate({
        old: live,
        new: object,
        manager,
        apiVersion,
        now: '2026-01-01T00:00:00Z',
        type,
      });
      return { ...object, metadata: { ...object.metadata, managedFields } };
    },
  };
}
const refusal = (body: () => unknown): ApiError => {
  try {
    body();
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('was accepted');
};
const owners = (object: Loose): Record<string, unknown> =>
  Object.fromEntries(
    (object.metadata.managedFields ?? []).map((one) => [`${one.manager}/${one.operation}`, one.fieldsV1]),
  );

const deployments = world('io.k8s.api.apps.v1.Deployment', 'apps/v1', 'Deployment');
const configMaps = world('io.k8s.api.core.v1.ConfigMap', 'v1', 'ConfigMap');
const services = world('io.k8s.api.core.v1.Service', 'v1', 'Service');
const pods = world('io.k8s.api.core.v1.Pod', 'v1', 'Pod');

describe('server-side apply', () => {
  it('creates, owning what it names', () => {
    const object = configMaps.apply(undefined, { data: { a: '1' }, metadata: { labels: { l: 'x' } } });
    expect(object).toMatchObject({ kind: 'ConfigMap', data: { a: '1' }, metadata: { labels: { l: 'x' } } });
    expect(object.metadata.managedFields).toEqual([
      {
        manager: 'a',
        operation: 'Apply',
        apiVersion: 'v1',
        time: '2026-01-01T00:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:data': { 'f:a': {} }, 'f:metadata': { 'f:labels': { 'f:l': {} } } },
      },
    ]);
  });

  it('removes what the applier drops, unless somebody else owns it too', () => {
    let object = configMaps.apply(undefined, { data: { a: '1', b: '2', c: '3' } });
    object = configMaps.apply(object, { data: { b: '2' } }, { manager: 'other' });
    object = configMaps.apply(object, { data: { c: '3' } });
    expect(object['data']).toEqual({ b: '2', c: '3' });
    object = configMaps.apply(object, {}, { manager: 'other' });
    expect(object['data']).toEqual({ c: '3' });
    object = configMaps.apply(object, {});
    expect(object).not.toHaveProperty('data');
    expect(object.metadata.managedFields).toBeUndefined();
  });

  it('keeps what updates added', () => {
    let object = configMaps.apply(undefined, { data: { a: '1' } });
    object = configMaps.update(object, {
      data: { a: '1', u: '2' },
      metadata: object.metadata as unknown as JsonObject,
    });
    object = configMaps.apply(object, { data: { b: '1' } });
    expect(object['data']).toEqual({ u: '2', b: '1' });
  });

  it("reports a conflict in upstream's words", () => {
    const live = deployments.update(undefined, { spec: { replicas: 1 } }, 'kubectl-client-side-apply');
    const error = refusal(() => deployments.apply(live, { spec: { replicas: 2 } }));
    expect(error.status).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message:
        'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas',
      details: {
        causes: [
          {
            reason: 'FieldManagerConflict',
            message: 'conflict with "kubectl-client-side-apply" using apps/v1',
            field: '.spec.replicas',
          },
        ],
      },
    });
  });

  it('reports several conflicts by manager', () => {
    let live = configMaps.apply(undefined, { data: { a: '1', b: '1' } }, { manager: 'one' });
    live = configMaps.update(
      live,
      { data: { a: '1', b: '1', c: '1' }, metadata: live.metadata as unknown as JsonObject },
      'two',
    );
    const error = refusal(() =>
      configMaps.apply(live, { data: { a: '2', b: '2', c: '2' } }, { manager: 'me' }),
    );
    expect(error.message).toBe(
      'Apply failed with 3 conflicts: conflicts with "one":\n- .data.a\n- .data.b\nconflicts with "two" using v1:\n- .data.c',
    );
  });

  it('shares a field when both want the same value, and takes it by force otherwise', () => {
    let object = configMaps.apply(undefined, { data: { a: '1' } }, { manager: 'one' });
    object = configMaps.apply(object, { data: { a: '1' } }, { manager: 'two' });
    expect(owners(object)).toEqual({
      'one/Apply': { 'f:data': { 'f:a': {} } },
      'two/Apply': { 'f:data': { 'f:a': {} } },
    });
    object = configMaps.apply(object, { data: { a: '2' } }, { manager: 'two', force: true });
    expect(owners(object)).toEqual({ 'two/Apply': { 'f:data': { 'f:a': {} } } });
    expect(object['data']).toEqual({ a: '2' });
  });

  it('changes nothing, not even a timestamp, when applied again', () => {
    const first = configMaps.apply(undefined, { data: { a: '1' } });
    const again = configMaps.apply(first, { data: { a: '1' } }, { now: '2027-01-01T00:00:00Z' });
    expect(again).toEqual(first);
  });

  it('identifies list items by their keys, defaults included', () => {
    let object = services.apply(undefined, {
      spec: { ports: [{ port: 53 }, { port: 53, protocol: 'UDP' }] },
    });
    expect(JSON.stringify(object.metadata.managedFields)).toContain(
      JSON.stringify('k:{"port":53,"protocol":"TCP"}').slice(1, -1),
    );
    object = services.apply(object, { spec: { ports: [{ port: 53, protocol: 'TCP', name: 'dns' }] } });
    expect(object['spec']).toEqual({ ports: [{ port: 53, protocol: 'TCP', name: 'dns' }] });
  });

  it('orders list items like the configuration and keeps those of others in place', () => {
    let object = pods.apply(
      undefined,
      { spec: { containers: [{ name: 'a' }, { name: 'b' }] } },
      { manager: 'one' },
    );
    object = pods.apply(object, { spec: { containers: [{ name: 'c' }] } }, { manager: 'two' });
    object = pods.apply(
      object,
      { spec: { containers: [{ name: 'b' }, { name: 'n' }, { name: 'a' }] } },
      { manager: 'one' },
    );
    const names = (object['spec'] as { containers: { name: string }[] }).containers.map(({ name }) => name);
    expect(names).toEqual(['b', 'c', 'n', 'a']);
  });

  it('replaces atomic lists and maps whole', () => {
    let object = pods.apply(undefined, {
      spec: { nodeSelector: { a: '1', b: '2' }, containers: [{ name: 'x', args: ['1', '2'] }] },
    });
    object = pods.apply(object, {
      spec: { nodeSelector: { a: '1' }, containers: [{ name: 'x', args: ['3'] }] },
    });
    expect(object['spec']).toEqual({ nodeSelector: { a: '1' }, containers: [{ name: 'x', args: ['3'] }] });
    expect(owners(object)).toEqual({
      'a/Apply': {
        'f:spec': {
          'f:containers': { 'k:{"name":"x"}': { '.': {}, 'f:args': {}, 'f:name': {} } },
          'f:nodeSelector': {},
        },
      },
    });
  });

  it('merges sets', () => {
    let object = configMaps.apply(
      undefined,
      { metadata: { finalizers: ['x/a', 'x/b'] } },
      { manager: 'one' },
    );
    object = configMaps.apply(object, { metadata: { finalizers: ['x/c'] } }, { manager: 'two' });
    object = configMaps.apply(object, { metadata: { finalizers: ['x/b'] } }, { manager: 'one' });
    expect(object.metadata.finalizers).toEqual(['x/b', 'x/c']);
  });

  it('gives an untracked object to before-first-apply', () => {
    const live: Loose = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'x', uid: 'u' },
      data: { a: '1' },
    };
    const error = refusal(() => configMaps.apply(live, { data: { a: '2' } }));
    expect(error.message).toBe(
      'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.a',
    );
    expect(owners(configMaps.apply(live, { data: { a: '2' } }, { force: true }))).toEqual({
      'a/Apply': { 'f:data': { 'f:a': {} } },
      'before-first-apply/Update': { 'f:data': {} },
    });
  });

  it('lets kubectl take over what its client-side apply wrote', () => {
    const last = JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      data: { a: '1' },
      metadata: { name: 'x' },
    });
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': last };
    const live = configMaps.update(
      undefined,
      { data: { a: '1' }, metadata: { annotations } },
      'kubectl-client-side-apply',
    );
    const object = configMaps.apply(live, { data: { a: '2' } }, { manager: 'kubectl' });
    expect(object['data']).toEqual({ a: '2' });
    expect(object.metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration']).toBe(
      '{"apiVersion":"v1","data":{"a":"2"},"kind":"ConfigMap","metadata":{"name":"x","namespace":"default"}}\n',
    );
    expect(refusal(() => configMaps.apply(live, { data: { a: '2' } }, { manager: 'somebody' })).code).toBe(
      409,
    );
    const drifted = configMaps.update(
      live,
      { data: { a: '9' }, metadata: live.metadata as unknown as JsonObject },
      'kubectl-edit',
    );
    expect(refusal(() => configMaps.apply(drifted, { data: { a: '2' } }, { manager: 'kubectl' })).code).toBe(
      409,
    );
  });

  it.each([
    [
      { spec: { frob: 1 } },
      'failed to create typed patch object (default/x; apps/v1, Kind=Deployment): .spec.frob: field not declared in schema',
    ],
    [
      { spec: { template: { spec: { containers: [{ name: 'a' }, { name: 'a' }] } } } },
      '.spec.template.spec.containers: duplicate entries for key [name="a"]',
    ],
    [
      { spec: { template: { spec: { containers: [{ image: 'a' }] } } } },
      'element 0: associative list with keys has an element that omits all key fields ["name"]',
    ],
    [{ metadata: { managedFields: [] } }, 'metadata.managedFields must be nil'],
    [{ apiVersion: 'apps/v2' }, 'invalid object type: apps/v2, Kind=Deployment'],
  ])('refuses %j', (applied, message) => {
    const error = refusal(() => deployments.apply(undefined, applied));
    expect(error.code).toBe(400);
    expect(error.message).toContain(message);
  });
});
