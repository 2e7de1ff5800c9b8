import { beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../lib/fake-clock.ts';
import { LIMITS } from '../lib/limits.ts';
import { toPodInfo } from './pod-info.ts';
import { type QueuedPod, SchedulingQueue } from './queue.ts';
import { aPod } from './test-objects.fake.ts';

const { backoffBaseMs, backoffMaxMs, unschedulableMs } = LIMITS.scheduler;
const FIT = new Set(['NodeResourcesFit']);

describe('the scheduling queue', () => {
  let clock: FakeClock;
  let queue: SchedulingQueue;
  let ready: number;
  beforeEach(() => {
    clock = new FakeClock();
    ready = 0;
    queue = new SchedulingQueue(clock, () => ready++);
  });
  const add = (name: string, priority = 0, gated = false): void =>
    queue.set(toPodInfo(aPod(name, { spec: { priority } })), { gated, relevant: true });
  const next = (): string | undefined => queue.take()?.info.pod.metadata.name;
  const takeAndFail = (rejectedBy?: ReadonlySet<string>): QueuedPod => {
    const pod = queue.take() as QueuedPod;
    queue.failed(pod, rejectedBy);
    return pod;
  };

  it('gives pods by priority, then age', () => {
    for (const [name, priority] of [
      ['a', 0],
      ['b', 5],
      ['c', 0],
      ['d', 5],
    ] as const)
      add(name, priority);
    expect([next(), next(), next(), next(), next()]).toEqual(['b', 'd', 'a', 'c', undefined]);
  });
  it('wakes a pod only by what concerns the plugins that turned it down', async () => {
    add('a');
    takeAndFail(FIT);
    await clock.advance(backoffBaseMs);
    queue.notify(['NodeLabels', 'PodPlaced', 'Storage']);
    expect(next()).toBeUndefined();
    queue.notify(['PodRemoved']);
    expect(next()).toBe('a');
  });
  it('keeps a woken pod back until its back-off is over, which doubles up to a bound', async () => {
    add('a');
    for (let delayMs = backoffBaseMs; delayMs <= backoffMaxMs * 4; delayMs *= 2) {
      takeAndFail(FIT);
      queue.notify(['NodeAdded']);
      await clock.advance(Math.min(delayMs, backoffMaxMs) - 1);
      expect(queue.placeOf('uid-default-a')).toBe('backoff');
      await clock.advance(1);
      expect(queue.placeOf('uid-default-a')).toBe('active');
    }
  });
  it('tries again after an error without waiting for an event', async () => {
    add('a');
    takeAndFail();
    await clock.advance(backoffBaseMs);
    expect(next()).toBe('a');
  });
  it('forgets nobody for ever', async () => {
    add('a');
    takeAndFail(FIT);
    await clock.advance(unschedulableMs);
    expect(next()).toBe('a');
    expect(clock.timers).toBe(0);
  });
  it('holds gated pods back', () => {
    add('a', 0, true);
    expect(next()).toBeUndefined();
    add('a');
    expect(next()).toBe('a');
  });
  it('wakes a pod whose own change may help, not one that was merely told its state', async () => {
    add('a');
    takeAndFail(FIT);
    await clock.advance(backoffBaseMs);
    queue.set(toPodInfo(aPod('a')), { gated: false, relevant: false });
    expect(next()).toBeUndefined();
    queue.set(toPodInfo(aPod('a')), { gated: false, relevant: true });
    expect(next()).toBe('a');
  });
  it('drops pods wherever they are', async () => {
    add('active');
    add('gone');
    queue.delete('uid-default-active');
    const taken = queue.take() as QueuedPod;
    queue.delete('uid-default-gone');
    queue.failed(taken, FIT);
    expect(queue.size).toBe(0);
    await clock.advance(unschedulableMs);
    expect(next()).toBeUndefined();
    expect(clock.timers).toBe(0);
  });
});
