/** What discovery says of one resource; the server derives it from its definitions and from CRDs. */
export interface DiscoveredResource {
  readonly group: string;
  readonly version: string;
  /** Lower-case plural. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Lower-case kind by default. */
  readonly singular?: string | undefined;
  readonly shortNames?: readonly string[] | undefined;
  readonly categories?: readonly string[] | undefined;
  readonly verbs: readonly string[];
  readonly subresources?: readonly DiscoveredSubresource[] | undefined;
  /** The version its objects are stored in; absent where nothing is stored. */
  readonly storageVersion?: string | undefined;
  /** What is stored may have another group, such as Events. */
  readonly storageGroup?: string | undefined;
  /** `<Kind>List` by default. */
  readonly listKind?: string | undefined;
  /** Set for what a CustomResourceDefinition adds; for OpenAPI documents, which change with it. */
  readonly custom?: { readonly stamp: string; readonly selectableFields?: readonly string[] } | undefined;
}

export const listKindOf = ({ kind, listKind }: Pick<DiscoveredResource, 'kind' | 'listKind'>): string =>
  listKind ?? `${kind}List`;

export interface DiscoveredSubresource {
  readonly name: string;
  /** The resource's own kind by default; Scale, Eviction, TokenRequest … say theirs. */
  readonly kind?: { readonly group: string; readonly version: string; readonly kind: string } | undefined;
  readonly verbs: readonly string[];
}

export interface DiscoveredVersion {
  readonly version: string;
  /** Empty where another server has them. */
  readonly resources: readonly DiscoveredResource[];
  /** Another server's, as it wrote them itself. */
  readonly remote?: { readonly entries: readonly object[]; readonly isFresh: boolean };
}

/** Resources of one group, by version in the order clients should prefer. */
export interface DiscoveredGroup {
  readonly group: string;
  readonly versions: readonly DiscoveredVersion[];
}

/** A version that another server answers for. */
export interface RemoteVersion extends DiscoveredVersion {
  readonly group: string;
  readonly remote: NonNullable<DiscoveredVersion['remote']>;
}

export interface Arrangement {
  readonly remotes: readonly RemoteVersion[];
  /** Where a version stands: higher ones first. */
  readonly standing: (
    group: string,
    version: string,
  ) => { readonly groupPriorityMinimum: number; readonly versionPriority: number };
}

/** Adds the versions of other servers, which replace our own of the same name, and puts all into order. */
export function arrangeGroups(
  groups: readonly DiscoveredGroup[],
  { remotes, standing }: Arrangement,
): DiscoveredGroup[] {
  const byGroup = new Map(groups.map(({ group, versions }) => [group, [...versions]]));
  for (const { group, ...version } of remotes) {
    const others = (byGroup.get(group) ?? []).filter((one) => one.version !== version.version);
    byGroup.set(group, [...others, version]);
  }
  const priority = (group: string, versions: readonly DiscoveredVersion[]): number =>
    Math.max(...versions.map(({ version }) => standing(group, version).groupPriorityMinimum));
  return [...byGroup]
    .map(([group, versions]) => ({
      group,
      priority: priority(group, versions),
      versions: versions.toSorted(
        (a, b) =>
          standing(group, b.version).versionPriority - standing(group, a.version).versionPriority ||
          compareVersions(a.version, b.version),
      ),
    }))
    .sort((a, b) => b.priority - a.priority || compareText(a.group, b.group))
    .map(({ group, versions }) => ({ group, versions }));
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Groups in alphabetical order (core first), versions newest and most stable first, resources by name. */
export function groupResources(resources: readonly DiscoveredResource[]): DiscoveredGroup[] {
  const byGroup = Map.groupBy(resources, ({ group }) => group);
  return [...byGroup]
    .sort(([a], [b]) => compareText(a, b))
    .map(([group, members]) => ({
      group,
      versions: [...Map.groupBy(members, ({ version }) => version)]
        .sort(([a], [b]) => compareVersions(a, b))
        .map(([version, list]) => ({
          version,
          resources: list.toSorted((a, b) => compareText(a.resource, b.resource)),
        })),
    }));
}

/** Kubernetes' order of versions: v2, v1, v2beta1, v1beta2, v1alpha1, then anything else by name. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [rank(a), rank(b)];
  if (left === undefined || right === undefined) {
    if (left === undefined && right === undefined) return compareText(a, b);
    return left === undefined ? 1 : -1;
  }
  return right.stability - left.stability || right.major - left.major || right.minor - left.minor;
}

function rank(version: string): { stability: number; major: number; minor: number } | undefined {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (match === null) return undefined;
  const stability = match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0;
  return { stability, major: Number(match[1]), minor: Number(match[3] ?? 0) };
}

/** How far a version is from changing, as its name says. */
export function stabilityOf(version: string): 'stable' | 'beta' | 'alpha' | 'other' {
  const { stability } = rank(version) ?? {};
  return stability === undefined ? 'other' : ((['alpha', 'beta', 'stable'] as const)[stability] ?? 'other');
}

export const sortedVerbs = (verbs: readonly string[]): string[] => verbs.toSorted(compareText);
