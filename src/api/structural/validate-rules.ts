/**
 * What the rules of a schema (`x-kubernetes-validations`) say of an object, and of its change
 * (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel).
 */
import type { Activation } from '../cel/environment.ts';
import { OptionalValue, type Value } from '../cel/values.ts';
import { duplicate, forbiddenField, invalidHere, invalidValue, required } from '../field-errors.ts';
import { isObject } from '../json-value.ts';
import type { FieldError } from '../status.ts';
import type { ValidationRule } from '../types.gen.ts';
import { type Correlated, oldItemsOf } from './correlated.ts';
import type { RuleProgram, RulePrograms, RuleSet } from './rule-programs.ts';
import { HAS, type StructuralSchema } from './structural.ts';

export interface RuleFindings {
  readonly errors: readonly FieldError[];
  /** What is wrong, but was before: an update may leave it so. */
  readonly ratcheted: readonly FieldError[];
}

export interface RuleInput {
  readonly value: unknown;
  readonly schema: StructuralSchema;
  readonly programs: RuleSet;
  /** What all rules together may cost, in upstream's units. */
  readonly budget: number;
  readonly old?: unknown;
  /** For updates: errors in what did not change are ratcheted. */
  readonly correlated?: Correlated | undefined;
  readonly path?: string;
}

export function validateRules(input: RuleInput): RuleFindings {
  const { value, schema, old, correlated, path = '' } = input;
  const walk = new RuleWalk(input.programs, input.budget);
  walk.visit(schema, { schema, value, old, path, ratchet: { current: correlated, parent: undefined } });
  return walk;
}

/** Beside the value the one it replaces, or the nearest around it of which there is an old one. */
interface Ratchet {
  readonly current: Correlated | undefined;
  readonly parent: Correlated | undefined;
}

interface Place {
  readonly schema: StructuralSchema;
  readonly value: unknown;
  readonly old: unknown;
  readonly path: string;
  readonly ratchet: Ratchet;
}

const isUnchanged = ({ current, parent }: Ratchet): boolean => (current ?? parent)?.isUnchanged === true;

/** Nothing more is asked once the budget is spent. */
class SpentError extends Error {
  override readonly name = 'SpentError';
}

class RuleWalk implements RuleFindings {
  readonly errors: FieldError[] = [];
  readonly ratcheted: FieldError[] = [];
  readonly #programs: RuleSet;
  #budget: number;

  constructor(programs: RuleSet, budget: number) {
    this.#programs = programs;
    this.#budget = budget;
  }

  visit(rules: StructuralSchema, root: Place): void {
    try {
      this.#visit(rules, root);
    } catch (error) {
      if (!(error instanceof SpentError)) throw error;
    }
  }

  #visit(rules: StructuralSchema, place: Place): void {
    const { value, ratchet } = place;
    if ((rules.has & HAS.rules) === 0 || value === null || value === undefined) return;
    if (rules.rules.length > 0) this.#evaluate(rules, place);
    for (const one of rules.checks?.allOf ?? [])
      this.#visit(one, { ...place, ratchet: { current: undefined, parent: ratchet.parent } });
    if (Array.isArray(value)) this.#visitItems(rules, value, place);
    else if (isObject(value)) this.#visitMembers(rules, value, place);
  }

  #visitItems({ items }: StructuralSchema, value: readonly unknown[], place: Place): void {
    const schema = place.schema.items;
    if (!items || !schema || (items.has & HAS.rules) === 0) return;
    const oldItem = oldItemsOf(place.old, place.schema);
    value.forEach((item, index) => {
      const ratchet = stepRatchet(place.ratchet, (from) => from.index(index));
      this.#visit(items, {
        schema,
        value: item,
        old: oldItem(item),
        path: `${place.path}[${index}]`,
        ratchet,
      });
    });
  }

  #visitMembers(rules: StructuralSchema, value: Readonly<Record<string, unknown>>, place: Place): void {
    for (const name of Object.keys(value)) {
      const [inner, schema] = [rules.property(name), place.schema.property(name)];
      if (!inner || !schema || (inner.has & HAS.rules) === 0) continue;
      const isNamed = place.schema.properties.has(name);
      const path = isNamed ? `${place.path === '' ? '' : `${place.path}.`}${name}` : `${place.path}[${name}]`;
      this.#visit(inner, {
        schema,
        value: value[name],
        old: isObject(place.old) && Object.hasOwn(place.old, name) ? place.old[name] : undefined,
        path,
        ratchet: memberRatchet(place.ratchet, name),
      });
    }
  }

  #evaluate(rules: StructuralSchema, place: Place): void {
    const { path, schema, value } = place;
    const compiled = this.#programs.find(rules, schema);
    if (!compiled) return;
    if (this.#budget <= 0) this.#spend(place);
    const old = place.old ?? undefined;
    const variables = variablesOf(compiled, value, old);
    for (const one of compiled.programs) {
      const { rule, program } = one;
      if (one.error !== undefined)
        this.errors.push(invalidValue(path, typeOf(schema), `rule compile error: ${one.error}`));
      if (!program || (one.usesOldSelf && old === undefined && !rule.optionalOldSelf)) continue;
      const activation = variables(rule.optionalOldSelf === true);
      const outcome = program.run(activation);
      if (outcome.cost > this.#budget) this.#spend(place);
      this.#budget -= outcome.cost;
      if (outcome.error !== undefined) this.#failed(one, place, outcome);
      else if (outcome.value !== true) this.#violated(one, place, activation);
    }
  }

  #failed(
    { rule }: RuleProgram,
    { path, schema }: Place,
    { error, isOverBudget }: { readonly error: string; readonly isOverBudget: boolean },
  ): void {
    const add = (detail: string): void => void this.errors.push(invalidValue(path, typeOf(schema), detail));
    const shown = shownRule(rule);
    if (isOverBudget) {
      add(
        `'${error}': no further validation rules will be run due to call cost exceeds limit for rule: ${shown}`,
      );
      throw new SpentError();
    }
    if (error.startsWith('no such overload'))
      add(
        `'${error}': call arguments did not match a supported operator, function or macro signature for rule: ${shown}`,
      );
    else add(`${error} evaluating rule: ${shown}`);
  }

  #violated(one: RuleProgram, place: Place, activation: Activation): void {
    const { rule, fieldPath, usesOldSelf } = one;
    const { schema, ratchet, value } = place;
    const path = [place.path, fieldPath].filter((part) => part !== '').join('.');
    const add = (error: FieldError): void => {
      if (!usesOldSelf && isUnchanged(ratchet)) this.ratcheted.push(error);
      else this.errors.push(error);
    };
    const { text, fatal } = this.#message(one, activation);
    if (fatal !== undefined) {
      add(invalidValue(path, typeOf(schema), fatal));
      throw new SpentError();
    }
    const isWhole = schema.type === 'object' || schema.type === 'array';
    add(errorFor(rule, { path, detail: text ?? defaultMessage(rule), ...(isWhole ? {} : { value }) }));
  }

  /** What `messageExpression` makes; nothing where it fails. */
  #message(
    { rule, message }: RuleProgram,
    activation: Activation,
  ): { readonly text?: string; readonly fatal?: string } {
    if (!message) return {};
    const outcome = message.run(activation);
    if (outcome.cost > this.#budget) {
      const fatal =
        'messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run';
      return { fatal };
    }
    if (outcome.error !== undefined && outcome.isOverBudget) {
      const expression = JSON.stringify(rule.messageExpression);
      const why =
        'no further validation rules will be run due to call cost exceeds limit for messageExpression';
      return { fatal: `${why}: ${expression}` };
    }
    this.#budget -= outcome.cost;
    const text = typeof outcome.value === 'string' ? outcome.value.trim() : '';
    return text === '' || text.includes('\n') || Buffer.byteLength(text) > MAX_MESSAGE_BYTES ? {} : { text };
  }

  #spend({ path, schema }: Place): never {
    const why =
      'validation failed due to running out of cost budget, no further validation rules will be run';
    this.errors.push(invalidValue(path, typeOf(schema), why));
    throw new SpentError();
  }
}

/** Upstream's MaxEvaluatedMessageExpressionSizeBytes. */
const MAX_MESSAGE_BYTES = 5 * 1024;

const typeOf = ({ type }: StructuralSchema): string => type ?? '';
const shownRule = ({ message = '', rule }: ValidationRule): string =>
  message.length > 0 ? message.trim() : rule.trim();
const defaultMessage = (rule: ValidationRule): string =>
  (rule.message ?? '') === '' ? `failed rule: ${shownRule(rule)}` : shownRule(rule);

function errorFor(
  { reason }: ValidationRule,
  found: { readonly path: string; readonly detail: string; readonly value?: unknown },
): FieldError {
  const { path, detail, value } = found;
  switch (reason) {
    case 'FieldValueForbidden':
      return forbiddenField(path, detail);
    case 'FieldValueRequired':
      return required(path, detail);
    case 'FieldValueDuplicate':
      return 'value' in found
        ? duplicate(path, value)
        : { ...duplicate(path, ''), message: 'Duplicate value' };
    default:
      return 'value' in found ? invalidValue(path, value, detail) : invalidHere(path, detail);
  }
}

/** `self` and `oldSelf`, made when they are first asked for. */
function variablesOf(
  { self }: RulePrograms,
  value: unknown,
  old: unknown,
): (isOptional: boolean) => Activation {
  let [now, before]: [Value | undefined, Value | undefined] = [undefined, undefined];
  const oldValue = (): Value | undefined => {
    if (old === undefined) return undefined;
    before ??= self.adapt(old);
    return before;
  };
  return (isOptional) => (name) => {
    if (name === 'self') {
      now ??= self.adapt(value);
      return now;
    }
    if (name !== 'oldSelf') return undefined;
    if (!isOptional) return oldValue();
    return old === undefined ? OptionalValue.NONE : new OptionalValue(oldValue());
  };
}

function stepRatchet(
  { current, parent }: Ratchet,
  step: (from: Correlated) => Correlated | undefined,
): Ratchet {
  return current ? { current: step(current), parent: current } : { current, parent };
}

function memberRatchet(ratchet: Ratchet, name: string): Ratchet {
  // Both versions are shown with the same type, so that a change of it would not be seen.
  const isTypeMeta = name === 'apiVersion' || name === 'kind';
  if (ratchet.current && !ratchet.parent && isTypeMeta) return { current: undefined, parent: undefined };
  return stepRatchet(ratchet, (from) => from.key(name));
}
