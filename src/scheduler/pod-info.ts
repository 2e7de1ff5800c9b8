import { type HostPort, hostPortsOf } from '../api/host-ports.ts';
import { NOTHING, type Selector, selectorFromObject } from '../api/labels.ts';
import { type Amounts, podRequests } from '../api/pod-requests.ts';
import type { Pod, PodAffinityTerm } from '../api/types.gen.ts';

/** A pod as the scheduler works with it: what its plugins ask for again and again, read once. */
export interface PodInfo {
  readonly pod: Pod;
  readonly uid: string;
  /** `namespace/name`. */
  readonly key: string;
  readonly namespace: string;
  readonly priority: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly requests: Amounts;
  readonly nonZero: { readonly cpuMilli: number; readonly memoryBytes: number };
  readonly hostPorts: readonly HostPort[];
  /** Uid of the controlling owner. */
  readonly owner: string | undefined;
  readonly affinity: PodAffinities | undefined;
  /** The same for pods that selectors cannot tell apart; see PodGroup. */
  readonly groupKey: string;
}

export interface PodAffinities {
  readonly required: readonly AffinityTerm[];
  readonly requiredAnti: readonly AffinityTerm[];
  readonly preferred: readonly WeightedTerm[];
  /** Weights are negative. */
  readonly preferredAnti: readonly WeightedTerm[];
}

export interface AffinityTerm {
  readonly topologyKey: string;
  readonly selector: Selector;
  readonly namespaces: ReadonlySet<string>;
  readonly namespaceSelector: Selector;
}

export interface WeightedTerm extends AffinityTerm {
  readonly weight: number;
}

export function toPodInfo(pod: Pod): PodInfo {
  const { name = '', namespace = '', uid = '', labels = {}, ownerReferences } = pod.metadata;
  const { requests, nonZero } = podRequests(pod);
  return {
    pod,
    uid,
    key: `${namespace}/${name}`,
    namespace,
    priority: pod.spec?.priority ?? 0,
    labels,
    requests,
    nonZero,
    hostPorts: hostPortsOf(pod),
    owner: ownerReferences?.find((owner) => owner.controller)?.uid,
    affinity: affinitiesOf(pod),
    groupKey: groupKeyOf(pod),
  };
}

function groupKeyOf({ metadata, spec }: Pod): string {
  const { podAffinity, podAntiAffinity } = spec?.affinity ?? {};
  const labels = JSON.stringify(metadata.labels ?? {});
  if (!podAffinity && !podAntiAffinity) return `${metadata.namespace} ${labels}`;
  return `${metadata.namespace} ${labels} ${JSON.stringify([podAffinity, podAntiAffinity])}`;
}

/** Done for good: it holds nothing on its node any more. */
export function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

function affinitiesOf(pod: Pod): PodAffinities | undefined {
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  if (!podAffinity && !podAntiAffinity) return undefined;
  const compile = (term: PodAffinityTerm): AffinityTerm => compileTerm(term, pod);
  return {
    required: (podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(compile),
    requiredAnti: (podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(compile),
    preferred: (podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
      ({ weight, podAffinityTerm }) => ({ ...compile(podAffinityTerm), weight }),
    ),
    preferredAnti: (podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
      ({ weight, podAffinityTerm }) => ({ ...compile(podAffinityTerm), weight: -weight }),
    ),
  };
}

/** `matchLabelKeys` need no care here: the API server has merged them into the selector. */
function compileTerm(term: PodAffinityTerm, pod: Pod): AffinityTerm {
  const { namespaces = [], namespaceSelector, labelSelector, topologyKey } = term;
  const own = namespaces.length === 0 && !namespaceSelector ? [pod.metadata.namespace ?? ''] : namespaces;
  return {
    topologyKey,
    selector: selectorOf(labelSelector),
    namespaces: new Set(own),
    namespaceSelector: namespaceSelector ? selectorOf(namespaceSelector) : NOTHING,
  };
}

/** A selector that validation should have refused selects nothing. */
export function selectorOf(selector: Parameters<typeof selectorFromObject>[0]): Selector {
  try {
    return selectorFromObject(selector);
  } catch {
    return NOTHING;
  }
}
