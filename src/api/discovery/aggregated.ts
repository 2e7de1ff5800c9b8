/** Aggregated discovery (apidiscovery.k8s.io): everything in two requests, what kubectl ≥ 1.26 asks for. */
import { type DiscoveredGroup, type DiscoveredResource, sortedVerbs } from './resource.ts';

/** `v2beta1` for clients of before 1.30. */
export type AggregatedVersion = 'v2' | 'v2beta1';

/** The `Content-Type` of the document, and what clients put into `Accept`. */
export function aggregatedContentType(version: AggregatedVersion): string {
  return `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
}

/** The document of `/api` (pass the core group alone) or `/apis` (pass the others). */
export function aggregatedDiscovery(
  groups: readonly DiscoveredGroup[],
  version: AggregatedVersion = 'v2',
): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map(({ group, versions }) => ({
      metadata: group === '' ? {} : { name: group },
      versions: versions.map((one) => ({
        version: one.version,
        resources: one.remote?.entries ?? one.resources.map(resourceEntry),
        freshness: one.remote?.isFresh === false ? 'Stale' : 'Current',
      })),
    })),
  };
}

function resourceEntry(resource: DiscoveredResource): object {
  const { group, version, kind, shortNames = [], categories = [], subresources = [] } = resource;
  return {
    resource: resource.resource,
    responseKind: { group, version, kind },
    scope: resource.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: resource.singular ?? kind.toLowerCase(),
    verbs: sortedVerbs(resource.verbs),
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    ...(subresources.length > 0
      ? {
          subresources: subresources.map((one) => ({
            subresource: one.name,
            responseKind: one.kind ?? { group, version, kind },
            verbs: sortedVerbs(one.verbs),
          })),
        }
      : {}),
  };
}
