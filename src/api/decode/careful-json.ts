/** The slow JSON parser behind {@link parseJson}: finds duplicate keys, keeps big integers, words errors like Go. */
import { LIMITS } from '../../lib/limits.ts';
import { setOwn } from '../json-value.ts';

/** Text that is not JSON, or too deep; the message is Go's. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError';
}

export interface ParsedJson {
  /** Integers that a number cannot hold exactly are bigints; decide about them before storing the value. */
  readonly value: unknown;
  /** Paths such as `spec.containers[0].image`, each once, at most {@link LIMITS.api.strictErrors}. */
  readonly duplicates: readonly string[];
}

/** Longer integers are read as floating point; a bigint of a megabyte of digits takes quadratic time. */
const BIGINT_DIGITS = 40;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

export function parseCarefully(text: string): ParsedJson {
  return new CarefulParser(text).parse();
}

/** The paths of all members in the order in which a decoder meets them; a repeated member counts where it is repeated. */
export function memberOrder(text: string): ReadonlyMap<string, number> {
  const order = new Map<string, number>();
  let members = 0;
  new CarefulParser(text, (path) => void order.set(path, members++)).parse();
  return order;
}

class CarefulParser {
  readonly #text: string;
  readonly #onMember: ((path: string) => void) | undefined;
  readonly #duplicates = new Set<string>();
  #at = 0;
  #depth = 0;

  constructor(text: string, onMember?: (path: string) => void) {
    this.#text = text;
    this.#onMember = onMember;
  }

  parse(): ParsedJson {
    this.#skipBlanks();
    const value = this.#value('');
    this.#skipBlanks();
    if (this.#at < this.#text.length) throw this.#unexpected('after top-level value');
    return { value, duplicates: [...this.#duplicates] };
  }

  #skipBlanks(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }

  #peek(): string {
    return this.#text[this.#at] ?? '';
  }

  #unexpected(context: string): JsonSyntaxError {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) return new JsonSyntaxError('unexpected end of JSON input');
    const character = String.fromCodePoint(code);
    const shown =
      character === "'" ? "\\'" : character === '"' ? '"' : JSON.stringify(character).slice(1, -1);
    return new JsonSyntaxError(`invalid character '${shown}' ${context}`);
  }

  #value(path: string): unknown {
    const character = this.#peek();
    if (character === '{') return this.#nested(() => this.#object(path));
    if (character === '[') return this.#nested(() => this.#array(path));
    if (character === '"') return this.#string();
    if (character === 't') return this.#literal('true', true);
    if (character === 'f') return this.#literal('false', false);
    if (character === 'n') return this.#literal('null', null);
    if (character === '-' || (character >= '0' && character <= '9')) return this.#number();
    throw this.#unexpected('looking for beginning of value');
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > LIMITS.http.nesting) throw new JsonSyntaxError('exceeded max depth');
    this.#at++;
    const value = read();
    this.#depth--;
    return value;
  }

  #object(path: string): unknown {
    const object: Record<string, unknown> = {};
    this.#skipBlanks();
    if (this.#peek() === '}') {
      this.#at++;
      return object;
    }
    for (;;) {
      this.#skipBlanks();
      if (this.#peek() !== '"') throw this.#unexpected('looking for beginning of object key string');
      const key = this.#string();
      const child = path === '' ? key : `${path}.${key}`;
      if (Object.hasOwn(object, key) && this.#duplicates.size < LIMITS.api.strictErrors) {
        this.#duplicates.add(child);
      }
      this.#onMember?.(child);
      this.#skipBlanks();
      if (this.#peek() !== ':') throw this.#unexpected('after object key');
      this.#at++;
      this.#skipBlanks();
      setOwn(object, key, this.#value(child));
      this.#skipBlanks();
      const end = this.#peek();
      if (end !== ',' && end !== '}') throw this.#unexpected('after object key:value pair');
      this.#at++;
      if (end === '}') return object;
    }
  }

  #array(path: string): unknown {
    const array: unknown[] = [];
    this.#skipBlanks();
    if (this.#peek() === ']') {
      this.#at++;
      return array;
    }
    for (;;) {
      this.#skipBlanks();
      array.push(this.#value(`${path}[${array.length}]`));
      this.#skipBlanks();
      const end = this.#peek();
      if (end !== ',' && end !== ']') throw this.#unexpected('after array element');
      this.#at++;
      if (end === ']') return array;
    }
  }

  #string(): string {
    this.#at++;
    let value = '';
    let start = this.#at;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x22) {
        value += this.#text.slice(start, this.#at++);
        return value;
      }
      // NaN at the end of the text is neither.
      if (!(code >= 0x20)) throw this.#unexpected('in string literal');
      if (code === 0x5c) {
        value += this.#text.slice(start, this.#at++);
        value += this.#escape();
        start = this.#at;
      } else this.#at++;
    }
  }

  #escape(): string {
    const character = this.#peek();
    if (character === 'u') {
      for (let digit = 1; digit <= 4; digit++) {
        this.#at++;
        if (!/[0-9a-fA-F]/.test(this.#peek())) throw this.#unexpected('in \\u hexadecimal character escape');
      }
      this.#at++;
      return String.fromCharCode(Number.parseInt(this.#text.slice(this.#at - 4, this.#at), 16));
    }
    const plain = Object.hasOwn(ESCAPES, character) ? ESCAPES[character] : undefined;
    if (plain === undefined) throw this.#unexpected('in string escape code');
    this.#at++;
    return plain;
  }

  #literal<T>(word: string, value: T): T {
    for (const [index, character] of [...word].entries()) {
      if (this.#peek() !== character) throw this.#unexpected(`in literal ${word} (expecting '${character}')`);
      if (index < word.length) this.#at++;
    }
    return value;
  }

  #number(): number | bigint {
    const start = this.#at;
    const digits = (context: string): void => {
      if (!/\d/.test(this.#peek())) throw this.#unexpected(context);
      while (/\d/.test(this.#peek())) this.#at++;
    };
    if (this.#peek() === '-') this.#at++;
    if (this.#peek() === '0') this.#at++;
    else digits('in numeric literal');
    let isInteger = true;
    if (this.#peek() === '.') {
      isInteger = false;
      this.#at++;
      digits('after decimal point in numeric literal');
    }
    if (this.#peek() === 'e' || this.#peek() === 'E') {
      isInteger = false;
      this.#at++;
      if (this.#peek() === '+' || this.#peek() === '-') this.#at++;
      digits('in exponent of numeric literal');
    }
    const literal = this.#text.slice(start, this.#at);
    const value = Number(literal);
    if (!Number.isFinite(value)) {
      throw new JsonSyntaxError(
        `json: cannot unmarshal number ${literal.slice(0, 64)} into Go value of type float64`,
      );
    }
    const isLossy = isInteger && !Number.isSafeInteger(value) && literal.length <= BIGINT_DIGITS;
    return isLossy ? BigInt(literal) : value;
  }
}
