import { selectorFromObject } from '../../../api/labels.ts';
import { podDisruptionBudgets, pods } from '../../../api/resources.gen.ts';
import { type ApiError, apiError, badRequest, forbidden, isConflict } from '../../../api/status.ts';
import type { Eviction, Pod, PodDisruptionBudget } from '../../../api/types.gen.ts';
import { LIMITS } from '../../../lib/limits.ts';
import type { StrategyContext, Subresource } from '../../registry/definition.ts';
import { readDryRun } from '../../registry/dry-run.ts';
import { successStatus } from './success-status.ts';

const VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget.";

function tooManyRequests(cause: string, retryAfterSeconds: number): ApiError {
  const causes = [{ reason: 'DisruptionBudget', message: cause }];
  return apiError('TooManyRequests', VIOLATES, {
    details: { causes, ...(retryAfterSeconds > 0 && { retryAfterSeconds }) },
  });
}

const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;

/** Pods that serve nobody (not started, finished, already going) need no budget. */
function needsBudget({ metadata, status }: Pod): boolean {
  const isIdle = status?.phase === 'Pending' || status?.phase === 'Succeeded' || status?.phase === 'Failed';
  return !isIdle && !metadata.deletionTimestamp;
}

/** Unready pods may go without using up the budget, as `unhealthyPodEvictionPolicy` says. */
function mayGoUnready(pod: Pod, { spec, status }: PodDisruptionBudget): boolean {
  if (isReady(pod)) return false;
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = status ?? {};
  return currentHealthy >= desiredHealthy && desiredHealthy > 0;
}

/** The budget with one disruption spent on `pod`. Throws 429 when there is none to spend. */
function spendDisruption(budget: PodDisruptionBudget, pod: string, now: string): PodDisruptionBudget {
  const name = budget.metadata.name ?? '';
  const { status } = budget;
  if (status === undefined || (status.observedGeneration ?? 0) < (budget.metadata.generation ?? 0)) {
    throw tooManyRequests(`The disruption budget ${name} is still being processed by the server.`, 10);
  }
  const { disruptionsAllowed = 0, disruptedPods = {} } = status;
  if (disruptionsAllowed < 0)
    throw forbidden(podDisruptionBudgets, name, 'pdb disruptions allowed is negative');
  if (Object.keys(disruptedPods).length > LIMITS.eviction.disruptedPods) {
    throw forbidden(
      podDisruptionBudgets,
      name,
      'DisruptedPods map too big - too many evictions not confirmed by PDB controller',
    );
  }
  if (disruptionsAllowed === 0) {
    const failed = status.conditions?.find(
      (one) => one.type === 'DisruptionAllowed' && one.reason === 'SyncFailed',
    );
    const why = failed
      ? `The disruption budget ${name} does not allow evicting pods currently because it failed sync: ${failed.message}`
      : `The disruption budget ${name} needs ${status.desiredHealthy} healthy pods and has ${status.currentHealthy} currently`;
    throw tooManyRequests(why, 0);
  }
  return {
    ...budget,
    status: {
      ...status,
      disruptionsAllowed: disruptionsAllowed - 1,
      disruptedPods: { ...disruptedPods, [pod]: now },
    },
  };
}

async function budgetsOf(pod: Pod, { client }: StrategyContext): Promise<PodDisruptionBudget[]> {
  const { items } = await client.list(podDisruptionBudgets, { namespace: pod.metadata.namespace });
  return items.filter(({ spec }) => selectorFromObject(spec?.selector).matches(pod.metadata.labels ?? {}));
}

async function askBudgets(pod: Pod, context: StrategyContext, dryRun: boolean): Promise<void> {
  const budgets = await budgetsOf(pod, context);
  if (budgets.length > 1) {
    const why =
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
    throw apiError('InternalError', why);
  }
  let [budget] = budgets;
  if (budget === undefined || mayGoUnready(pod, budget)) return;
  const ref = { name: budget.metadata.name ?? '', namespace: budget.metadata.namespace };
  for (let attempt = 1; ; attempt++) {
    const spent = spendDisruption(budget, pod.metadata.name ?? '', context.now());
    try {
      await context.client.update(podDisruptionBudgets, spent, { subresource: 'status', dryRun });
      return;
    } catch (error) {
      if (!isConflict(error) || attempt >= LIMITS.eviction.attempts) throw error;
      budget = await context.client.get(podDisruptionBudgets, ref);
    }
  }
}

function withDisruptionTarget(pod: Pod, now: string): Pod {
  const conditions = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'DisruptionTarget');
  conditions.push({
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastTransitionTime: now,
  });
  return { ...pod, status: { ...pod.status, conditions } };
}

/** Deletes a pod if its disruption budget allows: upstream's pods/eviction, which `kubectl drain` uses. */
export const evictionSubresource: Subresource<Pod> = {
  name: 'eviction',
  kind: { group: 'policy', version: 'v1', kind: 'Eviction' },
  alsoAccepted: [{ group: 'policy', version: 'v1beta1', kind: 'Eviction' }],
  create: async ({ name, namespace, body, context, modify, parent }) => {
    const eviction: Eviction = body;
    if (eviction.metadata?.name && eviction.metadata.name !== name) {
      throw badRequest('name in URL does not match name in Eviction object');
    }
    const pod = await parent();
    const options = eviction.deleteOptions ?? {};
    // `kubectl drain --dry-run=server` says so here, not in the address.
    const dryRun = context.dryRun || readDryRun(options.dryRun ?? []);
    if (needsBudget(pod)) {
      await askBudgets(pod, context, dryRun);
      if (!dryRun) await modify((newest) => withDisruptionTarget(newest, context.now()));
    }
    if (!dryRun) {
      await context.client.delete(
        pods,
        { name, namespace },
        {
          ...(options.gracePeriodSeconds !== undefined && { gracePeriodSeconds: options.gracePeriodSeconds }),
          preconditions: { uid: options.preconditions?.uid ?? pod.metadata.uid ?? '' },
        },
      );
    }
    return successStatus(201);
  },
};
