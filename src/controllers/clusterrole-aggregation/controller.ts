import { equalJson } from '../../api/json-value.ts';
import { selectorFromObject } from '../../api/labels.ts';
import { clusterRoles } from '../../api/resources.gen.ts';
import type { ClusterRole, PolicyRule } from '../../api/types.gen.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import type { Controller } from '../port.ts';

const NAME = 'clusterrole-aggregation-controller';

/**
 * The rules of an aggregated ClusterRole: those of every role its selectors match, by name, none twice.
 * `undefined`: it has them already, or collects nothing. Pure.
 */
export function planAggregation(
  role: ClusterRole | undefined,
  all: readonly ClusterRole[],
): readonly PolicyRule[] | undefined {
  const selectors = role?.aggregationRule?.clusterRoleSelectors;
  if (!role || !selectors || role.metadata.deletionTimestamp !== undefined) return undefined;
  const sorted = all
    .filter(({ metadata }) => metadata.name !== role.metadata.name)
    .sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
  const rules: PolicyRule[] = [];
  for (const selector of selectors.map(selectorFromObject))
    for (const { metadata, rules: more = [] } of sorted)
      if (selector.matches(metadata.labels ?? {}))
        for (const rule of more) if (!rules.some((one) => equalJson(one, rule))) rules.push(rule);
  return equalJson(rules, role.rules ?? []) ? undefined : rules;
}

/** Keeps aggregated ClusterRoles such as `admin`, `edit` and `view` in step with the roles they collect. */
export const clusterRoleAggregationController: Controller = {
  name: NAME,
  start(context) {
    const roles = context.informers.for(clusterRoles);
    const loop = startControlLoop({
      context,
      name: NAME,
      informers: [roles],
      reconcile: async (name) => {
        const role = roles.store.get(undefined, name);
        const rules = planAggregation(role, roles.store.list());
        if (role && rules) await context.client.update(clusterRoles, { ...role, rules: [...rules] });
        return undefined;
      },
    });
    // Any role may be collected by any other, also by one that collects.
    loop.onAny(roles, () => {
      for (const { metadata, aggregationRule } of roles.store.list())
        if (aggregationRule) loop.add(metadata.name ?? '');
    });
    return loop.stop;
  },
};
