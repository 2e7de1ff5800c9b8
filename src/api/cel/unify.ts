import {
  type CelType,
  DYN,
  isDyn,
  isDynOrError,
  isSameType,
  parametersOf,
  runtimeName,
  withParameters,
} from './types.ts';

/** A type made of more parts than this is `dyn`: chains of macros could double its size with every link. */
const LARGEST = 1000;
const sizes = new WeakMap<CelType, number>();

function sizeOf(type: CelType): number {
  const known = sizes.get(type);
  if (known !== undefined) return known;
  const size = parametersOf(type).reduce((sum, one) => sum + sizeOf(one), 1);
  sizes.set(type, size);
  return size;
}

/** What type parameters stand for so far. A failed attempt leaves it as it was. */
export class Substitution {
  readonly #bound = new Map<string, CelType>();
  /** What to put back when an attempt fails. */
  readonly #trail: { name: string; before: CelType | undefined }[] = [];
  #fresh = 0;

  freshParameter(): CelType {
    return { kind: 'param', name: `_var${this.#fresh++}` };
  }

  /** Whether every type of `left` may stand where the one of `right` is wanted; remembers what that takes. */
  unify(left: readonly CelType[], right: readonly CelType[]): boolean {
    const isFitting =
      left.length === right.length && left.every((one, index) => this.#isAssignable(one, right[index]!));
    for (let undo = this.#trail.pop(); undo; undo = this.#trail.pop()) {
      if (isFitting) continue;
      if (undo.before) this.#bound.set(undo.name, undo.before);
      else this.#bound.delete(undo.name);
    }
    return isFitting;
  }
  #bind(name: string, type: CelType): void {
    this.#trail.push({ name, before: this.#bound.get(name) });
    this.#bound.set(name, type);
  }

  /** The type with its parameters replaced; those that stand for nothing stay, or become `dyn`. */
  apply(type: CelType, freeToDyn = false): CelType {
    const bound = type.kind === 'param' ? this.#bound.get(type.name) : undefined;
    if (bound) return this.apply(bound, freeToDyn);
    if (type.kind === 'param') return freeToDyn ? DYN : type;
    const parameters = parametersOf(type);
    if (parameters.length === 0) return type;
    const applied = parameters.map((one) => this.apply(one, freeToDyn));
    if (applied.every((one, index) => one === parameters[index])) return type;
    const made = withParameters(type, applied);
    return sizeOf(made) > LARGEST ? DYN : made;
  }

  #isAssignable(left: CelType, right: CelType): boolean {
    if (right.kind === 'param') {
      const outcome = this.#substitute(left, right.name, right);
      if (outcome !== 'free') return outcome === 'yes';
    }
    if (left.kind === 'param') return this.#substitute(right, left.name, left) === 'yes';
    if (isDynOrError(left) || isDynOrError(right)) return true;
    if (left.kind === 'null') return right.kind === 'null' || isNullable(right);
    if (right.kind === 'null') return isNullable(left);
    if (left.kind !== right.kind) return false;
    if (left.kind === 'type') return true;
    if (left.kind === 'struct') return runtimeName(left) === runtimeName(right);
    if (left.kind === 'opaque' && right.kind === 'opaque' && left.name !== right.name) return false;
    const [mine, theirs] = [parametersOf(left), parametersOf(right)];
    return (
      mine.length === theirs.length && mine.every((one, index) => this.#isAssignable(one, theirs[index]!))
    );
  }

  /** Whether the parameter may stand for `type`; `free`: it stands for nothing and cannot, for it is in `type`. */
  #substitute(type: CelType, name: string, parameter: CelType): 'yes' | 'no' | 'free' {
    if (isSameType(type, parameter)) return 'yes';
    const bound = this.#bound.get(name);
    if (bound) {
      if (isSameType(type, bound)) return 'yes';
      if (!this.#isAssignable(type, bound)) return 'no';
      const wider = mostGeneral(type, bound);
      if (!this.#occursIn(name, wider)) this.#bind(name, wider);
      return 'yes';
    }
    if (this.#occursIn(name, type)) return 'free';
    this.#bind(name, type);
    return 'yes';
  }

  #occursIn(name: string, type: CelType): boolean {
    if (type.kind === 'param') {
      if (type.name === name) return true;
      const bound = this.#bound.get(type.name);
      return bound !== undefined && this.#occursIn(name, bound);
    }
    return parametersOf(type).some((one) => this.#occursIn(name, one));
  }
}

/** `null` may stand for these, as in cel-go. */
function isNullable({ kind }: CelType): boolean {
  return kind === 'opaque' || kind === 'struct' || kind === 'duration' || kind === 'timestamp';
}

/** The wider one of two types that unify. */
export function mostGeneral(left: CelType, right: CelType): CelType {
  return isEqualOrWider(left, right) ? left : right;
}

function isEqualOrWider(left: CelType, right: CelType): boolean {
  if (isDyn(left) || left.kind === 'param') return true;
  if (isDyn(right) || right.kind === 'param') return false;
  if (left.kind !== right.kind) return false;
  if (left.kind === 'type') return true;
  const [mine, theirs] = [parametersOf(left), parametersOf(right)];
  if (mine.length === 0) return isSameType(left, right);
  if (left.kind === 'opaque' && right.kind === 'opaque' && left.name !== right.name) return false;
  return mine.length === theirs.length && mine.every((one, index) => isEqualOrWider(one, theirs[index]!));
}

/** A type with its parameters replaced. */
export function instantiate(type: CelType, fresh: ReadonlyMap<string, CelType>): CelType {
  if (type.kind === 'param') return fresh.get(type.name) ?? type;
  const parts = parametersOf(type);
  if (parts.length === 0) return type;
  return withParameters(
    type,
    parts.map((one) => instantiate(one, fresh)),
  );
}
