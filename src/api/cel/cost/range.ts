/** Least and most of a size or a cost. Neither goes beyond what 64 bits count, as upstream has it. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

const MOST = 2 ** 64;
const cap = (value: number): number => Math.min(value, MOST);

export const fixed = (value: number): Range => ({ min: value, max: value });
export const UNKNOWN: Range = { min: 0, max: MOST };
export const ZERO = fixed(0);

export const add = (...ranges: readonly Range[]): Range => ({
  min: cap(ranges.reduce((sum, { min }) => sum + min, 0)),
  max: cap(ranges.reduce((sum, { max }) => sum + max, 0)),
});
export const multiply = (left: Range, right: Range): Range => ({
  min: cap(left.min * right.min),
  max: cap(left.max * right.max),
});
/** Times a factor, rounded up. */
export const scale = ({ min, max }: Range, factor: number): Range => ({
  min: cap(Math.ceil(min * factor)),
  max: cap(Math.ceil(max * factor)),
});
/** Whatever lies in one of the two. */
export const union = (left: Range, right: Range): Range => ({
  min: Math.min(left.min, right.min),
  max: Math.max(left.max, right.max),
});
