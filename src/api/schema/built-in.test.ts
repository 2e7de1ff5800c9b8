import { describe, expect, it } from 'vitest';
import { builtInKinds, definitionByName, definitionSchema, kindSchema } from './built-in.ts';
import type { SchemaNode } from './node.ts';

function at(path: string, kind = { group: '', version: 'v1', kind: 'Pod' }): SchemaNode {
  let node = kindSchema(kind);
  for (const step of path.split('.')) node = step === '[]' ? node?.element : node?.field(step);
  if (node === undefined) throw new Error(`no ${path}`);
  return node;
}

describe('schema of built-in kinds', () => {
  it('knows how lists merge', () => {
    expect(at('spec.containers')).toMatchObject({
      shape: 'list',
      listType: 'map',
      listMapKeys: ['name'],
      mergeKey: 'name',
      patchStrategy: ['merge'],
      typeName: '[]v1.Container',
      protobufNumber: 2,
    });
    expect(at('spec.volumes').patchStrategy).toEqual(['merge', 'retainKeys']);
    expect(at('metadata.finalizers')).toMatchObject({ listType: 'set', patchStrategy: ['merge'] });
    expect(at('spec.nodeSelector')).toMatchObject({ shape: 'map', mapType: 'atomic' });
    expect(at('metadata.ownerReferences.[]').mapType).toBe('atomic');
  });

  it('knows scalars, enums, defaults and requirements', () => {
    expect(at('spec.containers.[].resources.limits.cpu').scalar).toBe('quantity');
    expect(at('spec.containers.[].ports.[].protocol')).toMatchObject({
      scalar: 'string',
      enum: ['SCTP', 'TCP', 'UDP'],
      default: 'TCP',
    });
    expect(at('metadata.creationTimestamp').scalar).toBe('time');
    expect(at('spec.terminationGracePeriodSeconds').scalar).toBe('int64');
    expect(at('spec.containers.[].livenessProbe.httpGet.port').scalar).toBe('intOrString');
    expect(at('spec').required).toEqual(['containers']);
    expect(at('data.x', { group: '', version: 'v1', kind: 'Secret' }).scalar).toBe('bytes');
    const modes = at('spec.accessModes', { group: '', version: 'v1', kind: 'PersistentVolumeClaim' });
    expect(modes.enum).toBeUndefined();
    expect(modes.element?.enum).toContain('ReadWriteOnce');
    expect(at('type', { group: '', version: 'v1', kind: 'Secret' }).isOpenEnum).toBe(true);
    expect(at('spec.imagePullSecrets.[].name')).toMatchObject({ default: '', isDefaultImplied: true });
  });

  it('knows where a zero is the same as nothing', () => {
    expect(at('spec.hostNetwork').omitsZero).toBe(true);
    expect(at('spec.enableServiceLinks').omitsZero).toBe(false);
    expect(at('spec.containers').omitsZero).toBe(false);
    expect(at('spec.replicas', { group: 'apps', version: 'v1', kind: 'Deployment' }).omitsZero).toBe(false);
    expect(at('metadata.labels').omitsZero).toBe(true);
    // Optional in the published schema, yet written by Go.
    const budget = { group: 'policy', version: 'v1', kind: 'PodDisruptionBudget' };
    expect(at('status.disruptionsAllowed', budget).omitsZero).toBe(false);
    // An empty list of these forgets who owns what.
    expect(at('metadata.managedFields').omitsZero).toBe(false);
  });

  it('leaves free what upstream leaves free', () => {
    const revision = { group: 'apps', version: 'v1', kind: 'ControllerRevision' };
    expect(at('data', revision)).toMatchObject({ shape: 'any', preservesUnknownFields: true });
    expect(at('metadata.managedFields.[].fieldsV1')).toMatchObject({ shape: 'scalar', scalar: 'json' });
  });

  it('finds nothing where there is nothing', () => {
    expect(kindSchema({ group: 'x', version: 'v1', kind: 'Pod' })).toBeUndefined();
    expect(kindSchema({ group: '', version: 'v1', kind: 'constructor' })).toBeUndefined();
    expect(kindSchema({ group: '', version: 'v1', kind: 'Pod' })?.field('constructor')).toBeUndefined();
    expect(definitionSchema('io.k8s.api.core.v1.Nothing')).toBeUndefined();
  });

  it('lists kinds, and options under every group', () => {
    expect(builtInKinds()).toContainEqual(['apps', 'v1', 'Deployment', 'io.k8s.api.apps.v1.Deployment']);
    expect(kindSchema({ group: 'apps', version: 'v1', kind: 'DeleteOptions' })?.definition).toBe(
      'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions',
    );
  });

  it('decodes every definition, recursive ones too', () => {
    const seen = new Set<string>();
    const visit = (node: SchemaNode | undefined): void => {
      if (node?.element !== undefined) visit(node.element);
      if (node?.definition === undefined || seen.has(node.definition)) return;
      seen.add(node.definition);
      expect(definitionByName(node.definition)?.name).toBe(node.definition);
      for (const name of node.fieldNames) visit(node.field(name));
    };
    for (const [group, version, kind] of builtInKinds()) visit(kindSchema({ group, version, kind }));
    expect(seen.size).toBeGreaterThan(500);
  });
});
