import { equalJson } from '../../../api/json-value.ts';
import type { KubeObject, Resource } from '../../../api/resource.ts';
import { mutatingAdmissionPolicies, mutatingAdmissionPolicyBindings } from '../../../api/resources.gen.ts';
import { ApiError, apiError } from '../../../api/status.ts';
import type { MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding } from '../../../api/types.gen.ts';
import type { ObjectSchema } from '../../registry/served-resource.ts';
import { OutOfBudget } from '../expressions/cost-budget.ts';
import type { AdmissionAttributes, AdmissionContext, AdmissionPlugin } from '../port.ts';
import { refuse } from '../refuse.ts';
import { Rounds } from '../reinvocation.ts';
import { applyChange } from './apply-change.ts';
import { MutatingEvaluator, MutationError } from './mutating-evaluator.ts';
import { PolicyRequest } from './policy-request.ts';
import { type BindingHook, type PolicyHook, PolicySource } from './policy-source.ts';

type Hook = PolicyHook<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, MutatingEvaluator>;
const NAME = 'MutatingAdmissionPolicy';

/** Lets the MutatingAdmissionPolicies that are bound change what is written (KEP-3962). */
export function mutatingAdmissionPolicy(context: AdmissionContext): AdmissionPlugin {
  const source = new PolicySource(context, {
    policies: mutatingAdmissionPolicies,
    bindings: mutatingAdmissionPolicyBindings,
    compile: (policy) => new MutatingEvaluator(policy),
  });
  return {
    name: NAME,
    handles: (attributes) => attributes.operation !== 'DELETE' && source.mayConcern(attributes),
    async mutate(attributes) {
      const { reinvocation, object } = attributes;
      const rounds = reinvocation.stateOf(NAME, () => new Rounds());
      if (reinvocation.isReinvoke && rounds.isOutputChanged(object)) rounds.changed();
      const request = new PolicyRequest(context, attributes, source.surroundings);
      const round = new Round(context, request, rounds);
      // Which policies take the request is decided before any of them changes it.
      for (const invocation of await round.invocations(source.hooks)) await round.run(invocation);
      rounds.leave(object);
      round.settle();
    },
  };
}

interface Invocation {
  readonly hook: Hook;
  readonly bound: BindingHook<MutatingAdmissionPolicyBinding>;
  readonly resource: Resource;
  readonly params: KubeObject | undefined;
}

interface Problem {
  readonly hook: Hook;
  readonly binding: string | undefined;
  readonly message: string;
  readonly isInvalid: boolean;
}

/** All mutating policies on one request, once. */
class Round {
  readonly #context: AdmissionContext;
  readonly #request: PolicyRequest;
  readonly #rounds: Rounds;
  readonly #problems: Problem[] = [];

  constructor(context: AdmissionContext, request: PolicyRequest, rounds: Rounds) {
    this.#context = context;
    this.#request = request;
    this.#rounds = rounds;
  }

  async invocations(hooks: readonly Hook[]): Promise<readonly Invocation[]> {
    const invocations: Invocation[] = [];
    for (const hook of hooks) {
      const failPolicy = (error: Error): void => this.#misconfigured(hook, undefined, error);
      const resource = this.#request.matches(hook.match, failPolicy);
      if (!resource) continue;
      const endpoint = this.#request.paramEndpoint(hook.policy.spec?.paramKind, failPolicy);
      if (endpoint === 'unknown') continue;
      for (const bound of hook.bindings) {
        const fail = (error: Error): void => this.#misconfigured(hook, bound.name, error);
        if (bound.match && !this.#request.matches(bound.match, fail)) continue;
        const all = await this.#request.params(endpoint, bound.binding.spec?.paramRef, fail);
        for (const params of all) invocations.push({ hook, bound, resource, params });
      }
    }
    return invocations;
  }

  async run({ hook, bound, resource, params }: Invocation): Promise<void> {
    const { versions, attributes } = this.#request;
    const evaluator = hook.evaluator();
    const match = evaluator.match(await this.#request.variables(resource, params));
    if (match?.error !== undefined) return this.#failed(hook, bound.name, match.error);
    if (match && !match.matches) return;
    const { reinvocation } = attributes;
    const id = JSON.stringify([hook.name, bound.name, params?.metadata.namespace, params?.metadata.name]);
    if (reinvocation.isReinvoke && !this.#rounds.isAgain(id)) return;
    const { object: before } = await versions.in(resource);
    for (let index = 0; index < evaluator.count; index++) {
      try {
        await this.#mutate({ hook, bound, resource, params }, index);
      } catch (error) {
        if (!(error instanceof MutationError) && !(error instanceof OutOfBudget)) throw error;
        this.#failed(hook, bound.name, error.message);
      }
    }
    const { object: after } = await versions.in(resource);
    if (!equalJson(before, after)) {
      this.#rounds.changed();
      reinvocation.isWanted = true;
    }
    if (hook.policy.spec?.reinvocationPolicy === 'IfNeeded') this.#rounds.asked(id);
  }

  async #mutate({ hook, resource, params }: Invocation, index: number): Promise<void> {
    const { versions } = this.#request;
    const { object } = await versions.in(resource);
    if (!object) return;
    const schema = this.#schemaOf(resource);
    const change = hook.evaluator().change(index, await this.#request.variables(resource, params));
    const changed = applyChange(object, change, schema);
    if (changed) await versions.replace(resource, changed);
  }

  #schemaOf(resource: Resource): ObjectSchema {
    const { registry, schemas } = this.#context;
    const kind = this.#request.versions.kindIn(resource);
    const isOwn = kind.kind === resource.kind && kind.group === resource.group;
    const schema = isOwn ? registry.find(resource)?.schema : schemas(kind);
    if (schema) return schema;
    const shown = `${kind.group}/${kind.version}, Kind=${kind.kind}`;
    const text = `Resource kind ${shown} not found. There can be a delay between when CustomResourceDefinitions are created and when they are available.`;
    throw apiError('ServiceUnavailable', text);
  }

  #misconfigured(hook: Hook, binding: string | undefined, error: Error): void {
    const message = `failed to configure ${binding === undefined ? 'policy' : 'binding'}: ${error.message}`;
    this.#problems.push({ hook, binding, message, isInvalid: false });
  }
  #failed(hook: Hook, binding: string, message: string): void {
    this.#problems.push({ hook, binding, message, isInvalid: true });
  }

  /** Throws when a policy failed that must not. */
  settle(): void {
    const fatal = this.#problems.filter(({ hook }) => hook.policy.spec?.failurePolicy !== 'Ignore');
    if (fatal.length > 0) throw refusalOf(this.#request.attributes, fatal);
  }
}

function refusalOf(attributes: AdmissionAttributes, problems: readonly Problem[]): ApiError {
  const texts = problems.map(({ hook, binding, message }) =>
    binding === undefined
      ? `policy ${JSON.stringify(hook.name)} denied request: ${message}`
      : `policy '${hook.name}' with binding '${binding}' denied request: ${message}`,
  );
  const { status } = refuse(attributes, 'admission request denied by policy');
  return new ApiError({
    ...status,
    message: texts[0] ?? '',
    ...(problems[0]?.isInvalid ? { reason: 'Invalid' } : {}),
    details: { ...status.details, causes: texts.map((message) => ({ message })) },
  });
}
