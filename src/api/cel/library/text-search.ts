/** JavaScript's own search takes a time in proportion to both texts where they are made for it; below this it is fine. */
const SMALL = 100_000;

/** Where `part`, which is not empty, begins in `text` for the first time from `from` on; -1: nowhere. */
export function firstIndex(text: string, part: string, from = 0): number {
  if (isSmall(text, part)) return text.indexOf(part, from);
  for (const found of matches(text, part, from)) return found;
  return -1;
}

/** Where it begins for the last time, at `from` or before. */
export function lastIndex(text: string, part: string, from = text.length): number {
  if (isSmall(text, part)) return text.lastIndexOf(part, from);
  let last = -1;
  for (const found of matches(text.slice(0, from + part.length), part, 0)) last = found;
  return last;
}

/** What stands between the matches, as `text.split(part)`. */
export function pieces(text: string, part: string): string[] {
  if (isSmall(text, part)) return text.split(part);
  const found: string[] = [];
  let behind = 0;
  for (const start of matches(text, part, 0)) {
    if (start < behind) continue;
    found.push(text.slice(behind, start));
    behind = start + part.length;
  }
  return [...found, text.slice(behind)];
}

const isSmall = (text: string, part: string): boolean =>
  part.length > text.length || text.length * part.length <= SMALL;

/** Every match, also one that begins inside another, in time linear in both (Knuth, Morris and Pratt). */
function* matches(text: string, part: string, from: number): Generator<number> {
  const { length } = part;
  const borders = bordersOf(part);
  let matched = 0;
  for (let at = from; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    while (matched > 0 && (matched === length || part.charCodeAt(matched) !== unit))
      matched = borders[matched - 1] ?? 0;
    if (part.charCodeAt(matched) === unit) matched++;
    if (matched === length) yield at - length + 1;
  }
}

/** For every beginning of `part`: how long the longest end of it is that it also begins with, itself excluded. */
function bordersOf(part: string): Int32Array {
  const borders = new Int32Array(part.length);
  let size = 0;
  for (let at = 1; at < part.length; at++) {
    while (size > 0 && part.charCodeAt(size) !== part.charCodeAt(at)) size = borders[size - 1] ?? 0;
    if (part.charCodeAt(size) === part.charCodeAt(at)) size++;
    borders[at] = size;
  }
  return borders;
}
