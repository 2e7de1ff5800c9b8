import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as resources from '../../api/resources.gen.ts';
import type { Job, JobSpec, Pod } from '../../api/types.gen.ts';
import { TestCluster } from '../framework/test-cluster.fake.ts';
import { jobController } from './controller.ts';
import { formatIndexes, parseIndexes } from './job-pods.ts';

const job = (spec: Partial<JobSpec>): Job => ({
  metadata: { name: 'sum', namespace: 'default' },
  spec: {
    parallelism: 1,
    completions: 1,
    backoffLimit: 6,
    selector: { matchLabels: { job: 'sum' } },
    template: {
      metadata: { labels: { job: 'sum' } },
      spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox' }] },
    },
    ...spec,
  },
});

describe('job controller', () => {
  let cluster: TestCluster;
  beforeEach(async () => {
    cluster = new TestCluster();
    await cluster.start(jobController);
  });
  afterEach(async () => {
    await cluster.stop();
    expect(cluster.warnings).toEqual([]);
  });
  const create = async (spec: Partial<JobSpec>) => {
    await cluster.client.create(resources.jobs, job(spec));
    await cluster.settle();
  };
  const status = async () =>
    (await cluster.client.get(resources.jobs, { namespace: 'default', name: 'sum' })).status;
  const conditions = async () =>
    (await status())?.conditions
      ?.filter(({ status: is }) => is === 'True')
      .map(({ type, reason }) => `${type} ${reason}`);
  const running = async () => (await cluster.pods()).filter((pod) => !pod.status?.phase);
  const end = async (pod: Pod | undefined, phase: 'Succeeded' | 'Failed', exitCode = 0) => {
    if (!pod) throw new Error('no such pod');
    const finishedAt = new Date(cluster.clock.now()).toISOString();
    await cluster.setPodStatus(pod, {
      phase,
      containerStatuses: [
        {
          ...{ name: 'main', image: '', imageID: '', ready: false, restartCount: 0 },
          state: { terminated: { exitCode, finishedAt } },
        },
      ],
    });
    await cluster.settle();
  };

  it('runs to completion, at most so many at once', async () => {
    await create({ completions: 3, parallelism: 2 });
    expect(await running()).toHaveLength(2);
    expect((await running())[0]?.metadata.finalizers).toEqual(['batch.kubernetes.io/job-tracking']);
    for (let i = 0; i < 3; i++) await end((await running())[0], 'Succeeded');
    expect(await status()).not.toHaveProperty('active');
    expect(await status()).toMatchObject({ succeeded: 3, uncountedTerminatedPods: {} });
    expect(await conditions()).toEqual([
      'SuccessCriteriaMet CompletionsReached',
      'Complete CompletionsReached',
    ]);
    expect((await status())?.completionTime).toBeTruthy();
    expect((await cluster.pods()).flatMap(({ metadata }) => metadata.finalizers ?? [])).toEqual([]);
    expect(await cluster.events()).toContain('Normal Completed Job completed');
  });

  it('replaces failed pods after a while, until the limit', async () => {
    await create({ backoffLimit: 1 });
    await end((await running())[0], 'Failed', 1);
    expect(await running()).toHaveLength(0);
    await cluster.settle(11_000);
    expect(await running()).toHaveLength(1);
    await end((await running())[0], 'Failed', 1);
    expect(await conditions()).toEqual(['FailureTarget BackoffLimitExceeded', 'Failed BackoffLimitExceeded']);
    expect((await status())?.failed).toBe(2);
  });

  it('gives every index its pod', async () => {
    await create({ completionMode: 'Indexed', completions: 3, parallelism: 3 });
    const pods = await cluster.pods();
    expect(pods.map(({ spec }) => spec?.hostname).toSorted()).toEqual(['sum-0', 'sum-1', 'sum-2']);
    expect(pods[0]?.spec?.containers[0]?.env?.[0]?.name).toBe('JOB_COMPLETION_INDEX');
    for (const pod of pods) await end(pod, 'Succeeded');
    expect(await status()).toMatchObject({ completedIndexes: '0-2', succeeded: 3 });
  });

  it('stops at its deadline', async () => {
    await create({ activeDeadlineSeconds: 60 });
    await cluster.settle(61_000);
    expect(await cluster.pods()).toHaveLength(0);
    expect(await conditions()).toContain('Failed DeadlineExceeded');
  });

  it('suspends and resumes', async () => {
    await create({ suspend: true });
    expect(await cluster.pods()).toHaveLength(0);
    expect(await conditions()).toEqual(['Suspended JobSuspended']);
    const patch = { type: 'merge', body: { spec: { suspend: false } } } as const;
    await cluster.client.patch(resources.jobs, { namespace: 'default', name: 'sum' }, patch);
    await cluster.settle();
    expect(await running()).toHaveLength(1);
    expect(await conditions()).toEqual([]);
  });

  it('obeys its failure policy', async () => {
    const onExitCodes = { operator: 'In', values: [42] };
    await create({ podFailurePolicy: { rules: [{ action: 'FailJob', onExitCodes }] } });
    await end((await running())[0], 'Failed', 42);
    const failed = (await status())?.conditions?.find(({ type }) => type === 'Failed');
    expect(failed?.reason).toBe('PodFailurePolicy');
    expect(failed?.message).toMatch(
      /^Container main for pod default\/sum-\w+ failed with exit code 42 matching FailJob rule at index 0$/,
    );
  });

  it('does not count disruptions that the policy ignores', async () => {
    const onPodConditions = [{ type: 'DisruptionTarget', status: 'True' }];
    await create({ backoffLimit: 0, podFailurePolicy: { rules: [{ action: 'Ignore', onPodConditions }] } });
    const [pod] = await running();
    if (!pod) throw new Error('no pod');
    await cluster.setPodStatus(pod, {
      phase: 'Failed',
      conditions: [{ type: 'DisruptionTarget', status: 'True' }],
    });
    await cluster.settle();
    expect((await status())?.failed).toBeUndefined();
    expect(await running()).toHaveLength(1);
  });

  it('goes when its time to live is over', async () => {
    await create({ ttlSecondsAfterFinished: 100 });
    await end((await running())[0], 'Succeeded');
    await cluster.settle(90_000);
    expect(await cluster.list(resources.jobs)).toHaveLength(1);
    await cluster.settle(20_000);
    const [left] = await cluster.list(resources.jobs);
    expect(left?.metadata.finalizers).toEqual(['foregroundDeletion']);
  });

  it('counts no pod twice when a write in between fails', async () => {
    await create({ completions: 2 });
    let failures = 3;
    cluster.client.intercept = ({ verb, resource }) => {
      if (verb === 'patch' && resource === 'pods' && failures-- > 0) throw new Error('lost');
    };
    await end((await running())[0], 'Succeeded');
    await cluster.settle(5_000);
    expect(await status()).toMatchObject({ succeeded: 1, uncountedTerminatedPods: {} });
    cluster.warnings.length = 0;
  });

  it('writes indexes as upstream does', () => {
    expect(formatIndexes(new Set([5, 0, 1, 2, 7, 8]))).toBe('0-2,5,7,8');
    expect([...parseIndexes('0-2,5,x')]).toEqual([0, 1, 2, 5]);
  });
});
