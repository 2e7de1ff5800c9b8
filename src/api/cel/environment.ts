import { LIMITS } from '../../lib/limits.ts';
import { type Checked, check } from './checker.ts';
import { type Declaration, declareFunctions, type Functions } from './declaration.ts';
import { formatIssues, type Issue } from './issue.ts';
import { addressDeclarations, CIDR, IP } from './library/addresses.ts';
import { authorizerDeclarations } from './library/authorizer.ts';
import { conversionDeclarations } from './library/conversions.ts';
import { listDeclarations } from './library/lists.ts';
import { formatDeclarations } from './library/named-formats.ts';
import { operatorDeclarations } from './library/operators.ts';
import { quantityDeclarations } from './library/quantities.ts';
import { regexDeclarations } from './library/regexes.ts';
import { semverDeclarations } from './library/semver.ts';
import { standardDeclarations } from './library/standard.ts';
import { stringDeclarations } from './library/strings.ts';
import { urlDeclarations } from './library/urls.ts';
import { BudgetError, Meter } from './meter.ts';
import { parse } from './parser.ts';
import { Planner } from './plan.ts';
import type { Construct, Frame, Step } from './steps.ts';
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  formatType,
  INT,
  isSameType,
  listOf,
  mapOf,
  NULL,
  optionalOf,
  STRING,
  type StructType,
  TIMESTAMP,
  TYPE,
  UINT,
} from './types.ts';
import { CelError, type Value } from './values.ts';

/** What expressions of one kind may use besides the standard. */
export interface EnvironmentOptions {
  /** Types of variables; names may have dots. */
  readonly variables: Readonly<Record<string, CelType>>;
  /** More functions; those of the standard and of Kubernetes' libraries are always there. */
  readonly functions?: readonly Declaration[];
  /** Types that expressions may make with `Name{…}`. */
  readonly struct?: Types;
  /** Makes what `Name{…}` says. */
  readonly construct?: Construct;
}

export type Types = (name: string) => StructType | undefined;

export interface CompileOptions {
  /** Types the result may have, exactly: `dyn` is none of them. Any when absent. */
  readonly result?: readonly CelType[];
}

export type Compiled =
  | { readonly program: Program; readonly checked: Checked; readonly error?: undefined }
  /** Upstream's text, `compilation failed: …` without its head. */
  | { readonly error: string; readonly program?: undefined; readonly checked?: undefined };

/** Values of variables; asked once for each mention, so what is expensive should remember its answer. */
export type Activation = (name: string) => Value | undefined;

export type Outcome =
  | { readonly value: Value; readonly cost: number; readonly error?: undefined }
  | {
      readonly error: string;
      readonly cost: number;
      readonly isOverBudget: boolean;
      readonly value?: undefined;
    };

/** The standard's functions and those of the libraries given, read once. */
let shared: Functions | undefined;

function sharedFunctions(): Functions {
  shared ??= declareFunctions(
    operatorDeclarations(),
    standardDeclarations(),
    conversionDeclarations(),
    stringDeclarations(),
    listDeclarations(),
    regexDeclarations(),
    urlDeclarations(),
    quantityDeclarations(),
    addressDeclarations(),
    formatDeclarations(),
    semverDeclarations(),
    authorizerDeclarations(),
  );
  return shared;
}

const TYPE_NAMES: ReadonlyMap<string, CelType> = new Map([
  ['bool', BOOL],
  ['bytes', BYTES],
  ['double', DOUBLE],
  ['google.protobuf.Duration', DURATION],
  ['google.protobuf.Timestamp', TIMESTAMP],
  ['int', INT],
  ['list', listOf(DYN)],
  ['map', mapOf(DYN, DYN)],
  ['net.CIDR', CIDR],
  ['net.IP', IP],
  ['null_type', NULL],
  ['optional_type', optionalOf(DYN)],
  ['string', STRING],
  ['type', TYPE],
  ['uint', UINT],
]);

const noConstruct: Construct = ({ name }) => {
  throw new CelError(`unknown type: ${name}`);
};

/** Compiles expressions that see the same variables, types and functions. Cheap to make; nothing is copied. */
export class Environment {
  readonly #variables: Readonly<Record<string, CelType>>;
  readonly #functions: Functions;
  readonly #struct: Types;
  readonly #construct: Construct;

  constructor({
    variables,
    functions = [],
    struct = () => undefined,
    construct = noConstruct,
  }: EnvironmentOptions) {
    this.#variables = variables;
    this.#functions =
      functions.length > 0
        ? new Map([...sharedFunctions(), ...declareFunctions(functions)])
        : sharedFunctions();
    this.#struct = struct;
    this.#construct = construct;
  }

  /** Parses, type-checks and plans an expression. Never throws for what the expression says. */
  compile(source: string, { result }: CompileOptions = {}): Compiled {
    const { tree, issues } = parse(source);
    if (!tree) return failed(source, issues);
    const { checked, issues: typeIssues } = check(tree, {
      functions: this.#functions,
      variable: (name) => (Object.hasOwn(this.#variables, name) ? this.#variables[name] : undefined),
      struct: this.#struct,
      typeName: (name) => TYPE_NAMES.get(name),
    });
    if (typeIssues.length > 0) return failed(source, typeIssues);
    if (result && !result.some((one) => isSameType(one, checked.type)))
      return { error: wrongResult(result, checked.type) };
    const planner = new Planner(checked, {
      isVariable: (name) => Object.hasOwn(this.#variables, name),
      struct: this.#struct,
      typeName: (name) => TYPE_NAMES.get(name),
      construct: this.#construct,
    });
    const step = planner.plan(tree);
    return { checked, program: new Program(step, planner.slots, checked.type) };
  }
}

function failed(source: string, issues: readonly Issue[]): Compiled {
  return { error: `compilation failed: ${formatIssues(source, issues)}` };
}

/** In upstream's words, which show types as Go's `String` does. */
function wrongResult(wanted: readonly CelType[], found: CelType): string {
  const shown = (type: CelType): string => (type.kind === 'null' ? 'null_type' : formatType(type));
  const must = wanted.length === 1 ? shown(wanted[0]!) : `one of [${wanted.map(shown).join(' ')}]`;
  return `must evaluate to ${must} but got ${shown(found)}`;
}

/** An expression ready to run. */
export class Program {
  readonly #step: Step;
  readonly #slots: number;
  readonly type: CelType;

  constructor(step: Step, slots: number, type: CelType) {
    this.#step = step;
    this.#slots = slots;
    this.type = type;
  }

  /** Runs it. `costLimit` in upstream's units; one run never costs more than `LIMITS.cel.callCost` anyway. */
  run(variable: Activation, costLimit: number = LIMITS.cel.callCost): Outcome {
    const meter = new Meter(Math.min(costLimit, LIMITS.cel.callCost));
    const frame: Frame = { variable, slots: new Array(this.#slots).fill(null), meter };
    try {
      return { value: this.#step(frame), cost: meter.cost };
    } catch (error) {
      if (error instanceof CelError) return { error: error.message, cost: meter.cost, isOverBudget: false };
      if (error instanceof BudgetError) return { error: error.message, cost: meter.cost, isOverBudget: true };
      throw error;
    }
  }
}
