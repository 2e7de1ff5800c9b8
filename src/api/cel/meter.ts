import { LIMITS } from '../../lib/limits.ts';

/** An expression cost more than it may. No `CelError`: nothing in the expression can swallow it. */
export class BudgetError extends Error {
  override readonly name = 'BudgetError';
  constructor() {
    super('operation cancelled: actual cost limit exceeded');
  }
}

/** Counts what one run of an expression costs, and ends it when that is too much. */
export class Meter {
  readonly #limit: number;
  #cost = 0;
  #steps = 0;

  /** `limit` in upstream's units of cost. */
  constructor(limit: number) {
    this.#limit = limit;
  }
  /** So far, in upstream's units, which other servers would count, too. */
  get cost(): number {
    return this.#cost;
  }
  spend(cost: number): void {
    // Nothing gives back: the cost of `lists.range(-5)` would.
    this.#cost += Math.max(0, cost);
    if (this.#cost > this.#limit) throw new BudgetError();
  }
  /** Steps, characters or items about to be handled that upstream's cost does not count. */
  work(steps: number): void {
    this.#steps += Math.max(0, steps);
    if (this.#steps > LIMITS.cel.steps) throw new BudgetError();
  }
}
