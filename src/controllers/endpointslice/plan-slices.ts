import { equalJson } from '../../api/json-value.ts';
import type { Endpoint, EndpointSlice, ObjectMeta } from '../../api/types.gen.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { AddressType, PortGroup } from './service-endpoints.ts';

export interface SlicePlan {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly delete: readonly EndpointSlice[];
}

export interface SliceTemplate {
  /** Namespace, generateName, labels, annotations and owner of every slice of the set. */
  readonly metadata: ObjectMeta;
  readonly addressType: AddressType;
}

/**
 * Spreads endpoints over slices, changing as few of them as possible: what stays, stays in its slice; what is new fills
 * free places; only then come new slices, and empty ones go. Pure.
 */
export function planSlices(
  template: SliceTemplate,
  groups: readonly PortGroup[],
  existing: readonly EndpointSlice[],
): SlicePlan {
  const plan: { create: EndpointSlice[]; update: EndpointSlice[]; delete: EndpointSlice[] } = {
    create: [],
    update: [],
    delete: [],
  };
  const left = new Set(existing);
  // A Service without endpoints keeps one empty slice: it says "known, none", which readers need.
  const wanted = groups.length > 0 ? groups : [{ ports: [], endpoints: [] }];
  for (const group of wanted) {
    const same = [...left].filter(
      ({ ports, addressType }) => addressType === template.addressType && equalJson(ports ?? [], group.ports),
    );
    for (const slice of same) left.delete(slice);
    planGroup(template, group, same, plan);
  }
  plan.delete.push(...left);
  return plan;
}

function planGroup(
  template: SliceTemplate,
  group: PortGroup,
  slices: readonly EndpointSlice[],
  plan: { create: EndpointSlice[]; update: EndpointSlice[]; delete: EndpointSlice[] },
): void {
  const unplaced = new Map(group.endpoints.map((endpoint) => [identity(endpoint), endpoint]));
  const kept = slices.map((slice) => {
    const endpoints: Endpoint[] = [];
    for (const endpoint of slice.endpoints ?? []) {
      const now = unplaced.get(identity(endpoint));
      if (!now) continue;
      unplaced.delete(identity(endpoint));
      endpoints.push(now);
    }
    return { slice, endpoints };
  });
  const rest = [...unplaced.values()];
  for (const { endpoints } of kept)
    endpoints.push(...rest.splice(0, Math.max(0, LIMITS.controllers.endpointsPerSlice - endpoints.length)));
  const empty = kept.filter(({ endpoints }) => endpoints.length === 0);
  // Keep one of the empty ones when nothing else would be left of the group.
  const spare = empty.length === kept.length && rest.length === 0 ? empty[0] : undefined;
  for (const one of kept) {
    if (one.endpoints.length === 0 && one !== spare) plan.delete.push(one.slice);
    else if (!isCurrent(template, one.slice, one.endpoints))
      plan.update.push({
        ...one.slice,
        metadata: { ...one.slice.metadata, ...inherited(template.metadata) },
        endpoints: one.endpoints,
      });
  }
  const needsEmpty = kept.length === 0 && rest.length === 0;
  while (rest.length > 0 || (needsEmpty && plan.create.length === 0)) {
    plan.create.push({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...template.metadata },
      addressType: template.addressType,
      ports: [...group.ports],
      endpoints: rest.splice(0, LIMITS.controllers.endpointsPerSlice),
    });
  }
}

function inherited({ labels, annotations }: ObjectMeta): ObjectMeta {
  return {
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

function identity({ targetRef, addresses }: Endpoint): string {
  return targetRef?.uid ? `${targetRef.kind}/${targetRef.uid}` : addresses.join(',');
}

function isCurrent(template: SliceTemplate, slice: EndpointSlice, endpoints: readonly Endpoint[]): boolean {
  return (
    equalJson(slice.endpoints ?? [], endpoints) &&
    equalJson(slice.metadata.labels ?? {}, template.metadata.labels ?? {})
  );
}
