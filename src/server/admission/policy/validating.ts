import {
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from '../../../api/resources.gen.ts';
import { ApiError } from '../../../api/status.ts';
import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from '../../../api/types.gen.ts';
import { LIMITS } from '../../../lib/limits.ts';
import type { AdmissionAttributes, AdmissionContext, AdmissionPlugin } from '../port.ts';
import { refuse } from '../refuse.ts';
import { PolicyRequest } from './policy-request.ts';
import { type BindingHook, type PolicyHook, PolicySource } from './policy-source.ts';
import { type Denial, ValidatingEvaluator, type Verdict } from './validating-evaluator.ts';

type Hook = PolicyHook<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, ValidatingEvaluator>;

/** Holds requests to the ValidatingAdmissionPolicies that are bound (KEP-3488). */
export function validatingAdmissionPolicy(context: AdmissionContext): AdmissionPlugin {
  const source = new PolicySource(context, {
    policies: validatingAdmissionPolicies,
    bindings: validatingAdmissionPolicyBindings,
    compile: (policy) => new ValidatingEvaluator(policy),
  });
  return {
    name: 'ValidatingAdmissionPolicy',
    handles: (attributes) => source.mayConcern(attributes),
    async validate(attributes) {
      const request = new PolicyRequest(context, attributes, source.surroundings);
      const outcome = new Outcome(attributes);
      for (const hook of source.hooks) await holdTo(hook, request, outcome);
      outcome.settle();
    },
  };
}

async function holdTo(hook: Hook, request: PolicyRequest, outcome: Outcome): Promise<void> {
  const { policy, name } = hook;
  const resource = request.matches(hook.match, (error) => outcome.misconfigured(hook, undefined, error));
  if (!resource) return;
  const endpoint = request.paramEndpoint(policy.spec?.paramKind, (error) =>
    outcome.misconfigured(hook, undefined, error),
  );
  if (endpoint === 'unknown') return;
  const annotations = new Map<string, Set<string>>();
  for (const bound of hook.bindings) {
    const fail = (error: Error): void => outcome.misconfigured(hook, bound, error);
    if (bound.match && !request.matches(bound.match, fail)) continue;
    const params = await request.params(endpoint, bound.binding.spec?.paramRef, fail);
    for (const one of params) {
      const variable = await request.variables(resource, one);
      const verdict = hook.evaluator().evaluate(variable);
      outcome.add(hook, bound, verdict);
      for (const { key, value } of verdict.annotations)
        annotations.set(key, (annotations.get(key) ?? new Set()).add(value));
    }
  }
  for (const [key, values] of annotations) request.annotate(`${name}/${key}`, [...values].join(', '));
}

interface Refusal {
  readonly policy: string;
  readonly binding: string | undefined;
  readonly message: string;
  readonly reason?: string | undefined;
}

/** What all policies together say of one request. */
class Outcome {
  readonly #attributes: AdmissionAttributes;
  readonly #refusals: Refusal[] = [];
  readonly #audited: object[] = [];

  constructor(attributes: AdmissionAttributes) {
    this.#attributes = attributes;
  }

  /** The policy or binding cannot be held against the request at all. */
  misconfigured(hook: Hook, bound: BindingHook<unknown> | undefined, error: Error): void {
    if (hook.policy.spec?.failurePolicy === 'Ignore') return;
    const message = `failed to configure ${bound ? 'binding' : 'policy'}: ${error.message}`;
    this.#refusals.push({ policy: hook.name, binding: bound?.name, message });
  }

  add(hook: Hook, bound: BindingHook<ValidatingAdmissionPolicyBinding>, verdict: Verdict): void {
    for (const denial of verdict.denials)
      for (const action of bound.binding.spec?.validationActions ?? [])
        this.#act(action, hook, bound, denial);
    for (const message of verdict.failures)
      this.#refusals.push({ policy: hook.name, binding: bound.name, message });
  }

  #act(
    action: string,
    { name: policy }: Hook,
    { name: binding, binding: { spec } }: BindingHook<ValidatingAdmissionPolicyBinding>,
    { message, reason, index }: Denial,
  ): void {
    if (action === 'Deny') this.#refusals.push({ policy, binding, message, reason });
    else if (action === 'Warn')
      this.#attributes.warn(
        `Validation failed for ValidatingAdmissionPolicy '${policy}' with binding '${binding}': ${message}`,
      );
    else if (this.#audited.length < LIMITS.cel.auditFailures) {
      const { validationActions } = spec ?? {};
      this.#audited.push({ message, policy, binding, expressionIndex: index, validationActions });
    }
  }

  /** Writes the annotations and throws the first refusal. */
  settle(): void {
    if (this.#audited.length > 0)
      this.#attributes.annotate(
        'validation.policy.admission.k8s.io/validation_failure',
        JSON.stringify(this.#audited),
      );
    const [first] = this.#refusals;
    if (first) throw refusalOf(this.#attributes, first);
  }
}

const CODES: Readonly<Record<string, number>> = {
  Forbidden: 403,
  Unauthorized: 401,
  RequestEntityTooLarge: 413,
};

function refusalOf(
  attributes: AdmissionAttributes,
  { policy, binding, message, reason = 'Invalid' }: Refusal,
): ApiError {
  const by = binding === undefined ? '' : ` with binding '${binding}'`;
  const text = `ValidatingAdmissionPolicy '${policy}'${by} denied request: ${message}`;
  const { status } = refuse(attributes, text);
  return new ApiError({
    ...status,
    reason,
    code: CODES[reason] ?? 422,
    details: { ...status.details, causes: [...(status.details?.causes ?? []), { message: text }] },
  });
}
