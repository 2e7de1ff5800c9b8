import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Resource } from '../../api/resource.ts';
import { apiServices, endpointSlices, services } from '../../api/resources.gen.ts';
import type { APIService } from '../../api/types.gen.ts';
import { FakeClient } from '../../client/fake-client.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { silentLogger } from '../../lib/log.ts';
import type { WatchCache } from '../watchcache/port.ts';
import type { ApiServices, RemoteService } from './api-services.ts';
import { AvailabilityController } from './availability-controller.ts';
import type { RemoteAnswer, RemoteClient } from './remote-client.ts';
import { RemoteDiscovery } from './remote-discovery.ts';

const NAME = 'v1.example.com';
const SPEC = {
  group: 'example.com',
  version: 'v1',
  service: { name: 's', namespace: 'n', port: 443 },
  groupPriorityMinimum: 1,
  versionPriority: 1,
};
const slice = {
  metadata: { namespace: 'n', labels: { 'kubernetes.io/service-name': 's' } },
  endpoints: [{ addresses: ['10.0.0.1'] }, { addresses: ['10.0.0.2'] }],
  ports: [{ port: 8443 }],
};

let clock: FakeClock;
let client: FakeClient;
let controller: AvailabilityController;
let discovery: RemoteDiscovery;
/** Whether the endpoint that is asked next answers; by the path where that counts. */
let answers: (path: string) => boolean;

beforeEach(async () => {
  clock = new FakeClock();
  client = new FakeClient(clock);
  await client.create(apiServices, { metadata: { name: NAME }, spec: SPEC });
  answers = () => true;
  const remotes = {
    async get(_: RemoteService, path: string): Promise<RemoteAnswer> {
      if (!answers(path)) throw new Error('connection refused');
      const text = '{"resources":[{"name":"widgets","kind":"Widget","verbs":["get"]}]}';
      return { statusCode: 200, headers: {}, text };
    },
  } as unknown as RemoteClient;
  discovery = new RemoteDiscovery(remotes);
  const remote = { name: NAME, group: 'example.com', version: 'v1', service: SPEC.service };
  const found = (value: object | undefined): object => ({ object: () => value });
  let newest: APIService | undefined;
  const cacheOf = (resource: Pick<Resource, 'group' | 'resource'>): WatchCache | undefined =>
    ({
      get: () =>
        found(
          resource.resource === apiServices.resource
            ? newest
            : resource.resource === services.resource
              ? { metadata: { name: 's' }, spec: { ports: [{ port: 443 }] } }
              : undefined,
        ),
      list: () => (resource.resource === endpointSlices.resource ? [found(slice)] : []),
    }) as unknown as WatchCache;
  const { patch } = client;
  const keep = async (): Promise<void> => {
    newest = await client.get(apiServices, { name: NAME });
  };
  await keep();
  client.patch = (async (...given: Parameters<typeof patch>) => {
    const patched = await patch.apply(client, given);
    await keep();
    return patched;
  }) as typeof patch;
  controller = new AvailabilityController({
    ...{ client, cacheOf, remotes, discovery, clock, log: silentLogger },
    services: { remotes: [remote] } as unknown as ApiServices,
    onChange: () => {},
  });
});
afterEach(() => controller.stop());

async function condition(): Promise<string> {
  const { status } = await client.get(apiServices, { name: NAME });
  return status?.conditions?.map(({ status, reason }) => `${status} ${reason}`).join() ?? '';
}
const writes = (): number => client.calls.filter(({ verb }) => verb === 'patch').length;

it('does not change its mind over an endpoint that is broken beside others', async () => {
  controller.suspect(NAME);
  await clock.advance(0);
  expect(await condition()).toBe('True Passed');
  const generation = discovery.generation;
  // All attempts of a round happen to meet the broken one, now and then.
  for (let day = 0; day < 50; day++) {
    let asked = 0;
    answers = () => asked++ > LIMITS.aggregator.attempts;
    await clock.advance(LIMITS.aggregator.recheckMs);
    answers = () => true;
    await clock.advance(LIMITS.aggregator.retryMaxMs);
  }
  // What it serves is asked of several, too.
  for (let day = 0; day < 50; day++) {
    let asked = 0;
    answers = (path) => path !== '/apis' || asked++ % 2 === 1;
    await clock.advance(LIMITS.aggregator.recheckMs);
  }
  expect([await condition(), writes(), discovery.generation]).toEqual(['True Passed', 1, generation]);
});

it('notices within a second that nobody answers, and that somebody does again', async () => {
  controller.suspect(NAME);
  await clock.advance(0);
  answers = () => false;
  controller.suspect(NAME);
  await clock.advance(0);
  expect(await condition()).toBe('True Passed');
  await clock.advance(1000);
  expect(await condition()).toBe('False FailedDiscoveryCheck');
  expect(discovery.find({ name: NAME })?.isFresh).toBe(false);
  answers = () => true;
  await clock.advance(LIMITS.aggregator.retryMaxMs);
  expect([await condition(), writes()]).toEqual(['True Passed', 3]);
});

it('does not doubt a first failure, and takes one that does not say what it serves for available', async () => {
  answers = () => false;
  controller.suspect(NAME);
  await clock.advance(0);
  expect(await condition()).toBe('False FailedDiscoveryCheck');
  answers = (path) => path !== '/apis';
  await clock.advance(LIMITS.aggregator.retryMaxMs);
  expect([await condition(), discovery.find({ name: NAME })?.isFresh]).toEqual(['True Passed', false]);
});
