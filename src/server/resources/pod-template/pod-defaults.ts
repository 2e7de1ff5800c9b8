import { addQuantities, compareQuantities, formatQuantity } from '../../../api/quantity.ts';
import type { Container, Pod, PodSpec, Quantity } from '../../../api/types.gen.ts';
import { defaultPodSpec } from './defaults.ts';

type ResourceList = Record<string, Quantity>;

/** Defaults of real Pods, on top of what templates get. */
export function defaultPod(pod: Pod): void {
  const { spec } = pod;
  if (spec === undefined) return;
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
    requestsFromLimits(container);
  }
  defaultPodLevelRequests(spec);
  spec.enableServiceLinks ??= true;
  defaultPodSpec(spec);
}

/** A limit without a request asks for as much as the limit. */
function requestsFromLimits(container: Container): void {
  const limits = container.resources?.limits;
  if (limits === undefined) return;
  container.resources = { ...container.resources, requests: { ...limits, ...container.resources?.requests } };
}

/**
 * Pod-level requests follow from what the containers ask for, else from the pod-level limits (KEP-2837).
 */
function defaultPodLevelRequests(spec: PodSpec): void {
  const limits = spec.resources?.limits;
  if (limits === undefined || Object.keys(limits).length === 0) return;
  const requests: ResourceList = { ...spec.resources?.requests };
  for (const [name, quantity] of Object.entries(containerRequests(spec))) {
    if (name === 'cpu' || name === 'memory') requests[name] ??= quantity;
  }
  for (const [name, quantity] of Object.entries(limits)) {
    if (name === 'cpu' || name === 'memory' || name.startsWith('hugepages-')) requests[name] ??= quantity;
  }
  if (Object.keys(requests).length > 0) spec.resources = { ...spec.resources, requests };
}

/**
 * What all containers of a pod ask for together: the larger of the app containers' sum (sidecars included) and of
 * each init container with the sidecars started before it (component-helpers/resource).
 */
function containerRequests(spec: PodSpec): ResourceList {
  const total: ResourceList = {};
  for (const container of spec.containers ?? []) addTo(total, container.resources?.requests);
  const sidecars: ResourceList = {};
  const peak: ResourceList = {};
  for (const container of spec.initContainers ?? []) {
    const requests = container.resources?.requests;
    if (container.restartPolicy === 'Always') {
      addTo(total, requests);
      addTo(sidecars, requests);
      raiseTo(peak, sidecars);
    } else {
      const together = { ...sidecars };
      addTo(together, requests);
      raiseTo(peak, together);
    }
  }
  raiseTo(total, peak);
  return total;
}

/** Adds quantities by resource name; changes `sum`. */
export function addTo(sum: ResourceList, more: Readonly<ResourceList> | undefined): void {
  for (const [name, quantity] of Object.entries(more ?? {})) {
    const present = sum[name];
    sum[name] = present === undefined ? quantity : formatQuantity(addQuantities(present, quantity));
  }
}

/** Raises each quantity of `list` to at least `floor`; changes `list`. */
export function raiseTo(list: ResourceList, floor: Readonly<ResourceList>): void {
  for (const [name, quantity] of Object.entries(floor)) {
    const present = list[name];
    if (present === undefined || compareQuantities(present, quantity) < 0) list[name] = quantity;
  }
}
