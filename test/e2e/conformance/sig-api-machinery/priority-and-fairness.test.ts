import { expect } from 'vitest';
import type { FlowSchema, PriorityLevelConfiguration } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { everyVerb } from '../every-verb.ts';
import type { KubeObject } from '../resource-client.ts';
import type { SpecContext } from '../spec-context.ts';

const V1 = 'flowcontrol.apiserver.k8s.io/v1';
type Conditioned = KubeObject & { status?: { conditions?: { type?: string; status?: string }[] } };

/** Reads, updates and patches `status` of one object. */
async function statusOf(context: SpecContext, plural: string, body: object): Promise<void> {
  const resource = context.cluster.resource<Conditioned>(V1, plural);
  const name = context.unique('e2e-status');
  await resource.create({ metadata: { name }, ...body });
  context.defer(async () => await resource.delete(name));
  expect((await resource.get(name, 'status')).metadata.name).toBe(name);
  const condition = (type: string) => ({
    type,
    status: 'Unknown',
    reason: 'Test',
    message: 'Set from an e2e test',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  });
  const updated = await resource.modify(
    name,
    (object) => {
      object.status = { conditions: [...(object.status?.conditions ?? []), condition('StatusUpdated')] };
    },
    'status',
  );
  expect(updated.status?.conditions).toContainEqual(condition('StatusUpdated'));
  const patched = await resource.patch(
    name,
    {
      metadata: { annotations: { patchedstatus: 'true' } },
      status: { conditions: [condition('StatusPatched')] },
    },
    { subresource: 'status' },
  );
  expect(patched.status?.conditions).toContainEqual(condition('StatusPatched'));
  // Their status routes leave metadata alone.
  expect(patched.metadata.annotations ?? {}).not.toHaveProperty('patchedstatus');
}

area('sig-api-machinery', 'API priority and fairness', (spec) => {
  spec('should support FlowSchema API operations', async (context) => {
    const body = {
      spec: {
        matchingPrecedence: 10_000,
        priorityLevelConfiguration: { name: 'global-default' },
        distinguisherMethod: { type: 'ByUser' },
        rules: [
          {
            subjects: [{ kind: 'User' as const, user: { name: 'example-e2e-non-existent-user' } }],
            nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
          },
        ],
      },
    };
    await everyVerb<FlowSchema>(context, {
      groupVersion: V1,
      plural: 'flowschemas',
      kind: 'FlowSchema',
      body,
      change: ({ spec }) => {
        if (spec) spec.matchingPrecedence = 9999;
      },
      changed: ({ spec }) => spec?.matchingPrecedence,
    });
    await statusOf(context, 'flowschemas', body);
  });

  spec('should support PriorityLevelConfiguration API operations', async (context) => {
    const body = {
      spec: {
        type: 'Limited' as const,
        limited: { nominalConcurrencyShares: 2, limitResponse: { type: 'Reject' as const } },
      },
    };
    await everyVerb<PriorityLevelConfiguration>(context, {
      groupVersion: V1,
      plural: 'prioritylevelconfigurations',
      kind: 'PriorityLevelConfiguration',
      body,
      change: ({ spec }) => {
        if (spec?.limited) spec.limited.nominalConcurrencyShares = 4;
      },
      changed: ({ spec }) => spec?.limited?.nominalConcurrencyShares,
    });
    await statusOf(context, 'prioritylevelconfigurations', body);
  });
});
