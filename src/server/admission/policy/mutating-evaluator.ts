import { AdmissionEnvironment } from '../../../api/cel/admission/admission-environment.ts';
import { JSON_PATCH, OBJECT, objectToJson, patchOperations } from '../../../api/cel/admission/patch-types.ts';
import type { Activation, Program } from '../../../api/cel/environment.ts';
import { listOf } from '../../../api/cel/types.ts';
import { CelError, type Value } from '../../../api/cel/values.ts';
import type { MutatingAdmissionPolicy, Mutation } from '../../../api/types.gen.ts';
import { LIMITS } from '../../../lib/limits.ts';
import { CostBudget } from '../expressions/cost-budget.ts';
import { MatchConditions, type MatchOutcome } from '../expressions/match-conditions.ts';
import { PolicyVariables } from '../expressions/policy-variables.ts';

/** The mutation cannot be made: `failurePolicy` decides what follows. */
export class MutationError extends Error {
  override readonly name = 'MutationError';
}

/** What a mutation does to the object. */
export type Change =
  | { readonly type: 'apply'; readonly configuration: unknown }
  | { readonly type: 'patch'; readonly operations: readonly object[] };

interface Compiled {
  readonly expression: string;
  readonly program: Program | undefined;
  readonly error: string;
  readonly read: (value: Value) => Change;
}

/** One MutatingAdmissionPolicy with its expressions compiled (upstream's policy/mutating). */
export class MutatingEvaluator {
  readonly #variables = new PolicyVariables();
  readonly #conditions: MatchConditions | undefined;
  readonly #mutations: readonly Compiled[];

  constructor({ spec = {} }: MutatingAdmissionPolicy) {
    const { paramKind, matchConditions, variables, mutations, failurePolicy } = spec;
    const base = {
      hasParams: paramKind !== undefined,
      hasAuthorizer: true,
      variables: this.#variables.types,
    };
    const environment = new AdmissionEnvironment(base);
    for (const variable of variables ?? []) this.#variables.add(variable, environment);
    if (matchConditions?.length)
      this.#conditions = new MatchConditions(matchConditions, { failurePolicy, environment });
    const patches = new AdmissionEnvironment({ ...base, hasPatchTypes: true });
    this.#mutations = (mutations ?? []).map((mutation) => compileMutation(mutation, patches));
  }

  get count(): number {
    return this.#mutations.length;
  }

  /** `undefined`: the policy has no conditions. */
  match(variable: Activation): MatchOutcome | undefined {
    return this.#conditions?.match(this.#withVariables(variable, new CostBudget(LIMITS.cel.policyCost)));
  }

  /** What one of the mutations does. Throws `MutationError`, and `OutOfBudget`. */
  change(index: number, variable: Activation): Change {
    const { expression, program, error, read } = this.#mutations[index]!;
    if (!program) throw new MutationError(error);
    const budget = new CostBudget(LIMITS.cel.policyCost);
    const outcome = budget.run(program, this.#withVariables(variable, budget));
    if (outcome.error !== undefined)
      throw new MutationError(`expression '${expression}' resulted in error: ${outcome.error}`);
    try {
      return read(outcome.value);
    } catch (problem) {
      if (problem instanceof CelError) throw new MutationError(`type mismatch: ${problem.message}`);
      throw problem;
    }
  }

  #withVariables(variable: Activation, budget: CostBudget): Activation {
    let own: Value | undefined;
    const all: Activation = (name) => {
      if (name !== 'variables') return variable(name);
      own ??= this.#variables.values(all, budget);
      return own;
    };
    return all;
  }
}

function compileMutation(
  { patchType, applyConfiguration, jsonPatch }: Mutation,
  environment: AdmissionEnvironment,
): Compiled {
  const isPatch = patchType === 'JSONPatch';
  const { expression = '' } = (isPatch ? jsonPatch : applyConfiguration) ?? {};
  const { program, error = '' } = environment.compile(expression, [isPatch ? listOf(JSON_PATCH) : OBJECT]);
  return {
    expression,
    program,
    error,
    read: (value) =>
      isPatch
        ? { type: 'patch', operations: patchOperations(value) }
        : { type: 'apply', configuration: objectToJson(value) },
  };
}
