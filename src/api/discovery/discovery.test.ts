import { describe, expect, it } from 'vitest';
import { aggregatedContentType, aggregatedDiscovery } from './aggregated.ts';
import { coreVersions, groupDocument, groupList, resourceList } from './legacy.ts';
import { compareVersions, type DiscoveredResource, groupResources } from './resource.ts';

const pods: DiscoveredResource = {
  group: '',
  version: 'v1',
  resource: 'pods',
  kind: 'Pod',
  namespaced: true,
  shortNames: ['po'],
  categories: ['all'],
  verbs: ['get', 'create'],
  subresources: [
    { name: 'eviction', kind: { group: 'policy', version: 'v1', kind: 'Eviction' }, verbs: ['create'] },
    { name: 'log', verbs: ['get'] },
  ],
};
const hpa = (version: string): DiscoveredResource => ({
  group: 'autoscaling',
  version,
  resource: 'horizontalpodautoscalers',
  kind: 'HorizontalPodAutoscaler',
  namespaced: true,
  verbs: ['get'],
});
const nodes: DiscoveredResource = {
  ...pods,
  resource: 'nodes',
  kind: 'Node',
  namespaced: false,
  subresources: [],
};

describe('discovery', () => {
  const groups = groupResources([hpa('v1'), pods, hpa('v2'), nodes]);

  it('orders versions as Kubernetes does', () => {
    const versions = ['v1alpha1', 'foo', 'v1', 'v2beta1', 'v10', 'v1beta2', 'v2', 'bar'];
    expect(versions.toSorted(compareVersions)).toEqual([
      'v10',
      'v2',
      'v1',
      'v2beta1',
      'v1beta2',
      'v1alpha1',
      'bar',
      'foo',
    ]);
  });

  it('groups and sorts', () => {
    expect(groups.map(({ group }) => group)).toEqual(['', 'autoscaling']);
    expect(groups[0]?.versions[0]?.resources.map(({ resource }) => resource)).toEqual(['nodes', 'pods']);
  });

  it('writes the aggregated document', () => {
    expect(aggregatedContentType('v2')).toBe(
      'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
    );
    const document = aggregatedDiscovery(groups.slice(0, 1)) as {
      items: { versions: { resources: object[] }[] }[];
    };
    expect(document).toMatchObject({ kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2' });
    expect(document.items[0]?.versions[0]?.resources[1]).toEqual({
      resource: 'pods',
      responseKind: { group: '', version: 'v1', kind: 'Pod' },
      scope: 'Namespaced',
      singularResource: 'pod',
      verbs: ['create', 'get'],
      shortNames: ['po'],
      categories: ['all'],
      subresources: [
        {
          subresource: 'eviction',
          responseKind: { group: 'policy', version: 'v1', kind: 'Eviction' },
          verbs: ['create'],
        },
        { subresource: 'log', responseKind: { group: '', version: 'v1', kind: 'Pod' }, verbs: ['get'] },
      ],
    });
    expect(aggregatedDiscovery(groups.slice(1))).toMatchObject({
      items: [{ metadata: { name: 'autoscaling' }, versions: [{ version: 'v2' }, { version: 'v1' }] }],
    });
  });

  it('writes the old documents', () => {
    expect(coreVersions(['v1'], '10.0.0.1:6443')).toEqual({
      kind: 'APIVersions',
      versions: ['v1'],
      serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: '10.0.0.1:6443' }],
    });
    const entry = {
      name: 'autoscaling',
      versions: [
        { groupVersion: 'autoscaling/v2', version: 'v2' },
        { groupVersion: 'autoscaling/v1', version: 'v1' },
      ],
      preferredVersion: { groupVersion: 'autoscaling/v2', version: 'v2' },
    };
    expect(groupList(groups)).toEqual({ kind: 'APIGroupList', apiVersion: 'v1', groups: [entry] });
    expect(groupDocument(groups[1]!)).toEqual({ kind: 'APIGroup', apiVersion: 'v1', ...entry });
    expect(resourceList({ group: '', version: 'v1' }, [pods])).toEqual({
      kind: 'APIResourceList',
      groupVersion: 'v1',
      resources: [
        {
          name: 'pods',
          singularName: 'pod',
          namespaced: true,
          kind: 'Pod',
          verbs: ['create', 'get'],
          shortNames: ['po'],
          categories: ['all'],
        },
        {
          name: 'pods/eviction',
          singularName: '',
          namespaced: true,
          group: 'policy',
          version: 'v1',
          kind: 'Eviction',
          verbs: ['create'],
        },
        { name: 'pods/log', singularName: '', namespaced: true, kind: 'Pod', verbs: ['get'] },
      ],
    });
  });
});
