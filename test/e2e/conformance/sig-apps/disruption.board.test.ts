import { expect } from 'vitest';
import type { PodDisruptionBudget } from '../../../../src/api/types.gen.ts';
import { refusal } from '../api-client.ts';
import { area } from '../area.ts';
import { running } from '../pod-output.ts';
import { pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const LABELS = { foo: 'bar' };
const budgetsOf = (context: SpecContext) =>
  context.resource<PodDisruptionBudget>('policy/v1', 'poddisruptionbudgets');

async function createPods(context: SpecContext, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `guarded-${index}`);
  for (const name of names)
    await context.pods.create(pod(name, {}, { terminationGracePeriodSeconds: 0 }, LABELS));
  for (const name of names) await running(context, name);
}

async function createBudget(context: SpecContext, minAvailable: number): Promise<void> {
  const spec = { minAvailable, selector: { matchLabels: LABELS } };
  await budgetsOf(context).create({ metadata: { name: 'budget' }, spec });
}

const evict = async ({ cluster, pods }: SpecContext, name: string): Promise<unknown> =>
  await cluster.api.json('POST', `${pods.path}/${name}/eviction`, {
    body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } },
  });

/** The controller has counted what runs under the budget as it is. */
async function counted(
  context: SpecContext,
  expected: Partial<PodDisruptionBudget['status']>,
): Promise<void> {
  await context.until('the budget to be counted', async () => {
    const { metadata, status } = await budgetsOf(context).get('budget');
    return (
      status?.observedGeneration === metadata.generation &&
      Object.entries(expected ?? {}).every(
        ([field, value]) => (status as unknown as Record<string, unknown>)[field] === value,
      )
    );
  });
}

async function isDenied(context: SpecContext, name: string): Promise<void> {
  const { status } = await refusal(evict(context, name));
  expect(status).toMatchObject({
    code: 429,
    reason: 'TooManyRequests',
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    details: { causes: [{ reason: 'DisruptionBudget' }] },
  });
  expect((await context.pods.get(name)).metadata.deletionTimestamp).toBeUndefined();
}

area('sig-apps', 'DisruptionController', (spec) => {
  spec('should observe PodDisruptionBudget status updated', async (context) => {
    await createBudget(context, 1);
    await createPods(context, 3);
    await counted(context, {
      currentHealthy: 3,
      desiredHealthy: 1,
      expectedPods: 3,
      disruptionsAllowed: 2,
    });
    const { status } = await budgetsOf(context).get('budget');
    expect(status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'DisruptionAllowed', status: 'True', reason: 'SufficientPods' }),
    );
  });

  spec(
    'should block an eviction until the PDB is updated to allow it',
    async (context) => {
      await createBudget(context, 3);
      await createPods(context, 3);
      await counted(context, { currentHealthy: 3, disruptionsAllowed: 0 });
      await isDenied(context, 'guarded-0');
      await budgetsOf(context).modify('budget', ({ spec: fields }) => {
        fields!.minAvailable = 2;
      });
      await counted(context, { disruptionsAllowed: 1 });
      await evict(context, 'guarded-0');
      await context.until('the pod to go', async () => !(await context.pods.find('guarded-0')));
      // A budget that is patched forbids it again, and none forbids nothing.
      await budgetsOf(context).patch('budget', { spec: { minAvailable: 3 } }, { type: 'strategic' });
      await counted(context, { disruptionsAllowed: 0, currentHealthy: 2 });
      await isDenied(context, 'guarded-1');
      await budgetsOf(context).delete('budget');
      await context.until('the budget to go', async () => !(await budgetsOf(context).find('budget')));
      await evict(context, 'guarded-1');
      await context.until('the pod to go', async () => !(await context.pods.find('guarded-1')));
    },
    { timeoutMs: 120_000 },
  );
});
