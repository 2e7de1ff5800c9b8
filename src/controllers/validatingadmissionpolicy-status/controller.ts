import { validatingAdmissionPolicies } from '../../api/resources.gen.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { servedResources } from '../framework/served-resources.ts';
import { writeStatus } from '../framework/status-writer.ts';
import type { Controller } from '../port.ts';
import { KindFinder } from './kind-finder.ts';
import { namedResources, needsCheck, planStatus } from './plan.ts';

const NAME = 'validatingadmissionpolicy-status-controller';

/**
 * Tells in the status of a ValidatingAdmissionPolicy which of its expressions do not fit the types of what it is for.
 * Once for each generation, as upstream: a kind that appears later changes nothing.
 */
export const policyStatusController: Controller = {
  name: NAME,
  start(context) {
    const policies = context.informers.for(validatingAdmissionPolicies);
    const served = servedResources(context);
    const kinds = new KindFinder(context, served);
    const loop = startControlLoop({
      context,
      name: NAME,
      informers: [policies, served],
      reconcile: async (name) => {
        const policy = policies.store.get(undefined, name);
        if (!policy || !needsCheck(policy)) return undefined;
        const found = await Promise.all(namedResources(policy).map((one) => kinds.ofResource(one)));
        const { paramKind } = policy.spec ?? {};
        const params = paramKind && (await kinds.ofKind(paramKind.apiVersion ?? '', paramKind.kind ?? ''));
        const status = planStatus(
          policy,
          found.filter((one) => one !== undefined),
          params,
        );
        await writeStatus(context.client, validatingAdmissionPolicies, policy, status);
        return undefined;
      },
    });
    loop.enqueueAll(policies);
    return loop.stop;
  },
};
