import { AdmissionEnvironment } from '../../../api/cel/admission/admission-environment.ts';
import type { Activation, Compiled, Program } from '../../../api/cel/environment.ts';
import { BOOL, NULL, STRING } from '../../../api/cel/types.ts';
import type { ValidatingAdmissionPolicy, Validation } from '../../../api/types.gen.ts';
import { LIMITS } from '../../../lib/limits.ts';
import { CostBudget, OutOfBudget } from '../expressions/cost-budget.ts';
import { MatchConditions } from '../expressions/match-conditions.ts';
import { PolicyVariables } from '../expressions/policy-variables.ts';

/** Why a policy refuses. */
export interface Denial {
  readonly message: string;
  /** Upstream's `StatusReason`; `Invalid` when absent. */
  readonly reason?: string;
  /** Which of the policy's validations. */
  readonly index: number;
}

export interface AuditValue {
  readonly key: string;
  readonly value: string;
}

export interface Verdict {
  readonly denials: readonly Denial[];
  readonly annotations: readonly AuditValue[];
  /** Annotations that failed: they refuse the request whatever the binding's actions are. */
  readonly failures: readonly string[];
}

const NOTHING: Verdict = { denials: [], annotations: [], failures: [] };

interface Expression {
  readonly text: string;
  readonly program: Program | undefined;
  readonly error: string;
}

interface Check {
  readonly validation: Validation;
  readonly expression: Expression;
  readonly message: Expression | undefined;
}

/** One ValidatingAdmissionPolicy with its expressions compiled (upstream's policy/validating validator). */
export class ValidatingEvaluator {
  readonly #variables = new PolicyVariables();
  readonly #conditions: MatchConditions | undefined;
  readonly #checks: readonly Check[];
  readonly #annotations: readonly { readonly key: string; readonly expression: Expression }[];
  readonly #failsOpen: boolean;

  constructor({ spec = {} }: ValidatingAdmissionPolicy) {
    const { paramKind, matchConditions, variables, validations, auditAnnotations, failurePolicy } = spec;
    const base = { hasParams: paramKind !== undefined, variables: this.#variables.types };
    const environment = new AdmissionEnvironment({ ...base, hasAuthorizer: true });
    const messages = new AdmissionEnvironment(base);
    for (const variable of variables ?? []) this.#variables.add(variable, environment);
    if (matchConditions?.length)
      this.#conditions = new MatchConditions(matchConditions, { failurePolicy, environment });
    this.#checks = (validations ?? []).map((validation) => ({
      validation,
      expression: expressionOf(validation.expression, environment.compile(validation.expression, [BOOL])),
      message: validation.messageExpression
        ? expressionOf(validation.messageExpression, messages.compile(validation.messageExpression, [STRING]))
        : undefined,
    }));
    this.#annotations = (auditAnnotations ?? []).map(({ key, valueExpression }) => ({
      key,
      expression: expressionOf(valueExpression, environment.compile(valueExpression, [STRING, NULL])),
    }));
    this.#failsOpen = failurePolicy === 'Ignore';
  }

  evaluate(variable: Activation): Verdict {
    const budget = new CostBudget(LIMITS.cel.policyCost);
    let own: ReturnType<PolicyVariables['values']> | undefined;
    const all: Activation = (name) => {
      if (name !== 'variables') return variable(name);
      own ??= this.#variables.values(all, budget);
      return own;
    };
    const match = this.#conditions?.match(all);
    if (match?.error !== undefined) return this.#failed(match.error);
    if (match && !match.matches) return NOTHING;
    try {
      const denials = this.#checks.flatMap((check, index) => this.#check(check, index, { all, budget }));
      return { denials, ...this.#annotate(all) };
    } catch (error) {
      if (error instanceof OutOfBudget) return this.#failed(error.message);
      throw error;
    }
  }

  #failed(message: string): Verdict {
    return this.#failsOpen ? NOTHING : { ...NOTHING, denials: [{ message, index: 0 }] };
  }

  #check(
    { validation, expression, message }: Check,
    index: number,
    { all, budget }: { all: Activation; budget: CostBudget },
  ): Denial[] {
    const outcome = run(expression, all, budget);
    if (outcome.error !== undefined) return this.#failsOpen ? [] : [{ message: outcome.error, index }];
    if (outcome.value === true) return [];
    const { reason } = validation;
    const told = message ? messageOf(message, all, budget) : '';
    const fixed = (validation.message ?? '').trim();
    const text = told || fixed || `failed expression: ${validation.expression.trim()}`;
    return [{ message: text, index, ...(reason === undefined ? {} : { reason }) }];
  }

  #annotate(all: Activation): Pick<Verdict, 'annotations' | 'failures'> {
    const budget = new CostBudget(LIMITS.cel.policyCost);
    const annotations: AuditValue[] = [];
    const failures: string[] = [];
    for (const { key, expression } of this.#annotations) {
      const outcome = run(expression, all, budget);
      if (outcome.error !== undefined) {
        if (!this.#failsOpen) failures.push(outcome.error);
        continue;
      }
      const value = typeof outcome.value === 'string' ? outcome.value.trim() : '';
      if (value !== '') annotations.push({ key, value: value.slice(0, LIMITS.cel.auditValueBytes) });
    }
    return { annotations, failures };
  }
}

function expressionOf(text: string, { program, error = '' }: Compiled): Expression {
  return { text, program, error };
}

function run(
  { text, program, error }: Expression,
  all: Activation,
  budget: CostBudget,
): { readonly value?: unknown; readonly error?: string } {
  if (!program) return { error: `compilation error: ${error}` };
  const outcome = budget.run(program, all);
  if (outcome.error === undefined) return outcome;
  return { error: `expression '${text}' resulted in error: ${outcome.error}` };
}

/** What a messageExpression says; empty where it says nothing that can be shown in one line. */
function messageOf(message: Expression, all: Activation, budget: CostBudget): string {
  const { value } = run(message, all, budget);
  const text = typeof value === 'string' ? value.trim() : '';
  return Buffer.byteLength(text) > LIMITS.cel.messageBytes || text.includes('\n') ? '' : text;
}
