import { callCost } from './call-cost.ts';
import type { Checked } from './checker.ts';
import type { Expression, ExpressionOf } from './expression.ts';
import { planFold } from './fold.ts';
import {
  type Construct,
  callStep,
  conditionalStep,
  constantStep,
  listStep,
  logicStep,
  mapStep,
  notStrictlyFalseStep,
  OPERATORS,
  orElseStep,
  type Step,
  selectStep,
  slotStep,
  structStep,
  variableStep,
} from './steps.ts';
import type { CelType, StructType } from './types.ts';
import { CelError, ListValue, TypeValue, type Value } from './values.ts';

/** Names that stand for something besides loop variables. */
export interface Names {
  readonly isVariable: (name: string) => boolean;
  readonly struct: (name: string) => StructType | undefined;
  readonly typeName: (name: string) => CelType | undefined;
  readonly construct: Construct;
}

/** Turns a checked tree into closures: names are resolved and constants computed once. */
export class Planner {
  readonly #checked: Checked;
  readonly #names: Names;
  readonly #planned = new Map<number, Step>();
  /** Loop variables in scope, by name, and the slot of each. */
  #scope: ReadonlyMap<string, number> = new Map();
  slots = 0;

  constructor(checked: Checked, names: Names) {
    this.#checked = checked;
    this.#names = names;
  }

  /** Runs `plan` with more loop variables in scope. */
  within<T>(names: readonly string[], plan: (slots: readonly number[]) => T): T {
    const outer = this.#scope;
    const slots = names.map(() => this.slots++);
    this.#scope = new Map([...outer, ...names.map((name, index) => [name, slots[index]!] as const)]);
    const result = plan(slots);
    this.#scope = outer;
    return result;
  }

  plan(node: Expression): Step {
    const known = this.#planned.get(node.id);
    if (known) return known;
    const step = this.#make(node);
    this.#planned.set(node.id, step);
    return step;
  }

  #make(node: Expression): Step {
    switch (node.op) {
      case 'literal':
        return constantStep(node.value);
      case 'ident':
        return this.#name(node.name);
      case 'select':
        return this.#select(node);
      case 'call':
        return this.#special(node) ?? this.#call(node);
      case 'list':
        return this.#list(node);
      case 'map':
        return mapStep(
          node.entries.map(({ key, value, isOptional }) => ({
            key: this.plan(key),
            value: this.plan(value),
            isOptional,
          })),
        );
      case 'struct':
        return this.#message(node);
      case 'fold':
        return planFold(this, node);
    }
  }

  #name(name: string): Step {
    const slot = this.#scope.get(name);
    if (slot !== undefined) return slotStep(slot);
    const plain = name.replace(/^\./, '');
    const { isVariable, typeName, struct } = this.#names;
    const named = isVariable(plain) ? undefined : (typeName(plain) ?? struct(plain));
    return named ? constantStep(new TypeValue(named)) : variableStep(plain);
  }

  #select(node: ExpressionOf<'select'>): Step {
    const name = this.#checked.names.get(node.id);
    if (name !== undefined) return this.#name(name);
    return selectStep(this.plan(node.operand), node.field, node.isTest);
  }

  #list(node: ExpressionOf<'list'>): Step {
    if (isConstant(node)) return constantStep(constantValue(node));
    const optional = new Set(node.optional);
    return listStep(
      node.items.map((item, index) => ({ value: this.plan(item), isOptional: optional.has(index) })),
    );
  }

  #message(node: ExpressionOf<'struct'>): Step {
    const type = this.#names.struct(node.type.replace(/^\./, ''));
    if (!type) throw new CelError(`unknown type: ${node.type}`);
    const entries = node.entries.map(({ name, value, isOptional }) => ({
      name,
      value: this.plan(value),
      isOptional,
    }));
    return structStep(type, entries, this.#names.construct);
  }

  #call(node: ExpressionOf<'call'>): Step {
    const namespaced = this.#checked.names.get(node.id);
    const name = namespaced ?? node.name.replace(/^\./, '');
    const target = node.target && namespaced === undefined ? [node.target] : [];
    return callStep({
      args: [...target, ...node.args].map((one) => this.plan(one)),
      cost: callCost(name),
      operator: OPERATORS.get(name),
      overloads: this.#checked.overloads.get(node.id) ?? [],
    });
  }

  /** Operators that do not evaluate all of their arguments. */
  #special({ name, args, target }: ExpressionOf<'call'>): Step | undefined {
    const [first, second, third] = [...(target ? [target] : []), ...args];
    switch (name) {
      case '_&&_':
        return logicStep(this.plan(first!), this.plan(second!), false);
      case '_||_':
        return logicStep(this.plan(first!), this.plan(second!), true);
      case '_?_:_':
        return conditionalStep(this.plan(first!), this.plan(second!), this.plan(third!));
      case '@not_strictly_false':
        return notStrictlyFalseStep(this.plan(first!));
      case 'or':
      case 'orValue':
        return target && second ? orElseStep(name, this.plan(target), this.plan(second)) : undefined;
      default:
        return undefined;
    }
  }
}

function isConstant(node: Expression): boolean {
  return (
    node.op === 'literal' ||
    (node.op === 'list' && node.optional.length === 0 && node.items.every(isConstant))
  );
}

function constantValue(node: Expression): Value {
  if (node.op === 'literal') return node.value;
  return node.op === 'list' ? ListValue.of(node.items.map(constantValue)) : null;
}
