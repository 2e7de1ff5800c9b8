import { expect, it } from 'vitest';
import { configMaps, pods } from '../../api/resources.gen.ts';
import { startTestServer } from '../test-server.fake.ts';
import { AdmissionChain } from './chain.ts';
import type { AdmissionPlugin } from './port.ts';

it('asks a plugin once what concerns it, and keeps the order of those that are left', () => {
  const asked: string[] = [];
  const plugin = (name: string, does: Partial<AdmissionPlugin>): AdmissionPlugin => ({ name, ...does });
  const act = (): void => undefined;
  const chain = new AdmissionChain();
  const namesOf = (plugins: readonly AdmissionPlugin[]): string[] => plugins.map(({ name }) => name);
  const target = { operation: 'CREATE', resource: pods, subresource: '' } as const;
  expect(chain.of(target)).toEqual({ mutating: [], validating: [] });

  chain.use([
    plugin('all', { mutate: act, validate: act }),
    plugin('pods', {
      concerns: ({ operation, resource, subresource }) => {
        asked.push(`${operation} ${resource.resource} ${subresource}`);
        return resource === pods && subresource === '';
      },
      mutate: act,
    }),
    plugin('last', { validate: act, concerns: ({ operation }) => operation !== 'DELETE' }),
  ]);
  for (let round = 0; round < 2; round++) {
    const { mutating, validating } = chain.of(target);
    expect([namesOf(mutating), namesOf(validating)]).toEqual([
      ['all', 'pods'],
      ['all', 'last'],
    ]);
    expect(namesOf(chain.of({ ...target, subresource: 'status' }).mutating)).toEqual(['all']);
    expect(namesOf(chain.of({ ...target, operation: 'DELETE' }).validating)).toEqual(['all']);
    expect(namesOf(chain.of({ ...target, resource: configMaps }).mutating)).toEqual(['all']);
  }
  expect(asked).toEqual(['CREATE pods ', 'CREATE pods status', 'DELETE pods ', 'CREATE configmaps ']);
});

it('runs plugins one after another, whether they answer at once or later', async () => {
  const ran: string[] = [];
  const now = (name: string): AdmissionPlugin => ({
    name,
    mutate: () => void ran.push(`mutate ${name}`),
    validate: () => void ran.push(`validate ${name}`),
  });
  const later = (name: string): AdmissionPlugin => ({
    name,
    mutate: async ({ object }) => {
      await Promise.resolve();
      ran.push(`mutate ${name}`);
      if (object?.metadata.name === 'bad') throw new Error('not that one');
    },
    validate: async () => {
      await Promise.resolve();
      ran.push(`validate ${name}`);
    },
  });
  const { server } = await startTestServer({ admission: [now('a'), later('b'), now('c'), later('d')] });
  try {
    const client = server.client({ name: 'tester', groups: [] });
    ran.length = 0;
    await client.create(configMaps, { metadata: { name: 'good', namespace: 'default' } });
    const order = ['a', 'b', 'c', 'd'];
    expect(ran).toEqual([
      ...order.map((name) => `mutate ${name}`),
      ...order.map((name) => `validate ${name}`),
    ]);
    ran.length = 0;
    const bad = client.create(configMaps, { metadata: { name: 'bad', namespace: 'default' } });
    await expect(bad).rejects.toThrow('not that one');
    expect(ran).toEqual(['mutate a', 'mutate b']);
  } finally {
    await server.close();
  }
});
