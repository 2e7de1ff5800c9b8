/** A set of code points. Immutable. */
export interface CharacterClass {
  has(codePoint: number): boolean;
}

export type Range = readonly [low: number, high: number];

/** Collects what stands between `[` and `]`. */
export class ClassBuilder {
  readonly #ranges: Range[] = [];
  readonly #parts: CharacterClass[] = [];

  range(low: number, high: number): void {
    this.#ranges.push([low, high]);
  }
  add(part: CharacterClass): void {
    this.#parts.push(part);
  }
  build({ negated, foldCase }: { negated: boolean; foldCase: boolean }): CharacterClass {
    const ranges = this.#ranges;
    const parts = this.#parts;
    const plain = (codePoint: number): boolean =>
      ranges.some(([low, high]) => codePoint >= low && codePoint <= high) ||
      parts.some((part) => part.has(codePoint));
    const member = foldCase ? (codePoint: number): boolean => variants(codePoint).some(plain) : plain;
    return { has: (codePoint) => member(codePoint) !== negated };
  }
}

export function rangesClass(ranges: readonly Range[], negated = false): CharacterClass {
  return {
    has: (codePoint) => ranges.some(([low, high]) => codePoint >= low && codePoint <= high) !== negated,
  };
}

/** One character, or all its cases. */
export function singleClass(codePoint: number, foldCase: boolean): CharacterClass {
  if (!foldCase) return { has: (one) => one === codePoint };
  const wanted = variants(codePoint);
  return { has: (one) => wanted.includes(one) };
}

const KELVIN = 0x212a;
const LONG_S = 0x17f;

/** The character in every case, as Unicode's simple folding relates them. */
function variants(codePoint: number): number[] {
  const text = String.fromCodePoint(codePoint);
  const found = new Set([codePoint]);
  for (const other of [text.toLowerCase(), text.toUpperCase(), text.toUpperCase().toLowerCase()]) {
    const point = other.codePointAt(0);
    if (point !== undefined && String.fromCodePoint(point) === other) found.add(point);
  }
  if (found.has(0x6b)) found.add(KELVIN);
  if (found.has(0x73)) found.add(LONG_S);
  return [...found];
}

const DIGITS: readonly Range[] = [[0x30, 0x39]];
const SPACES: readonly Range[] = [
  [0x09, 0x0a],
  [0x0c, 0x0d],
  [0x20, 0x20],
];
const WORDS: readonly Range[] = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];

/** `\d`, `\S` and the like: ASCII only, as in RE2. */
export const PERL_CLASSES: Readonly<Record<string, CharacterClass>> = {
  d: rangesClass(DIGITS),
  D: rangesClass(DIGITS, true),
  s: rangesClass(SPACES),
  S: rangesClass(SPACES, true),
  w: rangesClass(WORDS),
  W: rangesClass(WORDS, true),
};

/** `[:alpha:]` and the like, inside of a bracket. */
export const POSIX_CLASSES: Readonly<Record<string, readonly Range[]>> = {
  alnum: [
    [0x30, 0x39],
    [0x41, 0x5a],
    [0x61, 0x7a],
  ],
  alpha: [
    [0x41, 0x5a],
    [0x61, 0x7a],
  ],
  ascii: [[0x00, 0x7f]],
  blank: [
    [0x09, 0x09],
    [0x20, 0x20],
  ],
  cntrl: [
    [0x00, 0x1f],
    [0x7f, 0x7f],
  ],
  digit: DIGITS,
  graph: [[0x21, 0x7e]],
  lower: [[0x61, 0x7a]],
  print: [[0x20, 0x7e]],
  punct: [
    [0x21, 0x2f],
    [0x3a, 0x40],
    [0x5b, 0x60],
    [0x7b, 0x7e],
  ],
  space: [
    [0x09, 0x0d],
    [0x20, 0x20],
  ],
  upper: [[0x41, 0x5a]],
  word: WORDS,
  xdigit: [
    [0x30, 0x39],
    [0x41, 0x46],
    [0x61, 0x66],
  ],
};

/** A general category (`L`, `Lu`) or script (`Greek`) of Unicode; `undefined` for a name nobody knows. */
export function unicodeClass(name: string, negated: boolean): CharacterClass | undefined {
  if (name === 'Any') return { has: () => !negated };
  const expression = unicodeExpression(name);
  if (expression === undefined) return undefined;
  return { has: (codePoint) => expression.test(String.fromCodePoint(codePoint)) !== negated };
}

function unicodeExpression(name: string): RegExp | undefined {
  if (!/^[A-Za-z_]+$/.test(name)) return undefined;
  const property = name.length <= 2 ? `General_Category=${name}` : `Script=${name}`;
  try {
    return new RegExp(`^\\p{${property}}$`, 'u');
  } catch {
    return undefined;
  }
}

export const MAX_CODE_POINT = 0x10ffff;
export const ANY: CharacterClass = { has: () => true };
export const ANY_BUT_NEWLINE: CharacterClass = { has: (codePoint) => codePoint !== 0x0a };
export const isWord = (codePoint: number): boolean => PERL_CLASSES['w']?.has(codePoint) === true;
