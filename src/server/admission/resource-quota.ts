import { compareQuantities, formatQuantity, subtractQuantities } from '../../api/quantity.ts';
import { addUsage, quotaIncludes, quotaUsage, type Usage } from '../../api/quota-usage.ts';
import type { KubeObject } from '../../api/resource.ts';
import { resourceQuotas } from '../../api/resources.gen.ts';
import type { Pod, ResourceQuota } from '../../api/types.gen.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { AdmissionAttributes, AdmissionContext, AdmissionPlugin } from './port.ts';
import { createsPod, refuse } from './refuse.ts';

/** Something admitted a moment ago that the cache may not show yet. */
interface Reservation {
  readonly uid: string;
  readonly resource: string;
  readonly usage: Usage;
  readonly object: KubeObject;
  readonly untilMs: number;
}

const COMPUTE = ['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory'];

/**
 * Refuses what would use more than a ResourceQuota of the namespace allows. Usage is counted from what is stored,
 * plus what was admitted but is not stored yet; nothing is counted in namespaces without quotas.
 */
export function resourceQuota({ cacheOf }: Pick<AdmissionContext, 'cacheOf'>): AdmissionPlugin {
  const reserved = new Map<string, Reservation[]>();
  return {
    name: 'ResourceQuota',
    concerns: ({ operation, subresource }) =>
      subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'),
    handles: ({ namespace }) => namespace !== '',
    validate(attributes) {
      const { namespace, object } = attributes;
      const cache = cacheOf(resourceQuotas);
      // Most clusters have none: nothing is made or awaited for them.
      if (object === undefined || cache === undefined || cache.size === 0) return undefined;
      const quotas = cache.list({ namespace }).map((one) => one.object() as ResourceQuota);
      return quotas.length === 0 ? undefined : admit(attributes, object, quotas);
    },
  };

  async function admit(
    attributes: AdmissionAttributes,
    object: KubeObject,
    quotas: readonly ResourceQuota[],
  ): Promise<void> {
    const { client, namespace, oldObject, resource, clock } = attributes;
    const wanted = increase(quotaUsage(resource, object), oldObject && quotaUsage(resource, oldObject));
    const { items: stored } = await client.list(resource, { namespace });
    // From here to the new reservation nothing is awaited: two requests cannot both take the last place.
    const nowMs = clock.monotonicMs();
    const pending = (reserved.get(namespace) ?? []).filter(({ untilMs }) => untilMs > nowMs);
    const known = new Set(stored.map(({ metadata }) => metadata.uid));
    const waiting = pending.filter((one) => one.resource === resource.resource && !known.has(one.uid));
    const counted = [...stored.map((one) => ({ object: one, usage: quotaUsage(resource, one) })), ...waiting];
    for (const quota of quotas) check(attributes, quota, wanted, counted);
    if (attributes.dryRun || Object.keys(wanted).length === 0 || oldObject !== undefined) return;
    const untilMs = nowMs + LIMITS.admission.quotaReservationMs;
    const uid = object.metadata.uid ?? '';
    const still = pending.filter((one) => one.resource !== resource.resource || waiting.includes(one));
    reserved.set(namespace, [...still, { uid, resource: resource.resource, usage: wanted, object, untilMs }]);
    if (reserved.size > LIMITS.admission.quotaNamespaces) reserved.delete(reserved.keys().next().value ?? '');
  }
}

/** What an update adds; all of it on create. */
function increase(usage: Usage, old: Usage | undefined): Usage {
  if (old === undefined) return usage;
  const more: Usage = {};
  for (const [name, quantity] of Object.entries(usage)) {
    const before = old[name];
    if (before === undefined) more[name] = quantity;
    else if (compareQuantities(quantity, before) > 0)
      more[name] = formatQuantity(subtractQuantities(quantity, before));
  }
  return more;
}

function check(
  attributes: AdmissionAttributes,
  { metadata, spec }: ResourceQuota,
  wanted: Usage,
  counted: readonly { object: KubeObject; usage: Usage }[],
): void {
  const isPod = attributes.resource.group === '' && attributes.resource.resource === 'pods';
  const asPod = (object: KubeObject | undefined): Pod | undefined => (isPod ? (object as Pod) : undefined);
  if (!quotaIncludes(spec, asPod(attributes.object))) return;
  const hard = spec?.hard ?? {};
  // A quota on CPU or memory means that every container says how much it takes.
  if (createsPod(attributes)) {
    const missing = COMPUTE.filter(
      (name) => hard[name] !== undefined && !everyContainerHas(asPod(attributes.object), name),
    );
    if (missing.length > 0)
      throw refuse(
        attributes,
        `failed quota: ${metadata.name}: must specify ${missingText(missing, attributes.object as Pod)}`,
      );
  }
  const used: Usage = {};
  for (const { object, usage } of counted) if (quotaIncludes(spec, asPod(object))) addUsage(used, usage);
  const exceeded = Object.keys(hard)
    .filter((name) => {
      const more = wanted[name];
      if (more === undefined) return false;
      const total: Usage = { [name]: used[name] ?? '0' };
      addUsage(total, { [name]: more });
      return compareQuantities(total[name] ?? '0', hard[name] ?? '0') > 0;
    })
    .sort();
  if (exceeded.length === 0) return;
  const list = (from: Usage): string => exceeded.map((name) => `${name}=${from[name] ?? '0'}`).join(',');
  throw refuse(
    attributes,
    `exceeded quota: ${metadata.name}, requested: ${list(wanted)}, used: ${list(used)}, limited: ${list(hard)}`,
  );
}

const lacking = (pod: Pod | undefined, name: string): string[] => {
  const [part, resource] = name.includes('.')
    ? (name.split('.') as ['requests' | 'limits', string])
    : (['requests', name] as const);
  const { containers = [], initContainers = [] } = pod?.spec ?? {};
  if (pod?.spec?.resources?.[part]?.[resource] !== undefined) return [];
  return [...containers, ...initContainers]
    .filter((one) => one.resources?.[part]?.[resource] === undefined)
    .map((one) => one.name);
};

const everyContainerHas = (pod: Pod | undefined, name: string): boolean => lacking(pod, name).length === 0;

/** `limits.cpu for: app,sidecar; limits.memory for: app` */
function missingText(names: readonly string[], pod: Pod): string {
  return [...names]
    .sort()
    .map((name) => `${name} for: ${lacking(pod, name).sort().join(',')}`)
    .join('; ');
}
