import type { FieldError } from '../../api/status.ts';
import type { StructuralSchema } from '../../api/structural/structural.ts';

/** The rules of a schema (`x-kubernetes-validations`), ready to run. */
export interface CompiledRules {
  /** What the rules say of an object, and of its change where there is an old one. */
  validate(object: unknown, old: unknown): readonly FieldError[];
}

export function compileRules(_schema: StructuralSchema): CompiledRules {
  return { validate: () => [] };
}
