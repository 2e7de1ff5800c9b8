import type { Selector } from '../../../api/labels.ts';
import { selectorFromObject } from '../../../api/labels.ts';
import type { Resource } from '../../../api/resource.ts';
import type { MatchResources, NamedRuleWithOperations } from '../../../api/types.gen.ts';
import type { AdmissionAttributes } from '../port.ts';
import { isSelected, requestNamespace, type Surroundings } from '../webhook/invocation.ts';
import { matchesRule } from '../webhook/rules.ts';

/** The rules and selectors of a policy or a binding, held against requests (upstream's policy/matching). */
export class ResourceMatch {
  readonly #match: MatchResources;
  readonly #namespaceSelector: Selector;
  readonly #objectSelector: Selector;

  constructor(match: MatchResources) {
    this.#match = match;
    this.#namespaceSelector = selectorFromObject(match.namespaceSelector ?? {});
    this.#objectSelector = selectorFromObject(match.objectSelector ?? {});
  }

  /** The version in which the rules name the resource; `undefined`: they do not cover the request. Cheap. */
  covered(attributes: AdmissionAttributes, surroundings: Surroundings): Resource | undefined {
    const { resourceRules, excludeResourceRules } = this.#match;
    const found = resourceRules?.length
      ? this.#named(resourceRules, attributes, surroundings)
      : attributes.requested;
    if (!found || !excludeResourceRules?.length) return found;
    return this.#named(excludeResourceRules, attributes, surroundings) ? undefined : found;
  }

  /** Whether the selectors take a request that the rules cover. Throws 404 for a namespace that is not there. */
  selects(attributes: AdmissionAttributes, surroundings: Surroundings): boolean {
    const selectors = { namespaceSelector: this.#namespaceSelector, objectSelector: this.#objectSelector };
    return isSelected(selectors, attributes, surroundings);
  }

  #named(
    rules: readonly NamedRuleWithOperations[],
    attributes: AdmissionAttributes,
    { equivalents }: Surroundings,
  ): Resource | undefined {
    const { operation, requested, subresource, name } = attributes;
    const namespace = requestNamespace(attributes);
    const covers = (rule: NamedRuleWithOperations, resource: Resource): boolean =>
      matchesRule(rule, { operation, subresource, resource, namespace }) &&
      (!rule.resourceNames?.length || rule.resourceNames.includes(name));
    if (rules.some((rule) => covers(rule, requested))) return requested;
    if (this.#match.matchPolicy === 'Exact') return undefined;
    const others = equivalents(requested);
    for (const rule of rules) {
      const found = others.find((resource) => covers(rule, resource));
      if (found) return found;
    }
    return undefined;
  }
}
