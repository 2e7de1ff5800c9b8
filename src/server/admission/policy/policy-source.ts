import type { KubeObject, Resource } from '../../../api/resource.ts';
import { namespaces } from '../../../api/resources.gen.ts';
import type { MatchResources, ParamKind, ParamRef } from '../../../api/types.gen.ts';
import { EMPTY_CACHE } from '../../registry/empty-cache.ts';
import type { CachedObject, WatchCache } from '../../watchcache/port.ts';
import type { AdmissionAttributes, AdmissionContext } from '../port.ts';
import type { Surroundings } from '../webhook/invocation.ts';
import { ResourceMatch } from './resource-match.ts';

export interface Policy extends KubeObject {
  readonly spec?: {
    readonly failurePolicy?: string;
    readonly matchConstraints?: MatchResources;
    readonly paramKind?: ParamKind;
  };
}

export interface Binding extends KubeObject {
  readonly spec?: {
    readonly policyName?: string;
    readonly paramRef?: ParamRef;
    readonly matchResources?: MatchResources;
  };
}

export interface BindingHook<B> {
  readonly binding: B;
  readonly name: string;
  /** Absent: everything that the policy takes. */
  readonly match: ResourceMatch | undefined;
}

/** One policy that is bound, ready to be held against requests. */
export interface PolicyHook<P, B, E> {
  readonly policy: P;
  readonly name: string;
  readonly match: ResourceMatch;
  readonly bindings: readonly BindingHook<B>[];
  /** The policy's expressions; compiled when a request matches for the first time. */
  readonly evaluator: () => E;
}

/**
 * Reviews are never intercepted: a policy could break the cluster (upstream's admission/exclusion). Nor are
 * policies and their bindings, so that a bad one can always be removed.
 */
const EXEMPT: ReadonlySet<string> = new Set([
  'authentication.k8s.io/selfsubjectreviews',
  'authentication.k8s.io/tokenreviews',
  'authorization.k8s.io/localsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
  'authorization.k8s.io/subjectaccessreviews',
  'admissionregistration.k8s.io/validatingadmissionpolicies',
  'admissionregistration.k8s.io/validatingadmissionpolicybindings',
  'admissionregistration.k8s.io/mutatingadmissionpolicies',
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings',
]);

/** All policies of one kind that are bound, as the watch caches have them. Compiled once for each change of a policy. */
export class PolicySource<P extends Policy, B extends Binding, E> {
  readonly surroundings: Surroundings;
  readonly #context: AdmissionContext;
  readonly #policies: WatchCache;
  readonly #bindings: WatchCache;
  readonly #compile: (policy: P) => E;
  #known: readonly CachedObject[] = [];
  #hooks: readonly PolicyHook<P, B, E>[] = [];
  /** By the cache's record, which changes with the policy. */
  readonly #evaluators = new WeakMap<CachedObject, E>();

  constructor(
    context: AdmissionContext,
    options: { policies: Resource<P>; bindings: Resource<B>; compile: (policy: P) => E },
  ) {
    const { cacheOf, registry } = context;
    this.#context = context;
    this.#policies = cacheOf(options.policies) ?? EMPTY_CACHE;
    this.#bindings = cacheOf(options.bindings) ?? EMPTY_CACHE;
    this.#compile = options.compile;
    this.surroundings = {
      namespaces: cacheOf(namespaces),
      equivalents: (resource) => registry.equivalents(resource),
    };
  }

  /** Whether any policy covers the request. Where nothing is bound this costs a comparison. */
  mayConcern(attributes: AdmissionAttributes): boolean {
    if (this.#bindings.size === 0 || this.#policies.size === 0 || !this.#context.isStarted()) return false;
    const { group, resource } = attributes.resource;
    if (EXEMPT.has(`${group}/${resource}`)) return false;
    return this.hooks.some(({ match }) => match.covered(attributes, this.surroundings) !== undefined);
  }

  /** In order of name, as are the bindings of each. */
  get hooks(): readonly PolicyHook<P, B, E>[] {
    const now = [...this.#policies.list({}), ...this.#bindings.list({})];
    if (now.length !== this.#known.length || now.some((one, index) => one !== this.#known[index])) {
      this.#known = now;
      this.#hooks = this.#build();
    }
    return this.#hooks;
  }

  #build(): PolicyHook<P, B, E>[] {
    const bindings = new Map<string, BindingHook<B>[]>();
    for (const cached of this.#bindings.list({})) {
      const binding = cached.object() as B;
      const policy = binding.spec?.policyName ?? '';
      const match = binding.spec?.matchResources && new ResourceMatch(binding.spec.matchResources);
      bindings.set(policy, [...(bindings.get(policy) ?? []), { binding, name: cached.name, match }]);
    }
    return this.#policies.list({}).flatMap((cached) => {
      const bound = bindings.get(cached.name);
      if (!bound) return [];
      const policy = cached.object() as P;
      const match = new ResourceMatch(policy.spec?.matchConstraints ?? {});
      return [
        {
          policy,
          name: cached.name,
          match,
          bindings: bound,
          evaluator: () => this.#evaluator(cached, policy),
        },
      ];
    });
  }

  #evaluator(cached: CachedObject, policy: P): E {
    const known = this.#evaluators.get(cached);
    if (known !== undefined) return known;
    const compiled = this.#compile(policy);
    this.#evaluators.set(cached, compiled);
    return compiled;
  }
}
