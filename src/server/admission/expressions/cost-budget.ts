import type { Activation, Program } from '../../../api/cel/environment.ts';
import type { Value } from '../../../api/cel/values.ts';
import { LIMITS } from '../../../lib/limits.ts';

/** All expressions of a policy together cost too much. */
export class OutOfBudget extends Error {
  override readonly name = 'OutOfBudget';
  constructor() {
    super('validation failed due to running out of cost budget, no further validation rules will be run');
  }
}

/** What is left for the expressions of one policy and one request. */
export class CostBudget {
  #left: number;
  constructor(total: number) {
    this.#left = total;
  }

  /** Runs an expression. An error is its own; throws `OutOfBudget` when nothing is left. */
  run(
    program: Program,
    variable: Activation,
  ):
    | { readonly value: Value; readonly error?: undefined }
    | { readonly error: string; readonly value?: undefined } {
    const outcome = program.run(variable, Math.max(0, Math.min(this.#left, LIMITS.cel.callCost)));
    this.#left -= outcome.cost;
    if (this.#left < 0) throw new OutOfBudget();
    return outcome.error === undefined ? { value: outcome.value } : { error: outcome.error };
  }
}
