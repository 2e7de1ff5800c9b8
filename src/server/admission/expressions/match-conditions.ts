import { AdmissionEnvironment } from '../../../api/cel/admission/admission-environment.ts';
import type { Activation, Program } from '../../../api/cel/environment.ts';
import { BOOL } from '../../../api/cel/types.ts';
import { duplicate, invalidValue, required, tooMany } from '../../../api/field-errors.ts';
import { labelKeyProblems } from '../../../api/names.ts';
import type { FieldError } from '../../../api/status.ts';
import type { MatchCondition } from '../../../api/types.gen.ts';
import { LIMITS } from '../../../lib/limits.ts';
import { joinReasons } from '../refuse.ts';
import { CostBudget, OutOfBudget } from './cost-budget.ts';

/** As upstream: conditions of one webhook or policy. */
const MAX_CONDITIONS = 64;

const withParams = new Map<boolean, AdmissionEnvironment>();

/** Conditions see no `variables`. */
function environmentFor(hasParams: boolean): AdmissionEnvironment {
  const known = withParams.get(hasParams);
  if (known) return known;
  const made = new AdmissionEnvironment({ hasParams, hasAuthorizer: true });
  withParams.set(hasParams, made);
  return made;
}

/** What is wrong with `matchConditions` of webhooks and policies, in upstream's words. */
export function validateMatchConditions(
  conditions: readonly MatchCondition[] | undefined,
  path: string,
  { hasParams = false }: { readonly hasParams?: boolean } = {},
): FieldError[] {
  const all = conditions ?? [];
  const errors: FieldError[] = all.length > MAX_CONDITIONS ? [tooMany(path, all.length, MAX_CONDITIONS)] : [];
  const names = new Set<string>();
  for (const [index, { name, expression }] of all.entries()) {
    const at = `${path}[${index}]`;
    const trimmed = (expression ?? '').trim();
    if (trimmed === '') errors.push(required(`${at}.expression`));
    else {
      const { error } = environmentFor(hasParams).compile(trimmed, [BOOL]);
      if (error !== undefined) errors.push(invalidValue(`${at}.expression`, trimmed, error));
    }
    if (!name) {
      errors.push(required(`${at}.name`));
      continue;
    }
    for (const problem of labelKeyProblems(name)) errors.push(invalidValue(`${at}.name`, name, problem));
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
  }
  return errors;
}

/** Whether the conditions let a request through. */
export interface MatchOutcome {
  readonly matches: boolean;
  /** Why it cannot be said; the request is refused then. */
  readonly error?: string;
}

interface Compiled {
  readonly expression: string;
  readonly program: Program | undefined;
  readonly error: string;
}

/** The conditions of one webhook or policy. Compiled when they are first needed. */
export class MatchConditions {
  readonly #conditions: readonly MatchCondition[];
  readonly #environment: AdmissionEnvironment;
  readonly #failsOpen: boolean;
  #compiled: readonly Compiled[] | undefined;

  constructor(
    conditions: readonly MatchCondition[],
    options: {
      readonly failurePolicy: string | undefined;
      /** Policies let their conditions see their variables. */
      readonly environment?: AdmissionEnvironment;
    },
  ) {
    this.#conditions = conditions;
    this.#environment = options.environment ?? environmentFor(false);
    this.#failsOpen = options.failurePolicy === 'Ignore';
  }

  /**
   * All conditions have to hold. One that is false decides, whatever error another one has; an error alone is one,
   * or with the failure policy `Ignore` no match.
   */
  match(variable: Activation): MatchOutcome {
    const budget = new CostBudget(LIMITS.cel.matchConditionsCost);
    const errors: string[] = [];
    try {
      for (const condition of this.#all()) {
        const outcome = runCondition(condition, variable, budget);
        if (outcome.value === false) return { matches: false };
        if (outcome.error !== undefined) errors.push(outcome.error);
      }
    } catch (error) {
      if (!(error instanceof OutOfBudget)) throw error;
      return this.#failsOpen ? { matches: false } : { matches: false, error: error.message };
    }
    if (errors.length === 0) return { matches: true };
    if (this.#failsOpen) return { matches: false };
    return { matches: false, error: joinReasons(errors) };
  }

  #all(): readonly Compiled[] {
    this.#compiled ??= this.#conditions.map(({ expression }) => {
      const { program, error = '' } = this.#environment.compile(expression, [BOOL]);
      return { expression, program, error };
    });
    return this.#compiled;
  }
}

function runCondition(
  { expression, program, error }: Compiled,
  variable: Activation,
  budget: CostBudget,
): { readonly value?: unknown; readonly error?: string } {
  if (!program) return { error: `compilation error: ${error}` };
  const outcome = budget.run(program, variable);
  if (outcome.error === undefined) return outcome;
  return { error: `expression '${expression}' resulted in error: ${outcome.error}` };
}
