import { type AdmissionEnvironment, VARIABLES } from '../../../api/cel/admission/admission-environment.ts';
import type { Activation, Program } from '../../../api/cel/environment.ts';
import { type CelType, DYN } from '../../../api/cel/types.ts';
import { CelError, type StructValue, type Value } from '../../../api/cel/values.ts';
import type { Variable } from '../../../api/types.gen.ts';
import type { CostBudget } from './cost-budget.ts';

interface Compiled {
  readonly program?: Program;
  readonly error?: string;
}

/** The variables of one policy. Each may use those above it. */
export class PolicyVariables {
  /** Known so far; an environment made with it sees what comes later, too. */
  readonly types = new Map<string, CelType>();
  readonly #compiled = new Map<string, Compiled>();

  /** Compiles the next variable; says what is wrong with it. */
  add({ name, expression }: Variable, environment: AdmissionEnvironment): string | undefined {
    const { program, error } = environment.compile(expression);
    // What does not compile is unknown to the type checker, so that it is complained of once.
    this.types.set(name, program?.type ?? DYN);
    this.#compiled.set(name, program ? { program } : { error: error ?? '' });
    return error;
  }

  /** The variable `variables` of one run. Each is computed when it is first used, and kept; its cost counts once. */
  values(variable: Activation, budget: CostBudget): Value {
    const known = new Map<string, Value | CelError>();
    const all = this.#compiled;
    const own: StructValue = {
      isStruct: true,
      type: { kind: 'struct', name: VARIABLES, field: (name) => this.types.get(name) },
      get(name) {
        const compiled = all.get(name);
        if (!compiled) return undefined;
        const value = known.get(name) ?? compute(name, compiled, { variable, budget });
        known.set(name, value);
        if (value instanceof CelError) throw value;
        return value;
      },
      fields: () => [...all.keys()],
    };
    return own;
  }
}

function compute(
  name: string,
  { program, error }: Compiled,
  { variable, budget }: { variable: Activation; budget: CostBudget },
): Value | CelError {
  const shown = JSON.stringify(name);
  if (!program) return new CelError(`composited variable ${shown} fails to compile: ${error}`);
  const outcome = budget.run(program, variable);
  if (outcome.error === undefined) return outcome.value;
  return new CelError(`composited variable ${shown} fails to evaluate: ${outcome.error}`);
}
