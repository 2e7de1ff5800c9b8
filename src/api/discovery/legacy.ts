/** Discovery as it was before aggregation: one document for each group and version. */
import { createHash } from 'node:crypto';
import { apiVersionOf } from '../resource.ts';
import { type DiscoveredGroup, type DiscoveredResource, sortedVerbs } from './resource.ts';

/** `/api`. `serverAddress` is `host:port` as clients reach the server. */
export function coreVersions(versions: readonly string[], serverAddress: string): object {
  return {
    kind: 'APIVersions',
    versions,
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  };
}

/** `/apis`. */
export function groupList(groups: readonly DiscoveredGroup[]): object {
  const named = groups.filter(({ group }) => group !== '');
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: named.map(groupEntry) };
}

/** `/apis/<group>`. */
export function groupDocument(group: DiscoveredGroup): object {
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(group) };
}

function groupEntry({ group, versions }: DiscoveredGroup): object {
  const entries = versions.map(({ version }) => ({
    groupVersion: apiVersionOf({ group, version }),
    version,
  }));
  return { name: group, versions: entries, preferredVersion: entries[0] };
}

/** `/api/v1` or `/apis/<group>/<version>`. */
export function resourceList(
  groupVersion: { readonly group: string; readonly version: string },
  resources: readonly DiscoveredResource[],
): object {
  return {
    kind: 'APIResourceList',
    // Upstream's core group predates the field.
    ...(groupVersion.group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: apiVersionOf(groupVersion),
    resources: resources.flatMap(resourceEntries),
  };
}

/** Tells clients when the version changes that objects are stored in; computed as upstream does. */
function storageVersionHash({
  group,
  storageGroup = group,
  storageVersion,
  kind,
}: DiscoveredResource): string {
  const hash = createHash('sha256').update(`${storageGroup}/${storageVersion}/${kind}`);
  return hash.digest().subarray(0, 8).toString('base64');
}

function resourceEntries(resource: DiscoveredResource): object[] {
  const { namespaced, kind, shortNames = [], categories = [], subresources = [] } = resource;
  const own = {
    name: resource.resource,
    singularName: resource.singular ?? kind.toLowerCase(),
    namespaced,
    kind,
    verbs: sortedVerbs(resource.verbs),
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    ...(resource.storageVersion === undefined ? {} : { storageVersionHash: storageVersionHash(resource) }),
  };
  const below = subresources.map((one) => ({
    name: `${resource.resource}/${one.name}`,
    singularName: '',
    namespaced,
    // Only a kind of another group or version says so.
    ...(one.kind === undefined || (one.kind.group === resource.group && one.kind.version === resource.version)
      ? {}
      : { group: one.kind.group, version: one.kind.version }),
    kind: one.kind?.kind ?? kind,
    verbs: sortedVerbs(one.verbs),
  }));
  return [own, ...below];
}
