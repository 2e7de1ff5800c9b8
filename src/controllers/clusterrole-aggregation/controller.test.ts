import { describe, expect, it } from 'vitest';
import type { ClusterRole, PolicyRule } from '../../api/types.gen.ts';
import { defaultRbacObjects } from '../../server/authz/default-objects.ts';
import { planAggregation } from './controller.ts';

const rule = (resource: string): PolicyRule => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });
const role = (name: string, labels: Record<string, string>, ...resources: string[]): ClusterRole => ({
  metadata: { name, labels },
  rules: resources.map(rule),
});
const view = (...resources: string[]): ClusterRole => ({
  ...role('view', { 'to-edit': 'true' }, ...resources),
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: { 'to-view': 'true' } }] },
});

describe('aggregation of ClusterRoles', () => {
  const all = [
    view(),
    role('z', { 'to-view': 'true' }, 'pods', 'services'),
    role('a', { 'to-view': 'true' }, 'pods', 'nodes'),
    role('x', {}, 'secrets'),
  ];

  it('collects matching roles by name, each rule once', () => {
    expect(planAggregation(view(), all)).toEqual([rule('pods'), rule('nodes'), rule('services')]);
  });

  it('takes rules away that nothing brings any more, and writes nothing when all is well', () => {
    expect(planAggregation(view('pods', 'nodes', 'services'), all)).toBeUndefined();
    expect(planAggregation(view('pods', 'nodes', 'services', 'secrets'), all)).toEqual([
      rule('pods'),
      rule('nodes'),
      rule('services'),
    ]);
  });

  it('leaves roles alone that collect nothing, are gone or going', () => {
    expect(planAggregation(role('plain', {}, 'pods'), all)).toBeUndefined();
    expect(planAggregation(undefined, all)).toBeUndefined();
    const going = view();
    going.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    expect(planAggregation(going, all)).toBeUndefined();
  });

  it('does not collect itself', () => {
    const self = { ...view('pods'), metadata: { name: 'view', labels: { 'to-view': 'true' } } };
    expect(planAggregation(self, [self])).toEqual([]);
  });

  it('has nothing to do on a new cluster', () => {
    const defaults = defaultRbacObjects()
      .filter(({ resource }) => resource.resource === 'clusterroles')
      .map(({ object }) => object as ClusterRole);
    const collecting = defaults.filter(({ aggregationRule }) => aggregationRule !== undefined);
    expect(collecting).toHaveLength(3);
    for (const one of collecting) expect(planAggregation(one, defaults), one.metadata.name).toBeUndefined();
  });
});
