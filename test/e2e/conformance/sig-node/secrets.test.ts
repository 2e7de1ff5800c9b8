import { expect } from 'vitest';
import type { Secret } from '../../../../src/api/types.gen.ts';
import { refusal } from '../api-client.ts';
import { area } from '../area.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

area('sig-node', 'Secrets', (spec) => {
  spec('should fail to create secret due to empty secret key', async ({ secrets }) => {
    const error = await refusal(
      secrets.create({ metadata: { name: 'empty-key' }, data: { '': base64('value') } }),
    );
    expect(error.status).toMatchObject({ code: 422, reason: 'Invalid' });
    expect(error.status.details?.causes).toEqual([
      expect.objectContaining({ reason: 'FieldValueInvalid', field: 'data[]' }),
    ]);
  });

  spec('should patch a secret', async (context) => {
    const { secrets } = context;
    const label = context.unique('secret');
    const everywhere = context.cluster.resource<Secret>('v1', 'secrets');
    await secrets.create({
      metadata: { name: 'patched', labels: { testsecret: label } },
      data: { key: base64('value') },
      type: 'Opaque',
    });
    const found = await everywhere.list({ labelSelector: `testsecret=${label}` });
    expect(found.items).toMatchObject([{ metadata: { name: 'patched' }, data: { key: base64('value') } }]);
    const patch = { metadata: { labels: { testsecret: 'false' } }, data: { key: base64('value1') } };
    await secrets.patch('patched', patch, { type: 'strategic' });
    const patched = await secrets.get('patched');
    expect(patched.metadata.labels?.['testsecret']).toBe('false');
    expect(patched.data).toEqual({ key: base64('value1') });
    await secrets.deleteCollection({ labelSelector: 'testsecret=false' });
    const { items } = await everywhere.list({ labelSelector: 'testsecret' });
    expect(items.filter(({ metadata }) => metadata.namespace === context.namespace)).toEqual([]);
  });
});
