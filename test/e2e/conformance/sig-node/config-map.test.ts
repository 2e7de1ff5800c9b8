import { expect } from 'vitest';
import type { ConfigMap } from '../../../../src/api/types.gen.ts';
import { refusal } from '../api-client.ts';
import { area } from '../area.ts';

area('sig-node', 'ConfigMap', (spec) => {
  spec('should fail to create ConfigMap with empty key', async ({ configMaps }) => {
    const error = await refusal(
      configMaps.create({ metadata: { name: 'empty-key' }, data: { '': 'value' } }),
    );
    expect(error.code).toBe(422);
    expect(error.reason).toBe('Invalid');
    expect(error.status.details?.causes).toEqual([
      expect.objectContaining({ reason: 'FieldValueInvalid', field: 'data[]' }),
    ]);
  });

  spec('should update ConfigMap successfully [NodeConformance]', async ({ configMaps }) => {
    const made = await configMaps.create({ metadata: { name: 'changing' }, data: { data: 'value' } });
    expect((await configMaps.get('changing')).data).toEqual({ data: 'value' });
    made.data = { data: 'value', more: 'another' };
    await configMaps.update(made);
    expect((await configMaps.get('changing')).data).toEqual({ data: 'value', more: 'another' });
  });

  spec('should run through a ConfigMap lifecycle', async (context) => {
    const { configMaps } = context;
    const labelSelector = 'test-configmap-static=true';
    const watch = context.watch(configMaps, { labelSelector });
    await configMaps.create({
      metadata: { name: 'lived', labels: { 'test-configmap-static': 'true' } },
      data: { valueName: 'value' },
    });
    expect((await watch.next()).type).toBe('ADDED');
    const patch = { metadata: { labels: { 'test-configmap': 'patched' } }, data: { valueName: 'value1' } };
    await configMaps.patch('lived', patch, { type: 'strategic' });
    expect((await watch.next()).type).toBe('MODIFIED');
    const patched = await configMaps.get('lived');
    expect(patched.data?.['valueName']).toBe('value1');
    expect(patched.metadata.labels?.['test-configmap']).toBe('patched');
    const { items } = await context.cluster.resource<ConfigMap>('v1', 'configmaps').list({ labelSelector });
    const ours = items.filter(({ metadata }) => metadata.namespace === context.namespace);
    expect(ours).toMatchObject([{ metadata: { name: 'lived' }, data: { valueName: 'value1' } }]);
    await configMaps.deleteCollection({ labelSelector });
    expect((await watch.next()).type).toBe('DELETED');
    expect((await configMaps.list({ labelSelector })).items).toEqual([]);
  });
});
