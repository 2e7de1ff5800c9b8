import { beforeEach, describe, expect, it } from 'vitest';
import * as resources from '../api/resources.gen.ts';
import { forbidden } from '../api/status.ts';
import type { Pod } from '../api/types.gen.ts';
import { FakeClock } from '../lib/fake-clock.ts';
import { silentLogger } from '../lib/log.ts';
import { createEventRecorder } from './event-writer.ts';
import { FakeClient } from './fake-client.ts';

const pod = (name = 'web'): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', uid: `uid-${name}` },
});

describe('event recorder', () => {
  let clock: FakeClock;
  let client: FakeClient;
  beforeEach(() => {
    clock = new FakeClock();
    client = new FakeClient(clock);
  });
  const recorder = () =>
    createEventRecorder({ client, clock, log: silentLogger, component: 'kubelet', host: 'board-1' });
  const written = async () => (await client.list(resources.events)).items;

  it('writes an Event as client-go does', async () => {
    const events = recorder();
    events.event(pod(), 'Normal', 'Pulled', 'Image pulled', 'spec.containers{main}');
    await events.flush();
    const [event] = await written();
    expect(event?.metadata.namespace).toBe('shop');
    expect(event?.metadata.name).toMatch(/^web\.[0-9a-f]{16}$/);
    expect(event).toMatchObject({
      involvedObject: { kind: 'Pod', apiVersion: 'v1', name: 'web', fieldPath: 'spec.containers{main}' },
      reason: 'Pulled',
      message: 'Image pulled',
      type: 'Normal',
      count: 1,
      source: { component: 'kubelet', host: 'board-1' },
      reportingComponent: 'kubelet',
      firstTimestamp: '2026-01-01T00:00:00Z',
    });
  });

  it('counts repetitions up in one object', async () => {
    const events = recorder();
    events.event(pod(), 'Warning', 'BackOff', 'again');
    await events.flush();
    await clock.advance(10_000);
    events.event(pod(), 'Warning', 'BackOff', 'again');
    events.event(pod(), 'Warning', 'BackOff', 'again');
    await events.flush();
    const all = await written();
    expect(all).toHaveLength(1);
    expect(all[0]).toMatchObject({ count: 3, lastTimestamp: '2026-01-01T00:00:10Z' });
    expect(client.calls.map(({ verb }) => verb)).toEqual(['create', 'patch']);
  });

  it('combines many different messages of one reason', async () => {
    const events = recorder();
    for (let i = 0; i < 14; i++) events.event(pod(), 'Warning', 'Failed', `try ${i}`);
    await events.flush();
    const all = await written();
    expect(all).toHaveLength(11);
    const combined = all.find(({ message }) => message?.startsWith('(combined'));
    expect(combined).toMatchObject({ message: '(combined from similar events): try 13', count: 4 });
  });

  it('lets one source say only so much about one object', async () => {
    const events = recorder();
    for (let i = 0; i < 60; i++) events.event(pod(), 'Normal', `Reason${i}`, 'x');
    events.event(pod('other'), 'Normal', 'Fine', 'x');
    await events.flush();
    expect(await written()).toHaveLength(26);
    await clock.advance(300_000);
    events.event(pod(), 'Normal', 'Later', 'x');
    await events.flush();
    expect(await written()).toHaveLength(27);
  });

  it('writes again what the server has forgotten', async () => {
    const events = recorder();
    events.event(pod(), 'Normal', 'Pulled', 'x');
    await events.flush();
    await client.deleteCollection(resources.events, { namespace: 'shop' });
    events.event(pod(), 'Normal', 'Pulled', 'x');
    await events.flush();
    expect((await written())[0]?.count).toBe(2);
  });

  it('tries again while the server is away, and gives up on a refusal', async () => {
    let failures = 2;
    client.intercept = () => {
      if (failures-- > 0) throw new Error('connection refused');
    };
    const events = recorder();
    events.event(pod(), 'Normal', 'Pulled', 'x');
    await clock.advance(10_000);
    await events.flush();
    expect(await written()).toHaveLength(1);
    client.intercept = ({ resource }) => {
      throw forbidden({ group: '', resource }, '', 'namespace is being terminated');
    };
    events.event(pod(), 'Normal', 'Started', 'x');
    await events.flush();
    expect(client.calls).toHaveLength(4);
  });
});
