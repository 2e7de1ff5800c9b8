import { expect, it } from 'vitest';
import { cronJobs } from '../../api/resources.gen.ts';
import { writeStatus } from './status-writer.ts';
import { TestCluster } from './test-cluster.fake.ts';

it('writes a status as upstream encodes it, and only what differs', async () => {
  const cluster = new TestCluster([cronJobs]);
  const made = await cluster.client.create(cronJobs, {
    metadata: { name: 'a', namespace: 'default' },
    spec: { schedule: '* * * * *', jobTemplate: { spec: { template: {} } } },
  });
  const lastScheduleTime = '2026-01-01T00:00:00Z';
  expect(await writeStatus(cluster.client, cronJobs, made, { active: [] })).toBe(made);
  const written = await writeStatus(cluster.client, cronJobs, made, { active: [], lastScheduleTime });
  expect(written.status).toEqual({ lastScheduleTime });
  expect(await writeStatus(cluster.client, cronJobs, written, { lastScheduleTime, active: [] })).toBe(
    written,
  );
  await cluster.stop();
});
