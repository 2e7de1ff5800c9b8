import { expect, it } from 'vitest';
import { createMemoryDatastore } from '../../datastore/memory.ts';
import type { Change } from '../../datastore/port.ts';
import { encodeForStorage } from '../watchcache/stored-object.ts';
import { ConvertedStore } from './converted-store.ts';

const PREFIX = '/registry/example.com/things/';

it('passes on what a writer had at hand only where nothing was converted', async () => {
  const datastore = createMemoryDatastore();
  const store = new ConvertedStore({
    datastore,
    prefix: PREFIX,
    apiVersion: 'example.com/v2',
    convert: async (objects) => objects.map((object) => ({ ...object, apiVersion: 'example.com/v2' })),
    onFailure: (error) => {
      throw error;
    },
  });
  const seen: Change[] = [];
  store.subscribe((changes) => seen.push(...changes));
  const things = ['v2', 'v1'].map((version) => ({
    apiVersion: `example.com/${version}`,
    kind: 'Thing',
    metadata: { name: version },
  }));
  for (const decoded of things) {
    const value = encodeForStorage(decoded);
    await datastore.commit([{ key: `${PREFIX}${decoded.metadata.name}`, value, decoded }]);
  }
  await store.settled();
  const shown = seen.map(({ value }) => JSON.parse(Buffer.from(value).toString()).apiVersion);
  expect(shown).toEqual(['example.com/v2', 'example.com/v2']);
  expect(seen.map(({ decoded }) => decoded)).toEqual([things[0], undefined]);
  store.end();
});
