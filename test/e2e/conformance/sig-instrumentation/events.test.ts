import { expect } from 'vitest';
import type { Event as CoreV1Event, EventsEvent as Event } from '../../../../src/api/types.gen.ts';
import { refusal } from '../api-client.ts';
import { area } from '../area.ts';
import type { SpecContext } from '../spec-context.ts';

const LABEL = 'testevent-constant';
const labels = { [LABEL]: 'true' };
const labelSelector = `${LABEL}=true`;

const newEvent = ({ namespace }: SpecContext, name: string): Partial<Event> => ({
  metadata: { name, labels },
  regarding: { kind: 'Pod', namespace, name: 'regarded' },
  reportingController: 'test-controller',
  reportingInstance: 'test-node',
  eventTime: '2026-01-01T00:00:00.123456Z',
  note: `This is ${name}`,
  action: 'Do',
  type: 'Normal',
  reason: 'Test',
});

area('sig-instrumentation', 'Events API', (spec) => {
  spec('should ensure that an event can be fetched, patched, deleted, and listed', async (context) => {
    const events = context.resource<Event>('events.k8s.io/v1', 'events');
    const everywhere = context.cluster.resource<Event>('events.k8s.io/v1', 'events');
    const core = context.resource<CoreV1Event>('v1', 'events');
    const name = context.unique('event-test');
    const made = await events.create(newEvent(context, name));
    const here = ({ metadata }: { metadata: { name?: string } }) => metadata.name === name;
    for (const query of [{}, { labelSelector }, { fieldSelector: 'reportingController=test-controller' }]) {
      expect((await everywhere.list(query)).items.filter(here), JSON.stringify(query)).toHaveLength(1);
      expect((await events.list(query)).items.filter(here), JSON.stringify(query)).toHaveLength(1);
    }
    // The same event in the older group, where its fields have other names.
    expect(await core.get(name)).toMatchObject({
      involvedObject: { kind: 'Pod', name: 'regarded' },
      reportingComponent: 'test-controller',
      message: made.note,
      eventTime: made.eventTime,
    });
    expect(
      (await core.list({ fieldSelector: 'involvedObject.name=regarded' })).items.filter(here),
    ).toHaveLength(1);
    expect(await events.get(name)).toEqual(made);
    const series = { count: 2, lastObservedTime: '2026-01-01T00:01:00.000000Z' };
    const patched = await events.patch(name, { series }, { type: 'strategic' });
    expect(patched.series).toEqual(series);
    expect((await events.get(name)).series).toEqual(series);
    const later = { count: 100, lastObservedTime: '2026-01-01T01:00:00.000000Z' };
    await events.update({ ...patched, series: later });
    const updated = await events.get(name);
    expect({ ...updated, metadata: undefined }).toEqual({ ...patched, series: later, metadata: undefined });
    await events.delete(name);
    expect((await events.list({ labelSelector })).items).toEqual([]);
    expect((await everywhere.list({ labelSelector })).items.filter(here)).toEqual([]);
  });

  spec('should delete a collection of events', async (context) => {
    const events = context.resource<Event>('events.k8s.io/v1', 'events');
    const names = ['test-event-1', 'test-event-2', 'test-event-3'];
    for (const name of names) await events.create(newEvent(context, name));
    const listed = (await events.list({ labelSelector })).items;
    expect(listed.map(({ metadata }) => metadata.name)).toEqual(names);
    await events.deleteCollection({ labelSelector });
    expect((await events.list({ labelSelector })).items).toEqual([]);
  });
});

const newCoreEvent = ({ namespace }: SpecContext, name: string): Partial<CoreV1Event> => ({
  metadata: { name, labels },
  message: `This is ${name}`,
  reason: 'Test',
  type: 'Normal',
  count: 1,
  involvedObject: { kind: 'Pod', namespace, name: 'involved' },
});

area('sig-instrumentation', 'Events', (spec) => {
  spec('should manage the lifecycle of an event', async (context) => {
    const events = context.resource<CoreV1Event>('v1', 'events');
    const everywhere = context.cluster.resource<CoreV1Event>('v1', 'events');
    const name = context.unique('event-test');
    const ours = ({ items }: { items: readonly CoreV1Event[] }) =>
      items.filter(({ metadata }) => metadata.name === name);
    const made = await events.create(newCoreEvent(context, name));
    expect(made.firstTimestamp ?? null).toBeNull();
    expect(ours(await everywhere.list({ labelSelector }))).toHaveLength(1);
    const message = 'This is a test event - patched';
    await events.patch(name, { message }, { type: 'strategic' });
    const patched = await events.get(name);
    expect(patched.message).toBe(message);
    const updated = await events.update({
      ...patched,
      count: 2,
      series: { count: 100, lastObservedTime: '2026-01-01T00:00:00.000505Z' },
    });
    expect((await events.get(name)).series).toEqual(updated.series);
    expect(updated).toMatchObject({
      message,
      reason: 'Test',
      count: 2,
      involvedObject: { name: 'involved' },
    });
    expect(ours(await everywhere.list({ labelSelector }))[0]?.series?.count).toBe(100);
    await events.delete(name);
    expect(ours(await everywhere.list({ labelSelector }))).toEqual([]);
    expect((await refusal(events.get(name))).code).toBe(404);
  });

  spec('should delete a collection of events', async (context) => {
    const events = context.resource<CoreV1Event>('v1', 'events');
    const names = ['test-event-1', 'test-event-2', 'test-event-3'];
    for (const name of names) await events.create(newCoreEvent(context, name));
    expect((await events.list({ labelSelector })).items).toHaveLength(3);
    await events.deleteCollection({ labelSelector });
    expect((await events.list({ labelSelector })).items).toEqual([]);
  });
});
