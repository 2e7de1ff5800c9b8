import { describe, expect, it } from 'vitest';
import * as resources from '../../api/resources.gen.ts';
import type { CronJobSpec } from '../../api/types.gen.ts';
import { TestCluster } from '../framework/test-cluster.fake.ts';
import { cronJobController } from './controller.ts';
import { nextTime, parseSchedule } from './schedule.ts';

describe('schedule', () => {
  it.each([
    ['*/15 * * * *', '2026-01-01T00:07:00Z', 'UTC', '2026-01-01T00:15:00Z'],
    ['0 0 * * *', '2026-01-01T00:00:00Z', 'UTC', '2026-01-02T00:00:00Z'],
    ['30 6 * * mon-fri', '2026-01-02T07:00:00Z', 'UTC', '2026-01-05T06:30:00Z'],
    ['0 0 29 2 *', '2026-03-01T00:00:00Z', 'UTC', '2028-02-29T00:00:00Z'],
    ['@weekly', '2026-01-01T00:00:00Z', 'UTC', '2026-01-04T00:00:00Z'],
    ['0 12 1 * sun', '2026-01-01T13:00:00Z', 'UTC', '2026-01-04T12:00:00Z'],
    ['0 9 * * *', '2026-01-01T00:00:00Z', 'Asia/Kolkata', '2026-01-01T03:30:00Z'],
    ['30 2 * * *', '2026-03-29T00:00:00Z', 'Europe/Berlin', '2026-03-30T00:30:00Z'],
    ['0 5 * * *', '2026-10-24T12:00:00Z', 'Europe/Berlin', '2026-10-25T04:00:00Z'],
  ])('%s after %s in %s is %s', (text, after, zone, expected) => {
    expect(nextTime(parseSchedule(text), Date.parse(after), zone)).toBe(Date.parse(expected));
  });
  it('knows days that never come, and refuses nonsense', () => {
    expect(nextTime(parseSchedule('0 0 30 2 *'), 0, 'UTC')).toBeUndefined();
    for (const bad of ['', '* * * *', '60 * * * *', '*/0 * * * *', '5-1 * * * *', 'x * * * *'])
      expect(() => parseSchedule(bad)).toThrow();
  });
});

describe('cronjob controller', () => {
  const withCron = async (
    spec: Partial<CronJobSpec>,
    test: (cluster: TestCluster, names: () => Promise<(string | undefined)[]>) => Promise<void>,
  ) => {
    const cluster = new TestCluster();
    await cluster.start(cronJobController);
    await cluster.client.create(resources.cronJobs, {
      metadata: { name: 'tick', namespace: 'default' },
      spec: { schedule: '*/10 * * * *', jobTemplate: { spec: { template: {} } }, ...spec },
    });
    const names = async () => (await cluster.list(resources.jobs)).map(({ metadata }) => metadata.name);
    await cluster.settle();
    await test(cluster, names);
    await cluster.stop();
    expect(cluster.warnings).toEqual([]);
  };
  const minute = Date.UTC(2026, 0, 1) / 60_000;

  it('starts a Job on time, named after its minute', async () => {
    await withCron({}, async (cluster, names) => {
      await cluster.settle(9 * 60_000);
      expect(await names()).toEqual([]);
      await cluster.settle(2 * 60_000);
      expect(await names()).toEqual([`tick-${minute + 10}`]);
      const { status } = await cluster.client.get(resources.cronJobs, { namespace: 'default', name: 'tick' });
      expect(status).toMatchObject({
        lastScheduleTime: '2026-01-01T00:10:00Z',
        active: [{ name: `tick-${minute + 10}` }],
      });
      expect(await cluster.events()).toEqual([`Normal SuccessfulCreate Created job tick-${minute + 10}`]);
    });
  });
  it('forbids a second one, or replaces the first', async () => {
    await withCron({ concurrencyPolicy: 'Forbid' }, async (cluster, names) => {
      await cluster.settle(21 * 60_000);
      expect(await names()).toEqual([`tick-${minute + 10}`]);
    });
    await withCron({ concurrencyPolicy: 'Replace' }, async (cluster, names) => {
      await cluster.settle(21 * 60_000);
      expect(await names()).toEqual([`tick-${minute + 20}`]);
    });
  });
  it('lets a Job that somebody else made of it run beside the schedule', async () => {
    await withCron({ concurrencyPolicy: 'Forbid' }, async (cluster, names) => {
      const ref = { namespace: 'default', name: 'tick' };
      const { metadata } = await cluster.client.get(resources.cronJobs, ref);
      await cluster.client.create(resources.jobs, {
        metadata: {
          namespace: 'default',
          name: 'by-hand',
          ownerReferences: [
            { apiVersion: 'batch/v1', kind: 'CronJob', name: 'tick', uid: metadata.uid!, controller: true },
          ],
        },
        spec: { template: {} },
      });
      await cluster.settle(11 * 60_000);
      expect((await names()).toSorted()).toEqual(['by-hand', `tick-${minute + 10}`]);
      const { status } = await cluster.client.get(resources.cronJobs, ref);
      expect(status?.active?.map(({ name }) => name)).toEqual([`tick-${minute + 10}`]);
      expect(await cluster.events()).toContain(
        'Warning UnexpectedJob Saw a job that the controller did not create or forgot: by-hand',
      );
    });
  });
  it('tells of a day that never comes', async () => {
    await withCron({ schedule: '59 23 31 2 *' }, async (cluster, names) => {
      await cluster.settle(30 * 60_000);
      expect(await names()).toEqual([]);
      expect(await cluster.events()).toEqual([
        'Warning InvalidSchedule invalid schedule: 59 23 31 2 * : time difference between two schedules is less than 1 second',
      ]);
    });
  });
  it('does nothing while suspended', async () => {
    await withCron({ suspend: true }, async (cluster, names) => {
      await cluster.settle(30 * 60_000);
      expect(await names()).toEqual([]);
    });
  });
  it('keeps as many finished Jobs as it is told', async () => {
    await withCron({ successfulJobsHistoryLimit: 1 }, async (cluster, names) => {
      for (let i = 0; i < 3; i++) {
        await cluster.settle(10 * 60_000);
        for (const job of await cluster.list(resources.jobs))
          await cluster.client.update(
            resources.jobs,
            {
              ...job,
              status: {
                startTime: job.metadata.creationTimestamp ?? '',
                conditions: [{ type: 'Complete', status: 'True' }],
              },
            },
            { subresource: 'status' },
          );
        await cluster.settle();
      }
      expect(await names()).toHaveLength(1);
      expect((await cluster.events()).some((text) => text.includes('Saw completed job'))).toBe(true);
    });
  });
  it('starts one Job, not hundreds, after a long absence', async () => {
    await withCron({ schedule: '* * * * *' }, async (cluster, names) => {
      cluster.clock.jump(30 * 86_400_000);
      await cluster.settle(60_500);
      expect((await names()).length).toBeLessThanOrEqual(2);
    });
  });
});
