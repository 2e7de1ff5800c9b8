import { expect } from 'vitest';
import type { Job, JobCondition, JobSpec } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { idleContainer, type PodFields } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const jobsOf = (context: SpecContext) => context.resource<Job>('batch/v1', 'jobs');

interface Work {
  /** A shell script; the index of an indexed job is in JOB_COMPLETION_INDEX. */
  readonly run: string;
  readonly spec?: Omit<JobSpec, 'template'>;
  readonly pod?: PodFields;
  readonly mounts?: readonly { name: string; mountPath: string }[];
}

async function createJob(context: SpecContext, { run, spec, pod, mounts = [] }: Work): Promise<Job> {
  return await jobsOf(context).create({
    metadata: { name: 'work' },
    spec: {
      ...spec,
      template: {
        metadata: {},
        spec: {
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 0,
          ...pod,
          containers: [idleContainer({ command: ['sh', '-c', run], volumeMounts: [...mounts] })],
        },
      },
    },
  });
}

async function finished(
  context: SpecContext,
  type: 'Complete' | 'Failed',
): Promise<{ job: Job; condition: JobCondition }> {
  return await context.until(
    `the job to be ${type}`,
    async () => {
      const job = await jobsOf(context).get('work');
      const conditions = job.status?.conditions?.filter(({ status }) => status === 'True') ?? [];
      const other = conditions.find((one) => ['Complete', 'Failed'].includes(one.type) && one.type !== type);
      if (other) throw new Error(`the job is ${other.type}: ${other.reason} ${other.message}`);
      const condition = conditions.find((one) => one.type === type);
      return condition && { job, condition };
    },
    120_000,
  );
}

const podsOf = async ({ pods }: SpecContext) => (await pods.list({ labelSelector: 'job-name=work' })).items;
const activePods = async (context: SpecContext, count: number) =>
  await context.until(
    `${count} pods to run`,
    async () => {
      const items = (await podsOf(context)).filter(({ metadata }) => !metadata.deletionTimestamp);
      return items.filter(({ status }) => status?.phase === 'Running').length === count && items;
    },
    60_000,
  );
const INDEXED = { completionMode: 'Indexed' };
const LONG = { timeoutMs: 180_000 };

area('sig-apps', 'Job', (spec) => {
  spec(
    'should run a job to completion when tasks sometimes fail and are locally restarted',
    async (context) => {
      const run = 'if [ -f /data/foo ]; then exit 0; fi; touch /data/foo; exit 1';
      const pod = { restartPolicy: 'OnFailure', volumes: [{ name: 'data', emptyDir: {} }] };
      const mounts = [{ name: 'data', mountPath: '/data' }];
      await createJob(context, {
        run,
        pod,
        mounts,
        spec: { parallelism: 2, completions: 4, backoffLimit: 999 },
      });
      const { job } = await finished(context, 'Complete');
      expect(job.status).toMatchObject({ succeeded: 4 });
      expect(await podsOf(context)).toHaveLength(4);
    },
    LONG,
  );

  spec('should delete a job', async (context) => {
    await createJob(context, { run: 'exec sleep 100000', spec: { parallelism: 2, completions: 4 } });
    await activePods(context, 2);
    await jobsOf(context).delete('work', { propagationPolicy: 'Foreground' });
    await context.until(
      'the job and its pods to go',
      async () => !(await jobsOf(context).find('work')),
      60_000,
    );
    expect(await podsOf(context)).toEqual([]);
  });

  spec('should adopt matching orphans and release non-matching pods', async (context) => {
    const job = await createJob(context, {
      run: 'exec sleep 100000',
      spec: { parallelism: 2, completions: 4 },
    });
    const [pod] = await activePods(context, 2);
    const name = pod?.metadata.name ?? '';
    await context.pods.patch(name, { metadata: { ownerReferences: null } });
    await context.until('the pod to be adopted', async () => {
      const { metadata } = await context.pods.get(name);
      return metadata.ownerReferences?.some(({ uid, controller }) => controller && uid === job.metadata.uid);
    });
    await context.pods.modify(name, ({ metadata }) => {
      delete metadata.labels;
    });
    await context.until(
      'the pod to be released',
      async () => !(await context.pods.get(name)).metadata.ownerReferences,
    );
  });

  spec('should apply changes to a job status', async (context) => {
    const jobs = jobsOf(context);
    await createJob(context, { run: 'exec sleep 100000', spec: { parallelism: 2, completions: 4 } });
    await activePods(context, 2);
    const condition = (type: string) => ({
      type,
      status: 'True',
      reason: 'E2E',
      message: 'Set from an e2e test',
    });
    const patched = await jobs.patch(
      'work',
      {
        metadata: { annotations: { patchedstatus: 'true' } },
        status: { conditions: [condition('CustomPatched')] },
      },
      { subresource: 'status' },
    );
    expect(patched.metadata.annotations).toMatchObject({ patchedstatus: 'true' });
    expect(patched.status?.conditions).toMatchObject([condition('CustomPatched')]);
    const updated = await jobs.modify(
      'work',
      ({ status }) => {
        status?.conditions?.push(condition('CustomUpdated'));
      },
      'status',
    );
    expect(updated.status?.conditions).toMatchObject([
      condition('CustomPatched'),
      condition('CustomUpdated'),
    ]);
    expect((await jobs.get('work', 'status')).status?.conditions).toHaveLength(2);
  });

  spec(
    'should create pods for an Indexed job with completion indexes and specified hostname',
    async (context) => {
      await createJob(context, { run: 'hostname', spec: { ...INDEXED, parallelism: 2, completions: 4 } });
      const { job } = await finished(context, 'Complete');
      expect(job.status).toMatchObject({ succeeded: 4, completedIndexes: '0-3' });
      const pods = await podsOf(context);
      const indexOf = (one: (typeof pods)[number]) =>
        one.metadata.annotations?.['batch.kubernetes.io/job-completion-index'];
      expect(pods.map(indexOf).sort()).toEqual(['0', '1', '2', '3']);
      for (const one of pods) {
        expect(one.spec?.hostname).toBe(`work-${indexOf(one)}`);
        expect(one.metadata.labels?.['batch.kubernetes.io/job-completion-index']).toBe(indexOf(one));
      }
    },
    LONG,
  );

  const onExit = (action: string) => ({
    podFailurePolicy: { rules: [{ action, onExitCodes: { operator: 'In', values: [42] } }] },
  });
  spec(
    'should allow to use the pod failure policy on exit code to fail the job early',
    async (context) => {
      await createJob(context, {
        run: 'exit 42',
        spec: { ...onExit('FailJob'), parallelism: 1, completions: 4, backoffLimit: 999 },
      });
      const { condition } = await finished(context, 'Failed');
      expect(condition.reason).toBe('PodFailurePolicy');
      expect(condition.message).toMatch(
        /^Container main for pod .* failed with exit code 42 matching FailJob rule at index 0$/,
      );
    },
    LONG,
  );

  spec(
    'should allow to use a pod failure policy to ignore failure matching on DisruptionTarget condition',
    async (context) => {
      const rule = { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] };
      const pod = { volumes: [{ name: 'go', configMap: { name: 'go', optional: true } }] };
      await createJob(context, {
        run: 'while [ ! -f /go/go ]; do sleep 0.2; done',
        pod,
        mounts: [{ name: 'go', mountPath: '/go' }],
        spec: { podFailurePolicy: { rules: [rule] }, backoffLimit: 0, parallelism: 1, completions: 1 },
      });
      const [first] = await activePods(context, 1);
      const name = first?.metadata.name ?? '';
      await context.cluster.api.json('POST', `${context.pods.path}/${name}/eviction`, {
        body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } },
      });
      await context.until(
        'another pod',
        async () => {
          const items = await podsOf(context);
          return items.some(({ metadata, status }) => metadata.name !== name && status?.phase === 'Running');
        },
        60_000,
      );
      await context.configMaps.create({ metadata: { name: 'go' }, data: { go: 'yes' } });
      const { job } = await finished(context, 'Complete');
      expect(job.status).toMatchObject({ succeeded: 1 });
    },
    LONG,
  );

  spec(
    'should execute all indexes despite some failing when using backoffLimitPerIndex',
    async (context) => {
      await createJob(context, {
        run: 'exit $(( (JOB_COMPLETION_INDEX + 1) % 2 ))',
        spec: { ...INDEXED, parallelism: 2, completions: 4, backoffLimitPerIndex: 1 },
      });
      const { job, condition } = await finished(context, 'Failed');
      expect(condition.reason).toBe('FailedIndexes');
      expect(job.status).toMatchObject({
        failedIndexes: '0,2',
        completedIndexes: '1,3',
        failed: 4,
        succeeded: 2,
      });
    },
    LONG,
  );

  spec(
    'should mark indexes as failed when the FailIndex action is matched in podFailurePolicy',
    async (context) => {
      await createJob(context, {
        run: 'if [ $JOB_COMPLETION_INDEX = 0 ]; then exit 42; fi',
        spec: { ...INDEXED, ...onExit('FailIndex'), parallelism: 2, completions: 2, backoffLimitPerIndex: 1 },
      });
      const { job } = await finished(context, 'Failed');
      expect(job.status).toMatchObject({
        failedIndexes: '0',
        completedIndexes: '1',
        failed: 1,
        succeeded: 1,
      });
    },
    LONG,
  );

  spec(
    'should terminate job execution when the number of failed indexes exceeds maxFailedIndexes',
    async (context) => {
      await createJob(context, {
        run: 'exit 1',
        spec: { ...INDEXED, parallelism: 10, completions: 10, backoffLimitPerIndex: 0, maxFailedIndexes: 4 },
      });
      const { job, condition } = await finished(context, 'Failed');
      expect(condition.reason).toBe('MaxFailedIndexesExceeded');
      expect(job.status?.failed).toBeGreaterThanOrEqual(5);
      expect(job.status?.completedIndexes ?? '').toBe('');
    },
    LONG,
  );

  const succeeds = (
    text: string,
    {
      run,
      rules,
      parallelism,
      completed,
    }: { run: string; rules?: object[]; parallelism: number; completed: string },
  ) =>
    spec(
      `with successPolicy ${text}`,
      async (context) => {
        const successPolicy = { rules: rules ?? [{ succeededIndexes: `0-${parallelism - 1}` }] };
        await createJob(context, {
          run,
          spec: {
            ...INDEXED,
            parallelism,
            completions: parallelism,
            successPolicy,
            backoffLimit: 999,
          } as JobSpec,
        });
        const { job } = await finished(context, 'Complete');
        const met = job.status?.conditions?.find(({ type }) => type === 'SuccessCriteriaMet');
        expect(met).toMatchObject({ status: 'True', reason: 'SuccessPolicy' });
        expect(job.status?.completedIndexes).toBe(completed);
        expect(job.status?.active ?? 0).toBe(0);
        expect(job.status?.terminating ?? 0).toBe(0);
      },
      LONG,
    );
  const onlyFirst = 'if [ $JOB_COMPLETION_INDEX = 0 ]; then exit 0; fi; exec sleep 100000';
  succeeds('should succeeded when all indexes succeeded', { run: 'true', parallelism: 2, completed: '0,1' });
  succeeds('succeededIndexes rule should succeeded even when some indexes remain pending', {
    run: onlyFirst,
    rules: [{ succeededIndexes: '0' }],
    parallelism: 2,
    completed: '0',
  });
  succeeds('succeededCount rule should succeeded even when some indexes remain pending', {
    run: onlyFirst,
    rules: [{ succeededCount: 1 }],
    parallelism: 2,
    completed: '0',
  });
});
