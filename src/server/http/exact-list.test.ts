import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestHttp, type TestHttp } from './test-http.fake.ts';

let http: TestHttp;
const path = '/api/v1/namespaces/default/configmaps';
beforeAll(async () => {
  http = await startTestHttp();
  await http.send('POST', '/api/v1/namespaces', { metadata: { name: 'default' } });
});
afterAll(() => http.stop());

it('lists a page at a revision as it was then, unless something newer will do', async () => {
  const { json } = await http.send('POST', path, { metadata: { name: 'then' } });
  const at = json.metadata.resourceVersion;
  await http.send('DELETE', `${path}/then`);
  const listed = async (query: string) =>
    (await http.send('GET', `${path}?resourceVersion=${at}${query}`)).json;
  expect(await listed('&limit=5')).toMatchObject({
    metadata: { resourceVersion: at },
    items: [{ metadata: { name: 'then' } }],
  });
  expect((await listed('')).items).toEqual([]);
  expect((await listed('&limit=5&resourceVersionMatch=NotOlderThan')).items).toEqual([]);
});

it('says how many are left of a list at an exact revision', async () => {
  let revision = '';
  for (const name of ['a', 'b', 'c', 'd']) {
    const { json } = await http.send('POST', path, { metadata: { name, labels: { of: name } } });
    revision = json.metadata.resourceVersion;
  }
  await http.send('DELETE', `${path}/b`);
  const exact = `resourceVersion=${revision}&resourceVersionMatch=Exact&limit=1`;
  const first = await http.send('GET', `${path}?${exact}`);
  expect(first.json.metadata).toMatchObject({ resourceVersion: revision, remainingItemCount: 3 });
  const second = await http.send('GET', `${path}?limit=2&continue=${first.json.metadata.continue}`);
  expect(second.json.metadata).toMatchObject({ resourceVersion: revision, remainingItemCount: 1 });
  expect(second.json.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)).toEqual([
    'b',
    'c',
  ]);
  const selected = await http.send('GET', `${path}?${exact}&labelSelector=of`);
  expect(selected.json.metadata.continue).toBeTypeOf('string');
  expect(selected.json.metadata).not.toHaveProperty('remainingItemCount');
});
