import { expect } from 'vitest';
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
});
