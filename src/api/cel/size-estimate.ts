/** Bounds of a size or a cost; `Infinity` where there is none. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

export const UNKNOWN: Bounds = { min: 0, max: Number.POSITIVE_INFINITY };
export const exactly = (size: number): Bounds => ({ min: size, max: size });
export const ZERO = exactly(0);
export const ONE = exactly(1);

/** What does not fit 64 bits upstream is as good as unbounded. */
const OVERFLOW = 2 ** 64;
const cut = (value: number): number => (value >= OVERFLOW ? Number.POSITIVE_INFINITY : value);
const times = (left: number, right: number): number => (left === 0 || right === 0 ? 0 : cut(left * right));

export function add(...all: readonly Bounds[]): Bounds {
  return all.reduce((sum, one) => ({ min: cut(sum.min + one.min), max: cut(sum.max + one.max) }), ZERO);
}
export function multiply(left: Bounds, right: Bounds): Bounds {
  return { min: times(left.min, right.min), max: times(left.max, right.max) };
}
/** Times a factor, rounded up. */
export function scale({ min, max }: Bounds, factor: number): Bounds {
  return { min: Math.ceil(times(min, factor)), max: Math.ceil(times(max, factor)) };
}
export function union(left: Bounds, right: Bounds): Bounds {
  return { min: Math.min(left.min, right.min), max: Math.max(left.max, right.max) };
}
