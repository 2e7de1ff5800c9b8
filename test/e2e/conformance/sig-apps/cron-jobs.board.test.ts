import { expect } from 'vitest';
import type { CronJob, Job } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { idleContainer } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const jobsOf = (context: SpecContext) => context.resource<Job>('batch/v1', 'jobs');
const cronJobsOf = (context: SpecContext) => context.resource<CronJob>('batch/v1', 'cronjobs');

/** Every minute one that does not end. */
async function create(context: SpecContext, concurrencyPolicy: string): Promise<void> {
  const pod = {
    restartPolicy: 'OnFailure',
    terminationGracePeriodSeconds: 0,
    containers: [idleContainer()],
  };
  await cronJobsOf(context).create({
    metadata: { name: 'minutely' },
    spec: {
      schedule: '*/1 * * * ?',
      concurrencyPolicy,
      jobTemplate: { spec: { template: { metadata: {}, spec: pod } } },
    },
  });
}

const activeOf = async (context: SpecContext): Promise<string[]> =>
  ((await cronJobsOf(context).get('minutely')).status?.active ?? []).map(({ name = '' }) => name);
const active = async (context: SpecContext, count: number): Promise<string[]> =>
  await context.until(
    `${count} active jobs`,
    async () => {
      const names = await activeOf(context);
      return names.length >= count && names;
    },
    150_000,
  );

area('sig-apps', 'CronJob', (spec) => {
  const LONG = { timeoutMs: 360_000 };
  spec(
    'should schedule multiple jobs concurrently',
    async (context) => {
      await create(context, 'Allow');
      await active(context, 2);
      const { items } = await jobsOf(context).list();
      expect(items.filter(({ status }) => (status?.active ?? 0) > 0).length).toBeGreaterThanOrEqual(2);
    },
    LONG,
  );
  spec(
    'should not schedule new jobs when ForbidConcurrent [Slow]',
    async (context) => {
      await create(context, 'Forbid');
      expect(await active(context, 1)).toHaveLength(1);
      expect((await jobsOf(context).list()).items).toHaveLength(1);
      // Longer than two more times at which one is due.
      await context.throughout(
        'there is one',
        125_000,
        async () =>
          (await jobsOf(context).list()).items.length === 1 && (await activeOf(context)).length === 1,
      );
    },
    LONG,
  );
  spec(
    'should replace jobs when ReplaceConcurrent',
    async (context) => {
      await create(context, 'Replace');
      const [first] = await active(context, 1);
      await context.until(
        'another job in its place',
        async () => {
          const names = await activeOf(context);
          expect(names.length).toBeLessThanOrEqual(1);
          return names.length === 1 && names[0] !== first;
        },
        100_000,
      );
      await context.until('the first job to go', async () => !(await jobsOf(context).find(first ?? '')));
      expect((await jobsOf(context).list()).items).toHaveLength(1);
    },
    LONG,
  );
});
