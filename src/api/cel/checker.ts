import type { Functions, Overload } from './declaration.ts';
import { type Expression, type ExpressionOf, qualifiedName } from './expression.ts';
import type { Issue } from './issue.ts';
import { literalProblem, literalType } from './literals.ts';
import {
  BOOL,
  type CelType,
  DYN,
  ERROR,
  formatArguments,
  formatType,
  INT,
  isDyn,
  isDynOrError,
  listOf,
  mapOf,
  optionalOf,
  type StructType,
  unwrapOptional,
} from './types.ts';
import { instantiate, mostGeneral, Substitution } from './unify.ts';

/** What an expression may refer to. */
export interface Declarations {
  readonly functions: Functions;
  /** Variables by name. */
  readonly variable: (name: string) => CelType | undefined;
  /** Types that `Name{…}` makes, and that `type(x)` is held against. */
  readonly struct: (name: string) => StructType | undefined;
  /** Types that have a name as values: `int`, `list`, … */
  readonly typeName: (name: string) => CelType | undefined;
}

/** What the checker found out, by the id of the node. */
export interface Checked {
  readonly tree: Expression;
  readonly type: CelType;
  readonly types: ReadonlyMap<number, CelType>;
  /** The overloads a call may mean. */
  readonly overloads: ReadonlyMap<number, readonly Overload[]>;
  /** Nodes that name a variable, a type or a function, and the full name. */
  readonly names: ReadonlyMap<number, string>;
}

/** Types every node. Issues are in upstream's words (cel-go's type checker). */
export function check(
  tree: Expression,
  declarations: Declarations,
): { checked: Checked; issues: readonly Issue[] } {
  const checker = new Checker(declarations);
  checker.check(tree);
  return { checked: checker.finish(tree), issues: checker.issues };
}

type Scope = ReadonlyMap<string, CelType>;

class Checker {
  readonly issues: Issue[] = [];
  readonly #declarations: Declarations;
  readonly #types = new Map<number, CelType>();
  readonly #overloads = new Map<number, readonly Overload[]>();
  readonly #names = new Map<number, string>();
  readonly #bound = new Substitution();
  #scopes: readonly Scope[] = [];

  constructor(declarations: Declarations) {
    this.#declarations = declarations;
  }

  finish(tree: Expression): Checked {
    const types = new Map<number, CelType>();
    for (const [id, type] of this.#types) types.set(id, this.#bound.apply(type, true));
    return {
      tree,
      type: types.get(tree.id) ?? DYN,
      types,
      overloads: this.#overloads,
      names: this.#names,
    };
  }

  check(node: Expression): CelType {
    // Macros may use a part twice.
    const known = this.#types.get(node.id);
    if (known) return known;
    const type = this.#typeOf(node);
    this.#types.set(node.id, type);
    return type;
  }

  #typeOf(node: Expression): CelType {
    switch (node.op) {
      case 'literal':
        return literalType(node.value);
      case 'ident':
        return this.#ident(node);
      case 'select':
        return this.#select(node);
      case 'call':
        return this.#call(node);
      case 'list':
        return this.#list(node);
      case 'map':
        return this.#map(node);
      case 'struct':
        return this.#struct(node);
      case 'fold':
        return this.#fold(node);
    }
  }

  #issue(at: number, message: string): CelType {
    if (this.issues.length < 100) this.issues.push({ at, message });
    return ERROR;
  }
  #undeclared(at: number, name: string): CelType {
    return this.#issue(at, `undeclared reference to '${name}' (in container '')`);
  }

  /** The type of a variable, of the innermost scope that has it, or of a type's name. */
  #lookup(name: string): CelType | undefined {
    if (!name.startsWith('.')) {
      for (const scope of this.#scopes) {
        const found = scope.get(name);
        if (found) return found;
      }
    }
    const plain = name.replace(/^\./, '');
    const { variable, typeName, struct } = this.#declarations;
    const found = variable(plain);
    if (found) return found;
    const named = typeName(plain) ?? struct(plain);
    return named && { kind: 'type', of: named };
  }

  #ident(node: ExpressionOf<'ident'>): CelType {
    const type = this.#lookup(node.name);
    if (!type) return this.#undeclared(node.at, node.name);
    this.#names.set(node.id, node.name);
    return type;
  }

  #select(node: ExpressionOf<'select'>): CelType {
    const name = node.isTest ? undefined : qualifiedName(node);
    const found = name === undefined ? undefined : this.#lookupQualified(name);
    if (name !== undefined && found) {
      this.#names.set(node.id, name);
      return found;
    }
    const type = this.#field(node.at, this.check(node.operand), node.field);
    return node.isTest ? BOOL : type;
  }

  /** Names with dots are variables and types of their own; a loop's variable hides them. */
  #lookupQualified(name: string): CelType | undefined {
    const first = name.split('.', 1)[0]!;
    if (this.#scopes.some((scope) => scope.has(first))) return undefined;
    return this.#lookup(name);
  }

  #field(at: number, operand: CelType, field: string, isOptional = false): CelType {
    const applied = this.#bound.apply(operand);
    const inner = unwrapOptional(applied);
    const type = this.#fieldOf(at, inner ?? applied, field);
    return inner || isOptional ? optionalOf(type) : type;
  }

  #fieldOf(at: number, type: CelType, field: string): CelType {
    if (type.kind === 'map') return this.#bound.apply(type.value);
    if (type.kind === 'struct') return type.field(field) ?? this.#issue(at, `undefined field '${field}'`);
    if (type.kind === 'param') {
      this.#bound.unify([DYN], [type]);
      return DYN;
    }
    if (!isDynOrError(type)) this.#issue(at, `type '${formatType(type)}' does not support field selection`);
    return DYN;
  }

  #call(node: ExpressionOf<'call'>): CelType {
    const { functions } = this.#declarations;
    if (node.name === '_?._') return this.#optionalSelect(node);
    const args = node.args.map((one) => this.check(one));
    if (!node.target) {
      const name = node.name.replace(/^\./, '');
      const overloads = functions.get(name);
      if (!overloads) return this.#undeclared(node.at, node.name);
      return this.#resolve(node, { name, overloads, args });
    }
    const prefix = qualifiedName(node.target);
    const name = prefix === undefined ? undefined : `${prefix}.${node.name}`.replace(/^\./, '');
    const namespaced = name === undefined ? undefined : functions.get(name);
    if (namespaced && name !== undefined) {
      this.#names.set(node.id, name);
      return this.#resolve(node, { name, overloads: namespaced, args });
    }
    const target = this.check(node.target);
    const overloads = functions.get(node.name);
    if (!overloads) return this.#undeclared(node.at, node.name);
    return this.#resolve(node, { name: node.name, overloads, args: [target, ...args], isMember: true });
  }

  #optionalSelect(node: ExpressionOf<'call'>): CelType {
    const [operand, field] = node.args;
    if (field?.op !== 'literal' || typeof field.value !== 'string')
      return this.#issue(node.at, 'unsupported optional field selection');
    this.check(field);
    return this.#field(node.at, this.check(operand!), field.value, true);
  }

  #resolve(
    node: ExpressionOf<'call'>,
    call: { name: string; overloads: readonly Overload[]; args: readonly CelType[]; isMember?: boolean },
  ): CelType {
    const { name, overloads, args, isMember = false } = call;
    const fitting: Overload[] = [];
    let result: CelType | undefined;
    for (const overload of overloads) {
      if (overload.isMember !== isMember || overload.args.length !== args.length) continue;
      const fresh = new Map(overload.parameters.map((one) => [one, this.#bound.freshParameter()]));
      const wanted = overload.args.map((one) => instantiate(one, fresh));
      if (!this.#bound.unify(args, wanted)) continue;
      fitting.push(overload);
      const type = this.#bound.apply(instantiate(overload.result, fresh));
      if (result === undefined) result = type;
      else if (!isDyn(result) && formatType(result) !== formatType(type)) result = DYN;
    }
    if (result === undefined) {
      const shown = formatArguments(
        args.map((one) => this.#bound.apply(one, true)),
        isMember,
      );
      return this.#issue(node.at, `found no matching overload for '${name}' applied to '${shown}'`);
    }
    this.#overloads.set(node.id, fitting);
    const problem = literalProblem(node);
    if (problem) this.issues.push(problem);
    return result;
  }

  /** The common type of the parts of a literal; they have to agree (upstream: HomogeneousAggregateLiterals). */
  #join(at: number, previous: CelType | undefined, next: CelType): CelType {
    if (previous === undefined) return next;
    if (this.#bound.unify([previous], [next])) return mostGeneral(previous, next);
    return this.#issue(at, `expected type '${this.#show(previous)}' but found '${this.#show(next)}'`);
  }
  #show(type: CelType): string {
    return formatType(this.#bound.apply(type, true));
  }
  #unwrap(node: Expression, type: CelType, isOptional: boolean): CelType {
    if (!isOptional) return type;
    const inner = unwrapOptional(this.#bound.apply(type));
    if (inner) return inner;
    if (!isDyn(type)) {
      const shown = this.#show(type);
      this.#issue(node.at, `expected type 'optional_type(${shown})' but found '${shown}'`);
    }
    return type;
  }

  #list(node: ExpressionOf<'list'>): CelType {
    let element: CelType | undefined;
    node.items.forEach((item, index) => {
      const type = this.#unwrap(item, this.check(item), node.optional.includes(index));
      element = this.#join(item.at, element, type);
    });
    return listOf(element ?? this.#bound.freshParameter());
  }

  #map(node: ExpressionOf<'map'>): CelType {
    let key: CelType | undefined;
    let value: CelType | undefined;
    for (const entry of node.entries) {
      key = this.#join(entry.key.at, key, this.check(entry.key));
      const type = this.#unwrap(entry.value, this.check(entry.value), entry.isOptional);
      value = this.#join(entry.value.at, value, type);
    }
    return mapOf(key ?? this.#bound.freshParameter(), value ?? this.#bound.freshParameter());
  }

  #struct(node: ExpressionOf<'struct'>): CelType {
    const struct = this.#declarations.struct(node.type.replace(/^\./, ''));
    for (const { at, name, value, isOptional } of node.entries) {
      const type = this.#unwrap(value, this.check(value), isOptional);
      if (!struct) continue;
      const wanted = struct.field(name);
      if (!wanted) this.#issue(at, `undefined field '${name}'`);
      else if (!this.#bound.unify([wanted], [type])) {
        const message = `expected type of field '${name}' is '${this.#show(wanted)}' but provided type is '${this.#show(type)}'`;
        this.#issue(at, message);
      }
    }
    return struct ?? this.#undeclared(node.at, node.type);
  }

  #fold(node: ExpressionOf<'fold'>): CelType {
    const range = this.#bound.apply(this.check(node.range));
    const accumulator = this.check(node.initial);
    const outer = this.#scopes;
    const withAccumulator = [new Map([[node.accumulator, accumulator]]), ...outer];
    const variables = this.#loopTypes(node, range);
    const scope = new Map([[node.variable, variables[0]]]);
    if (node.variable2 !== undefined) scope.set(node.variable2, variables[1]);
    this.#scopes = [scope, ...withAccumulator];
    this.#expect(node.condition, BOOL);
    this.#expect(node.step, accumulator);
    this.#scopes = withAccumulator;
    const result = this.check(node.result);
    this.#scopes = outer;
    return this.#bound.apply(result);
  }

  #loopTypes(node: ExpressionOf<'fold'>, range: CelType): readonly [CelType, CelType] {
    if (range.kind === 'list')
      return node.variable2 === undefined ? [range.element, DYN] : [INT, range.element];
    if (range.kind === 'map') return [range.key, range.value];
    if (isDynOrError(range) || range.kind === 'param') {
      this.#bound.unify([DYN], [range]);
      return [DYN, DYN];
    }
    const shown = formatType(range);
    this.#issue(
      node.range.at,
      `expression of type '${shown}' cannot be range of a comprehension (must be list, map, or dynamic)`,
    );
    return [ERROR, ERROR];
  }

  #expect(node: Expression, wanted: CelType): void {
    const type = this.check(node);
    if (this.#bound.unify([wanted], [type])) return;
    this.#issue(node.at, `expected type '${this.#show(wanted)}' but found '${this.#show(type)}'`);
  }
}
