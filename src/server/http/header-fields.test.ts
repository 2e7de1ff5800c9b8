import { expect, it } from 'vitest';
import { HeaderFields } from './header-fields.ts';

it('names and values in turn, each name once however it is written', () => {
  const fields = new HeaderFields();
  fields.set('cache-control', 'no-cache, private');
  fields.set('etag', '"a"');
  fields.set('Set-Cookie', ['a=1', 'b=2']);
  fields.set('Cache-Control', 'public');
  fields.delete('ETag');
  fields.delete('vary');
  expect(fields.list).toEqual(['cache-control', 'public', 'Set-Cookie', ['a=1', 'b=2']]);
  expect([fields.get('CACHE-CONTROL'), fields.get('etag')]).toEqual(['public', undefined]);
});
