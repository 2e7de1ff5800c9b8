import { expect } from 'vitest';
import type {
  CronJob,
  Job,
  PodDisruptionBudget,
  ReplicationController,
  ResourceQuota,
} from '../../../../src/api/types.gen.ts';
import { refusal } from '../api-client.ts';
import { checkApiOperations } from '../api-operations.ts';
import { area } from '../area.ts';
import { podTemplate } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const cronJobSpec = (schedule: string, suspend: boolean): CronJob['spec'] => ({
  schedule,
  suspend,
  concurrencyPolicy: 'Allow',
  jobTemplate: { spec: { template: podTemplate({}, { restartPolicy: 'OnFailure' }) } },
});

area('sig-apps', 'CronJob', (spec) => {
  spec(
    'should not schedule jobs when suspended [Slow]',
    async (context) => {
      const cronJobs = context.resource<CronJob>('batch/v1', 'cronjobs');
      const jobs = context.resource<Job>('batch/v1', 'jobs');
      await cronJobs.create({ metadata: { name: 'suspended' }, spec: cronJobSpec('*/1 * * * *', true) });
      // A whole minute holds one start that must not happen; another one shows what would have been.
      await cronJobs.create({ metadata: { name: 'running' }, spec: cronJobSpec('*/1 * * * *', false) });
      await context.until('a job of the other', async () => (await jobs.list()).items.length > 0, 90_000);
      const { items } = await jobs.list();
      expect(items.map(({ metadata }) => metadata.ownerReferences?.[0]?.name)).toEqual(['running']);
      const { status } = await cronJobs.get('suspended');
      expect(status?.active ?? []).toEqual([]);
      expect(status?.lastScheduleTime).toBeUndefined();
      await cronJobs.delete('suspended');
    },
    { timeoutMs: 120_000 },
  );

  spec('should support CronJob API operations', async (context) => {
    await checkApiOperations<CronJob>(context, {
      groupVersion: 'batch/v1',
      plural: 'cronjobs',
      kind: 'CronJob',
      namespaced: true,
      make: () => ({ spec: cronJobSpec('* */1 * * ?', true) }),
      statuses: [
        { lastScheduleTime: '2026-01-01T00:00:00Z' },
        (cronJob) => {
          cronJob.status = { lastScheduleTime: '2026-01-02T00:00:00Z' };
        },
      ],
    });
  });
});

const budgetsOf = (context: SpecContext, namespace = context.namespace) =>
  context.resource<PodDisruptionBudget>('policy/v1', 'poddisruptionbudgets', namespace);
const budgetSpec = (minAvailable: number | string): PodDisruptionBudget['spec'] => ({
  minAvailable,
  selector: { matchLabels: { foo: 'bar' } },
});

area('sig-apps', 'DisruptionController', (spec) => {
  spec(
    'Listing PodDisruptionBudgets for all namespaces should list and delete a collection of PodDisruptionBudgets',
    async (context) => {
      const label = context.unique('pdb');
      const labelSelector = `collection=${label}`;
      const other = await context.newNamespace();
      const create = async (name: string, namespace: string) =>
        await budgetsOf(context, namespace).create({
          metadata: { name, labels: { collection: label } },
          spec: budgetSpec(1),
        });
      await create('one', context.namespace);
      await create('two', context.namespace);
      await create('three', other);
      const everywhere = context.cluster.resource<PodDisruptionBudget>('policy/v1', 'poddisruptionbudgets');
      expect((await everywhere.list({ labelSelector })).items).toHaveLength(3);
      const ours = await budgetsOf(context).list({ labelSelector });
      expect(ours.items.map(({ metadata }) => metadata.name)).toEqual(['one', 'two']);
      await budgetsOf(context).deleteCollection({ labelSelector });
      expect((await everywhere.list({ labelSelector })).items.map(({ metadata }) => metadata.name)).toEqual([
        'three',
      ]);
    },
  );

  spec('should create a PodDisruptionBudget', async (context) => {
    const budgets = budgetsOf(context);
    await budgets.create({ metadata: { name: 'budget', labels: { foo: 'bar' } }, spec: budgetSpec('1%') });
    const processed = async (minAvailable: number | string) =>
      await context.until(`a processed budget of ${minAvailable}`, async () => {
        const { spec, status, metadata } = await budgets.get('budget');
        return spec?.minAvailable === minAvailable && status?.observedGeneration === metadata.generation;
      });
    await processed('1%');
    await budgets.modify('budget', ({ spec }) => {
      spec!.minAvailable = '2%';
    });
    await processed('2%');
    await budgets.patch('budget', { spec: { minAvailable: '3%' } }, { type: 'strategic' });
    await processed('3%');
    const both = await refusal(budgets.patch('budget', { spec: { maxUnavailable: 1 } }));
    expect(both.status).toMatchObject({
      reason: 'Invalid',
      message: expect.stringMatching(/minAvailable and maxUnavailable cannot be both set/),
    });
    await budgets.delete('budget');
    expect((await refusal(budgets.get('budget'))).code).toBe(404);
  });

  spec('should update/patch PodDisruptionBudget status', async (context) => {
    const budgets = budgetsOf(context);
    await budgets.create({ metadata: { name: 'budget' }, spec: budgetSpec(1) });
    await context.until(
      'the budget to be processed',
      async () => ((await budgets.get('budget')).status?.observedGeneration ?? 0) > 0,
    );
    const disrupted = (name: string) => ({ [name]: '2026-01-01T00:00:00Z' });
    const updated = await budgets.modify(
      'budget',
      (budget) => {
        budget.status!.disruptedPods = disrupted('updated');
      },
      'status',
    );
    expect(updated.status?.disruptedPods).toEqual(disrupted('updated'));
    const patched = await budgets.patch(
      'budget',
      { metadata: { labels: { x: 'y' } }, status: { disruptedPods: disrupted('patched') } },
      { subresource: 'status' },
    );
    expect(Object.keys(patched.status?.disruptedPods ?? {})).toContain('patched');
  });
});

area('sig-apps', 'Job', (spec) => {
  spec('should manage the lifecycle of a job', async (context) => {
    const jobs = context.resource<Job>('batch/v1', 'jobs');
    const label = context.unique('job');
    const labelSelector = `e2e-job-label=${label}`;
    const watch = context.watch(jobs, { labelSelector });
    await jobs.create({
      metadata: { name: 'lived', labels: { 'e2e-job-label': label } },
      spec: {
        suspend: true,
        parallelism: 2,
        completions: 4,
        backoffLimit: 6,
        template: podTemplate({}, { restartPolicy: 'Never' }),
      },
    });
    expect((await watch.next()).type).toBe('ADDED');
    await context.until('the job to be suspended', async () =>
      (await jobs.get('lived')).status?.conditions?.some(
        ({ type, status }) => type === 'Suspended' && status === 'True',
      ),
    );
    expect((await context.pods.list()).items).toEqual([]);
    await jobs.patch('lived', { metadata: { labels: { lived: 'patched' } } }, { type: 'strategic' });
    await watch.next(
      ({ type, object }) => type === 'MODIFIED' && object.metadata.labels?.['lived'] === 'patched',
    );
    const updated = await jobs.modify('lived', (job) => {
      job.spec!.suspend = false;
      job.metadata.annotations = { ...job.metadata.annotations, updated: 'true' };
    });
    expect(updated.spec?.suspend).toBe(false);
    expect(updated.metadata.annotations).toMatchObject({ updated: 'true' });
    await watch.next(({ object }) => object.metadata.annotations?.['updated'] === 'true');
    await context.until('pods of the job', async () => (await context.pods.list()).items.length === 2);
    const everywhere = await context.cluster.resource<Job>('batch/v1', 'jobs').list({ labelSelector });
    expect(everywhere.items.map(({ metadata }) => metadata.name)).toEqual(['lived']);
    await jobs.deleteCollection({ labelSelector }, { propagationPolicy: 'Background' });
    await watch.next(({ type }) => type === 'DELETED');
    expect((await jobs.list({ labelSelector })).items).toEqual([]);
    await context.until('the pods to go', async () => (await context.pods.list()).items.length === 0);
  });
});

area('sig-apps', 'ReplicationController', (spec) => {
  spec('should surface a failure condition on a common issue like exceeded quota', async (context) => {
    const controllers = context.resource<ReplicationController>('v1', 'replicationcontrollers');
    const quotas = context.resource<ResourceQuota>('v1', 'resourcequotas');
    await quotas.create({ metadata: { name: 'condition-test' }, spec: { hard: { pods: '2' } } });
    await context.until(
      'the quota to count',
      async () => (await quotas.get('condition-test')).status?.hard?.['pods'] === '2',
    );
    const labels = { name: 'condition-test' };
    await controllers.create({
      metadata: { name: 'condition-test' },
      spec: { replicas: 3, selector: labels, template: podTemplate(labels) },
    });
    const failure = async () => {
      const { metadata, status } = await controllers.get('condition-test');
      if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 0)) return 'unknown';
      return status?.conditions?.find(({ type }) => type === 'ReplicaFailure');
    };
    const condition = await context.until('a failure condition', async () => {
      const found = await failure();
      return found !== undefined && found !== 'unknown' && found;
    });
    expect(condition).toMatchObject({ status: 'True', reason: 'FailedCreate' });
    expect(condition.message).toMatch(
      /exceeded quota: condition-test, requested: pods=1, used: pods=2, limited: pods=2/,
    );
    await controllers.modify('condition-test', ({ spec }) => {
      spec!.replicas = 2;
    });
    await context.until('the condition to go', async () => (await failure()) === undefined);
  });
});
