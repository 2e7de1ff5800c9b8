import type { Labels } from '../../../api/labels.ts';
import type { KubeObject, Resource } from '../../../api/resource.ts';
import { namespaces } from '../../../api/resources.gen.ts';
import { notFound } from '../../../api/status.ts';
import type { WatchCache } from '../../watchcache/port.ts';
import type { AdmissionAttributes } from '../port.ts';
import type { Hook } from './hooks.ts';
import { isNamespaces, matchesRule, type RuleTarget } from './rules.ts';

/** A webhook that wants to be asked, and the version in which it knows the resource. */
export interface Invocation {
  readonly hook: Hook;
  readonly resource: Resource;
}

/** What deciding who is asked needs of the cluster. */
export interface Surroundings {
  readonly namespaces: WatchCache | undefined;
  /** The same objects in all versions served, in the order of discovery. */
  readonly equivalents: (resource: Resource) => readonly Resource[];
}

/** Kinds that decide about admission are exempt: a webhook must not be able to lock itself in. */
const EXEMPT: ReadonlySet<string> = new Set([
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
]);

export function isExempt({ group, resource }: Resource): boolean {
  return group === 'admissionregistration.k8s.io' && EXEMPT.has(resource);
}

/** The namespace of the request as webhooks see it: a Namespace lies in itself. */
export function requestNamespace({ resource, namespace, name }: AdmissionAttributes): string {
  return isNamespaces(resource) ? name : namespace;
}

/** Whether any rule covers the request, selectors aside; cheap, and enough to leave most requests alone. */
export function coveredVersion(
  { webhook }: Hook,
  attributes: AdmissionAttributes,
  { equivalents }: Surroundings,
): Resource | undefined {
  const { operation, requested, subresource } = attributes;
  const target: RuleTarget = {
    operation,
    subresource,
    resource: requested,
    namespace: requestNamespace(attributes),
  };
  const rules = webhook.rules ?? [];
  if (rules.some((rule) => matchesRule(rule, target))) return requested;
  if (webhook.matchPolicy === 'Exact') return undefined;
  const others = equivalents(requested);
  for (const rule of rules) {
    const found = others.find((resource) => matchesRule(rule, { ...target, resource }));
    if (found) return found;
  }
  return undefined;
}

/** Holds the selectors against a request that a rule covers. Throws 404 for a namespace that is not there. */
export function isSelected(
  { namespaceSelector, objectSelector }: Pick<Hook, 'namespaceSelector' | 'objectSelector'>,
  attributes: AdmissionAttributes,
  surroundings: Surroundings,
): boolean {
  const { object, oldObject, shown } = attributes;
  if (!objectSelector.isEverything) {
    const labelsOf = (one: KubeObject | undefined): Labels | undefined =>
      one && (shown ? shown.read(one) : one).metadata?.labels;
    const matches = (one: KubeObject | undefined): boolean =>
      one?.metadata !== undefined && objectSelector.matches(labelsOf(one));
    if (!matches(object) && !matches(oldObject)) return false;
  }
  if (namespaceSelector.isEverything) return true;
  const isNamespace = isNamespaces(attributes.resource);
  if (attributes.namespace === '' && !isNamespace) return true;
  return namespaceSelector.matches(namespaceLabels(attributes, isNamespace, surroundings));
}

function namespaceLabels(
  attributes: AdmissionAttributes,
  isNamespace: boolean,
  { namespaces: cache }: Surroundings,
): Labels | undefined {
  const { operation, subresource, object } = attributes;
  // A Namespace that is being written has labels that the cache does not know yet.
  if (isNamespace && subresource === '' && operation !== 'DELETE') return object?.metadata.labels;
  const name = requestNamespace(attributes);
  const found = cache?.get(undefined, name);
  if (!found) throw notFound(namespaces, name);
  return found.labels;
}
