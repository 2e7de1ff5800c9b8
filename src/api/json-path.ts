/**
 * JSONPath as kubectl and printer columns write it (k8s.io/client-go/util/jsonpath), without its templates: one path such
 * as `.status.conditions[?(@.type=="Ready")].status`.
 */
import { isObject, own } from './json-value.ts';

/** A text that is no path; the message says where. */
export class JsonPathError extends Error {
  override readonly name = 'JsonPathError';
}

type Step =
  | { readonly type: 'fields'; readonly names: readonly string[] }
  | { readonly type: 'every' }
  | { readonly type: 'deep'; readonly name: string }
  | {
      readonly type: 'slice';
      readonly from: number | undefined;
      readonly to: number | undefined;
      readonly step: number;
    }
  | { readonly type: 'indexes'; readonly indexes: readonly number[] }
  | {
      readonly type: 'filter';
      readonly left: Operand;
      readonly operator: string;
      readonly right: Operand | undefined;
    };
type Operand = { readonly path: JsonPath } | { readonly literal: unknown };

/** A parsed path. Immutable. */
export class JsonPath {
  readonly #steps: readonly Step[];

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
  }

  /** Everything the path leads to; what is missing on the way leads nowhere. */
  find(value: unknown): readonly unknown[] {
    let found: readonly unknown[] = [value];
    for (const step of this.#steps) {
      // A value that `..` found below several others is searched once: each further `..` would multiply them.
      const from = step.type === 'deep' ? [...new Set(found)] : found;
      found = from.flatMap((one) => follow(step, one));
    }
    return found;
  }
}

/** Throws {@link JsonPathError}. */
export function parseJsonPath(text: string): JsonPath {
  return new Parser(text).parse();
}

function follow(step: Step, value: unknown): readonly unknown[] {
  switch (step.type) {
    case 'fields':
      return isObject(value) ? present(step.names.map((name) => own(value, name))) : [];
    case 'every':
      return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
    case 'deep':
      return deep(value, step.name);
    case 'slice':
      return Array.isArray(value) ? sliced(value, step) : [];
    case 'indexes':
      return Array.isArray(value) ? present(step.indexes.map((index) => value.at(index) as unknown)) : [];
    case 'filter':
      return Array.isArray(value) ? value.filter((item) => passes(step, item)) : [];
  }
}

const present = (values: readonly unknown[]): unknown[] => values.filter((one) => one !== undefined);

function deep(value: unknown, name: string): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  const here = isObject(value) ? own(value, name) : undefined;
  const below = Object.values(value).flatMap((child) => deep(child, name));
  return here === undefined ? below : [here, ...below];
}

function sliced(values: readonly unknown[], { from, to, step }: Extract<Step, { type: 'slice' }>): unknown[] {
  return values.slice(from, to).filter((_value, index) => index % step === 0);
}

function passes({ left, operator, right }: Extract<Step, { type: 'filter' }>, item: unknown): boolean {
  const a = operandOf(left, item);
  if (right === undefined) return a !== undefined;
  const b = operandOf(right, item);
  if (a === undefined || b === undefined) return false;
  switch (operator) {
    case '==':
      return a === b;
    case '!=':
      return a !== b;
    case '<':
      return (a as number) < (b as number);
    case '<=':
      return (a as number) <= (b as number);
    case '>':
      return (a as number) > (b as number);
    default:
      return (a as number) >= (b as number);
  }
}

function operandOf(operand: Operand, item: unknown): unknown {
  return 'path' in operand ? operand.path.find(item)[0] : operand.literal;
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): JsonPath {
    if (this.#text[this.#at] === '$' || this.#text[this.#at] === '@') this.#at++;
    const steps: Step[] = [];
    while (this.#at < this.#text.length) {
      const step = this.#step();
      if (step) steps.push(step);
    }
    return new JsonPath(steps);
  }

  #fail(why: string): JsonPathError {
    return new JsonPathError(`${why} in ${JSON.stringify(this.#text)} at ${this.#at}`);
  }

  #step(): Step | undefined {
    if (this.#text[this.#at] === '[') return this.#bracket();
    if (this.#text[this.#at] !== '.') throw this.#fail('unrecognized character');
    if (this.#text[this.#at + 1] === '.') {
      this.#at += 2;
      return { type: 'deep', name: this.#name() };
    }
    this.#at++;
    if (this.#at >= this.#text.length || this.#text[this.#at] === '[') return undefined;
    const name = this.#name();
    return name === '*' ? { type: 'every' } : { type: 'fields', names: [name] };
  }

  /** Up to the next dot or bracket; a backslash takes the character behind it as it is. */
  #name(): string {
    let name = '';
    for (; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at] ?? '';
      if (character === '.' || character === '[' || /[\s}|)]/.test(character)) break;
      if (character === '\\') this.#at++;
      name += this.#text[this.#at] ?? '';
    }
    if (name === '') throw this.#fail('a name is missing');
    return name;
  }

  #bracket(): Step {
    const end = this.#closing();
    const inside = this.#text.slice(this.#at + 1, end).trim();
    this.#at = end + 1;
    if (inside === '*') return { type: 'every' };
    if (inside.startsWith('?(') && inside.endsWith(')')) return this.#filter(inside.slice(2, -1).trim());
    const slice = /^(-?\d+)?:(-?\d+)?(?::(\d+))?$/.exec(inside);
    if (slice) return this.#slice(slice);
    const names = [...inside.matchAll(/\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*(?:,|$)/gy)];
    if (names.length > 0 && names.reduce((length, [all]) => length + all.length, 0) === inside.length)
      return { type: 'fields', names: names.map(([, a, b]) => (a ?? b ?? '').replace(/\\(.)/g, '$1')) };
    if (/^-?\d+(\s*,\s*-?\d+)*$/.test(inside))
      return { type: 'indexes', indexes: inside.split(',').map(Number) };
    throw this.#fail(`invalid array index [${inside}]`);
  }

  #slice([, from, to, step]: RegExpExecArray): Step {
    const size = step === undefined ? 1 : Number(step);
    if (size < 1) throw this.#fail('step must be >= 1');
    return {
      type: 'slice',
      from: from === undefined ? undefined : Number(from),
      to: to === undefined ? undefined : Number(to),
      step: size,
    };
  }

  /** Where the bracket that begins here ends; brackets and quotes inside do not count. */
  #closing(): number {
    let depth = 0;
    for (let at = this.#at; at < this.#text.length; at++) {
      const character = this.#text[at];
      if (character === '"' || character === "'") {
        const quote = character;
        for (at++; at < this.#text.length && this.#text[at] !== quote; at++)
          if (this.#text[at] === '\\') at++;
      } else if (character === '[') depth++;
      else if (character === ']' && --depth === 0) return at;
    }
    throw this.#fail('unterminated array');
  }

  #filter(text: string): Step {
    const match = /^((?:[^<>=!"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')+?)\s*(==|!=|<=|>=|<|>)\s*(.+)$/s.exec(
      text,
    );
    if (!match) return { type: 'filter', left: this.#operand(text), operator: 'exists', right: undefined };
    const [, left = '', operator = '', right = ''] = match;
    return { type: 'filter', left: this.#operand(left.trim()), operator, right: this.#operand(right.trim()) };
  }

  #operand(text: string): Operand {
    if (text.startsWith('@')) return { path: parseJsonPath(text) };
    const quoted = /^(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")$/s.exec(text);
    if (quoted) return { literal: (quoted[1] ?? quoted[2] ?? '').replace(/\\(.)/g, '$1') };
    if (text === 'true' || text === 'false') return { literal: text === 'true' };
    if (/^[-+]?\d+(\.\d+)?$/.test(text)) return { literal: Number(text) };
    throw this.#fail(`unrecognized identifier ${text}`);
  }
}
