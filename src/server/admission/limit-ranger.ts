import { compareQuantities, parseQuantity } from '../../api/quantity.ts';
import { limitRanges } from '../../api/resources.gen.ts';
import type { Container, LimitRangeItem, PersistentVolumeClaim, Pod, Quantity } from '../../api/types.gen.ts';
import { addTo, raiseTo } from '../resources/pod-template/pod-defaults.ts';
import type { AdmissionAttributes, AdmissionPlugin, AdmissionTarget } from './port.ts';
import { createsPod, joinReasons, refuse } from './refuse.ts';

const ANNOTATION = 'kubernetes.io/limit-ranger';
type ResourceList = Record<string, Quantity>;

/** Fills in what containers leave out and refuses what lies outside the LimitRanges of the namespace. */
export function limitRanger(): AdmissionPlugin {
  return {
    name: 'LimitRanger',
    concerns: (target) => createsPod(target) || writesClaim(target),
    async mutate(attributes) {
      if (!createsPod(attributes)) return;
      const items = await itemsOf(attributes);
      if (items.length > 0) applyDefaults(attributes.object as Pod, items);
    },
    async validate(attributes) {
      const items = await itemsOf(attributes);
      if (items.length === 0) return;
      const reasons = createsPod(attributes)
        ? checkPod(attributes.object as Pod, items)
        : checkClaim(attributes.object as PersistentVolumeClaim, items);
      if (reasons.length > 0) throw refuse(attributes, joinReasons(reasons));
    },
  };
}

function writesClaim({ operation, resource, subresource }: AdmissionTarget): boolean {
  return (
    (operation === 'CREATE' || operation === 'UPDATE') &&
    subresource === '' &&
    resource.group === '' &&
    resource.resource === 'persistentvolumeclaims'
  );
}

async function itemsOf({ client, namespace }: AdmissionAttributes): Promise<readonly LimitRangeItem[]> {
  const { items } = await client.list(limitRanges, { namespace });
  return items.flatMap(({ spec }) => spec?.limits ?? []);
}

/** Missing requests and limits of every container; an annotation tells what was set. */
function applyDefaults(pod: Pod, items: readonly LimitRangeItem[]): void {
  const requests: ResourceList = {};
  const limits: ResourceList = {};
  for (const item of items) {
    if (item.type !== 'Container') continue;
    Object.assign(requests, item.defaultRequest);
    Object.assign(limits, item.default);
  }
  const notes: string[] = [];
  const fill = (container: Container, kind: string): void => {
    const resources = { ...container.resources };
    for (const [part, defaults] of [
      ['requests', requests],
      ['limits', limits],
    ] as const) {
      const missing = Object.keys(defaults).filter((name) => resources[part]?.[name] === undefined);
      if (missing.length === 0) continue;
      resources[part] = { ...defaults, ...resources[part] };
      notes.push(`${missing.sort().join(', ')} ${part.slice(0, -1)} for ${kind} ${container.name}`);
    }
    container.resources = resources;
  };
  for (const container of pod.spec?.containers ?? []) fill(container, 'container');
  for (const container of pod.spec?.initContainers ?? []) fill(container, 'init container');
  if (notes.length === 0) return;
  const text = `LimitRanger plugin set: ${notes.join('; ')}`;
  pod.metadata.annotations = { ...pod.metadata.annotations, [ANNOTATION]: text };
}

function checkPod(pod: Pod, items: readonly LimitRangeItem[]): string[] {
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  return items.flatMap((item) => {
    if (item.type === 'Container') {
      return containers.flatMap(({ resources }) =>
        checkItem(item, resources?.requests ?? {}, resources?.limits ?? {}),
      );
    }
    if (item.type !== 'Pod') return [];
    return checkItem(item, podTotal(pod, 'requests'), podTotal(pod, 'limits'));
  });
}

/** App containers and sidecars together, or the largest init container. */
function podTotal({ spec }: Pod, part: 'requests' | 'limits'): ResourceList {
  const total: ResourceList = {};
  for (const { resources } of spec?.containers ?? []) addTo(total, resources?.[part]);
  const peak: ResourceList = {};
  for (const { resources, restartPolicy } of spec?.initContainers ?? []) {
    if (restartPolicy === 'Always') addTo(total, resources?.[part]);
    else raiseTo(peak, resources?.[part] ?? {});
  }
  raiseTo(total, peak);
  return total;
}

function checkClaim({ spec }: PersistentVolumeClaim, items: readonly LimitRangeItem[]): string[] {
  const { requests = {}, limits = {} } = spec?.resources ?? {};
  return items
    .filter(({ type }) => type === 'PersistentVolumeClaim')
    .flatMap((item) => [
      ...Object.entries(item.min ?? {}).flatMap(([name, bound]) =>
        atLeast(item.type, name, bound, requests[name], undefined),
      ),
      ...Object.entries(item.max ?? {}).flatMap(([name, bound]) =>
        atMostRequest(item.type, name, bound, requests[name]),
      ),
      ...ratios(item, requests, limits),
    ]);
}

function checkItem(item: LimitRangeItem, requests: ResourceList, limits: ResourceList): string[] {
  return [
    ...Object.entries(item.min ?? {}).flatMap(([name, bound]) =>
      atLeast(item.type, name, bound, requests[name], limits[name]),
    ),
    ...Object.entries(item.max ?? {}).flatMap(([name, bound]) =>
      atMost(item.type, name, bound, requests[name], limits[name]),
    ),
    ...ratios(item, requests, limits),
  ];
}

function atLeast(
  type: string,
  name: string,
  bound: Quantity,
  request: Quantity | undefined,
  limit: Quantity | undefined,
): string[] {
  const rule = `minimum ${name} usage per ${type} is ${bound}`;
  if (request === undefined) return [`${rule}.  No request is specified`];
  if (compareQuantities(request, bound) < 0) return [`${rule}, but request is ${request}`];
  return limit !== undefined && compareQuantities(limit, bound) < 0 ? [`${rule}, but limit is ${limit}`] : [];
}

function atMost(
  type: string,
  name: string,
  bound: Quantity,
  request: Quantity | undefined,
  limit: Quantity | undefined,
): string[] {
  const rule = `maximum ${name} usage per ${type} is ${bound}`;
  if (limit === undefined) return [`${rule}.  No limit is specified`];
  if (compareQuantities(limit, bound) > 0) return [`${rule}, but limit is ${limit}`];
  return request !== undefined && compareQuantities(request, bound) > 0
    ? [`${rule}, but request is ${request}`]
    : [];
}

function atMostRequest(type: string, name: string, bound: Quantity, request: Quantity | undefined): string[] {
  const rule = `maximum ${name} usage per ${type} is ${bound}`;
  if (request === undefined) return [`${rule}.  No request is specified`];
  return compareQuantities(request, bound) > 0 ? [`${rule}, but request is ${request}`] : [];
}

function ratios(
  { type, maxLimitRequestRatio = {} }: LimitRangeItem,
  requests: ResourceList,
  limits: ResourceList,
): string[] {
  return Object.entries(maxLimitRequestRatio).flatMap(([name, bound]) => {
    const rule = `${name} max limit to request ratio per ${type} is ${bound}`;
    const [request, limit] = [requests[name], limits[name]];
    if (request === undefined || parseQuantity(request).nano === 0n)
      return [`${rule}, but no request is specified or request is 0`];
    if (limit === undefined || parseQuantity(limit).nano === 0n)
      return [`${rule}, but no limit is specified or limit is 0`];
    const ratio = Number(parseQuantity(limit).nano) / Number(parseQuantity(request).nano);
    const allowed = Number(parseQuantity(bound).nano) / 1e9;
    return ratio > allowed ? [`${rule}, but provided ratio is ${ratio.toFixed(6)}`] : [];
  });
}
