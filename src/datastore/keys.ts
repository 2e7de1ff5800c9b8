import type { Write } from './port.ts';

/** Orders keys as their UTF-8 bytes do. JavaScript's own order differs for surrogate pairs only. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return byteOrder(left) - byteOrder(right);
  }
  return a.length - b.length;
}

/** UTF-8 puts U+E000–U+FFFF before everything that UTF-16 writes as surrogates (U+D800–U+DFFF). */
function byteOrder(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** The smallest string after every key that starts with `prefix`. */
export function prefixEnd(prefix: string): string {
  return `${prefix}\u{10ffff}`;
}

/** Throws for batches that no implementation accepts. */
export function checkWrites(writes: readonly Write[]): void {
  if (writes.length < 2) return;
  const keys = new Set(writes.map((write) => write.key));
  if (keys.size !== writes.length) throw new TypeError('a batch names each key at most once');
}
