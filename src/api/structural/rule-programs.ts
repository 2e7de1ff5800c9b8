import type { Checked } from '../cel/checker.ts';
import { Environment, type Program } from '../cel/environment.ts';
import { schemaType, type TypedSchema } from '../cel/schema-type.ts';
import { BOOL, type CelType, optionalOf, STRING } from '../cel/types.ts';
import type { ValidationRule } from '../types.gen.ts';
import { celView } from './cel-view.ts';
import { resolveFieldPath } from './field-path.ts';
import type { StructuralSchema } from './structural.ts';

/** One rule of `x-kubernetes-validations`, ready to run. */
export interface RuleProgram {
  readonly rule: ValidationRule;
  /** `undefined` where it does not compile. */
  readonly program: Program | undefined;
  readonly error?: string;
  /** It judges a change, not a state. */
  readonly usesOldSelf: boolean;
  readonly message?: Program | undefined;
  readonly messageError?: string;
  /** Where a violation is shown, below the value the rule is about; empty for the value itself. */
  readonly fieldPath: string;
}

/** With the types of its expressions, for estimates of what they cost. */
export interface CheckedRule extends RuleProgram {
  readonly checked?: Checked;
  readonly messageChecked?: Checked;
}

/** The rules of one place and the type of what they are about. */
export interface RulePrograms {
  readonly self: TypedSchema;
  readonly programs: readonly RuleProgram[];
}

/** The rules of a whole schema, each place's compiled when a value is there for the first time. */
export class RuleSet {
  readonly #compiled = new Map<StructuralSchema, RulePrograms | undefined>();

  /** Those that `rules` has, about values of `schema`: most often the same. */
  find(rules: StructuralSchema, schema: StructuralSchema): RulePrograms | undefined {
    if (!this.#compiled.has(rules)) this.#compiled.set(rules, lean(compileRules(rules.rules, schema)));
    return this.#compiled.get(rules);
  }
}

/** Without the trees, which programs do not need. */
function lean(compiled: CheckedRules | undefined): RulePrograms | undefined {
  if (!compiled) return undefined;
  const programs = compiled.programs.map(({ checked: _, messageChecked: __, ...program }) => program);
  return { self: compiled.self, programs };
}

interface CheckedRules extends RulePrograms {
  readonly programs: readonly CheckedRule[];
}

/** The name of the type of `self` in errors of the type checker. */
const SELF_TYPE = 'selfType';

/** Compiles rules about values of `schema`; `undefined` where the schema says too little for expressions. */
export function compileRules(
  rules: readonly ValidationRule[],
  schema: StructuralSchema,
): CheckedRules | undefined {
  const self = schemaType(celView(schema), SELF_TYPE);
  if (!self) return undefined;
  const environments = new Map<boolean, Environment>();
  const environmentFor = (isOptional: boolean): Environment => {
    const known = environments.get(isOptional);
    if (known) return known;
    const oldSelf: CelType = isOptional ? optionalOf(self.type) : self.type;
    const made = new Environment({ variables: { self: self.type, oldSelf } });
    environments.set(isOptional, made);
    return made;
  };
  const programs = rules.map((rule) =>
    compileRule(rule, environmentFor(rule.optionalOldSelf === true), schema),
  );
  return { self, programs };
}

function compileRule(rule: ValidationRule, environment: Environment, schema: StructuralSchema): CheckedRule {
  const nothing = { rule, program: undefined, usesOldSelf: false, fieldPath: '' };
  if (rule.rule.trim() === '') return nothing;
  const compiled = environment.compile(rule.rule);
  if (compiled.program === undefined) return { ...nothing, error: compiled.error };
  if (compiled.program.type.kind !== BOOL.kind)
    return { ...nothing, error: 'cel expression must evaluate to a bool' };
  const usesOldSelf = [...compiled.checked.names.values()].includes('oldSelf');
  return {
    rule,
    program: compiled.program,
    checked: compiled.checked,
    usesOldSelf,
    fieldPath: fieldPathOf(rule, schema),
    ...compileMessage(rule, environment),
  };
}

function compileMessage(
  { messageExpression = '' }: ValidationRule,
  environment: Environment,
): Pick<CheckedRule, 'message' | 'messageChecked' | 'messageError'> {
  if (messageExpression === '') return {};
  const compiled = environment.compile(messageExpression);
  if (compiled.program === undefined) return { messageError: `messageExpression ${compiled.error}` };
  if (compiled.program.type.kind !== STRING.kind)
    return { messageError: 'messageExpression must evaluate to a string' };
  return { message: compiled.program, messageChecked: compiled.checked };
}

function fieldPathOf({ fieldPath = '' }: ValidationRule, schema: StructuralSchema): string {
  if (fieldPath === '') return '';
  const found = resolveFieldPath(fieldPath, schema, { arrays: true });
  return 'problem' in found ? '' : found.path;
}
