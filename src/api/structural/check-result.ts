import type { FieldError } from '../status.ts';

/**
 * What one schema says of one value. `matches` counts what was looked at: of several alternatives that all fail, the
 * one with the most is the one whose errors a person wants to read.
 */
export class CheckResult {
  readonly #errors = new Map<string, FieldError>();
  matches = 0;

  get errors(): readonly FieldError[] {
    return [...this.#errors.values()];
  }
  get isValid(): boolean {
    return this.#errors.size === 0;
  }
  /** The same complaint is made once. `identity` is upstream's text, which may differ from what is shown. */
  add(error: FieldError, identity = `${error.field} ${error.message}`): void {
    if (this.#errors.size < MAX_ERRORS && !this.#errors.has(identity)) this.#errors.set(identity, error);
  }
  merge(other: CheckResult): void {
    for (const [identity, error] of other.#errors) this.add(error, identity);
    this.matches += other.matches;
  }
  /** The errors do not count, the matches do. */
  forgive(): void {
    this.#errors.clear();
  }
}

/** More than a person reads; keeps a hostile object from filling memory with complaints. */
const MAX_ERRORS = 100;
