import { addUsage, quotaIncludes, quotaUsage, type Usage } from '../../api/quota-usage.ts';
import type { KubeObject } from '../../api/resource.ts';
import type { Pod, ResourceQuota, ResourceQuotaSpec } from '../../api/types.gen.ts';

/** Names of one resource, such as `deployments` in `apps`. */
export interface CountedResource {
  readonly group: string;
  readonly resource: string;
}

const core = (resource: string): CountedResource => ({ group: '', resource });
const CLAIMS = core('persistentvolumeclaims');
/** Counted by their own name. */
const PLAIN: ReadonlySet<string> = new Set([
  'pods',
  'services',
  'configmaps',
  'secrets',
  'replicationcontrollers',
  'resourcequotas',
  'persistentvolumeclaims',
]);

/** Whose objects use up what a quota calls `name`; `undefined` for a name nobody counts. */
export function countedResource(name: string): CountedResource | undefined {
  if (name.startsWith('count/')) {
    const [resource = '', ...group] = name.slice('count/'.length).split('.');
    return { group: group.join('.'), resource };
  }
  if (PLAIN.has(name)) return core(name);
  if (name === 'services.nodeports' || name === 'services.loadbalancers') return core('services');
  if (name === 'requests.storage' || name.includes('.storageclass.storage.k8s.io/')) return CLAIMS;
  const isCompute =
    ['cpu', 'memory', 'ephemeral-storage'].includes(name) || /^(requests\.|limits\.|hugepages-)/.test(name);
  return isCompute ? core('pods') : undefined;
}

/** Every resource a quota counts, once. */
export function countedResources(spec: ResourceQuotaSpec | undefined): CountedResource[] {
  const found = Object.keys(spec?.hard ?? {}).map(countedResource);
  return found.filter(
    (one, at): one is CountedResource =>
      one !== undefined && found.findIndex((other) => isSame(other, one)) === at,
  );
}

const isSame = (a: CountedResource | undefined, b: CountedResource | undefined): boolean =>
  a?.group === b?.group && a?.resource === b?.resource;

/**
 * What a quota's status says: its limits, and what the objects of its namespace use of them. Pure. `undefined` from
 * `objectsOf` means that nobody can tell: the number from before stays.
 */
export function planQuotaStatus(
  { spec, status }: ResourceQuota,
  objectsOf: (resource: CountedResource) => readonly KubeObject[] | undefined,
): NonNullable<ResourceQuota['status']> {
  const hard = spec?.hard ?? {};
  const used: Usage = {};
  const names = Object.keys(hard);
  for (const resource of countedResources(spec)) {
    const own = names.filter((name) => isSame(countedResource(name), resource));
    const objects = objectsOf(resource);
    if (objects === undefined) {
      for (const name of own) if (status?.used?.[name] !== undefined) used[name] = status.used[name];
      continue;
    }
    const isPod = resource.group === '' && resource.resource === 'pods';
    const sum: Usage = {};
    for (const object of objects) {
      if (quotaIncludes(spec, isPod ? (object as Pod) : undefined))
        addUsage(sum, quotaUsage(resource, object));
    }
    for (const name of own) used[name] = sum[name] ?? '0';
  }
  return { hard, used };
}
