import { describe, expect, it } from 'vitest';
import * as resources from '../api/resources.gen.ts';
import type { ConfigMap } from '../api/types.gen.ts';
import { FakeClock } from '../lib/fake-clock.ts';
import { FakeClient } from './fake-client.ts';
import { createOrUpdate } from './optimistic.ts';

describe('createOrUpdate', () => {
  const ref = { namespace: 'default', name: 'a' };
  const wanted = (current: ConfigMap | undefined): ConfigMap =>
    current?.data?.['mine'] === 'yes'
      ? current
      : { ...current, metadata: current?.metadata ?? ref, data: { ...current?.data, mine: 'yes' } };

  it('creates, then leaves alone', async () => {
    const clock = new FakeClock();
    const client = new FakeClient(clock);
    await createOrUpdate({ client, clock }, resources.configMaps, ref, wanted);
    await createOrUpdate({ client, clock }, resources.configMaps, ref, wanted);
    expect(client.calls.map(({ verb }) => verb)).toEqual(['create']);
  });

  it('wins against another writer without losing what that one wrote', async () => {
    const clock = new FakeClock();
    const client = new FakeClient(clock);
    await client.create(resources.configMaps, { metadata: ref });
    let raced = false;
    client.intercept = ({ verb }) => {
      if (verb !== 'update' || raced) return;
      raced = true;
      void client.patch(resources.configMaps, ref, { type: 'merge', body: { data: { theirs: 'yes' } } });
    };
    const done = createOrUpdate({ client, clock }, resources.configMaps, ref, wanted);
    await clock.advance(1000);
    expect((await done).data).toEqual({ mine: 'yes', theirs: 'yes' });
  });
});
