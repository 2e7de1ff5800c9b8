import {
  addQuantities,
  compareQuantities,
  type ParsedQuantity,
  parseQuantity,
  QuantityError,
  quantityOf,
  subtractQuantities,
} from '../../quantity.ts';
import type { Declaration } from '../declaration.ts';
import { opaque } from '../types.ts';
import { CelError, isInt64, OpaqueValue } from '../values.ts';

const QUANTITY = opaque('kubernetes.Quantity');
const NANO = 1_000_000_000n;

class QuantityValue extends OpaqueValue {
  readonly type = QUANTITY;
  readonly parsed: ParsedQuantity;
  constructor(parsed: ParsedQuantity) {
    super();
    this.parsed = parsed;
  }
  override equals(other: OpaqueValue): boolean {
    return other instanceof QuantityValue && this.compare(other) === 0;
  }
  compare({ parsed }: QuantityValue): number {
    return Math.sign(compareQuantities(this.parsed, parsed));
  }
  /** `undefined`: not whole, or too large. */
  get int(): bigint | undefined {
    const { nano } = this.parsed;
    return nano % NANO === 0n && isInt64(nano / NANO) ? nano / NANO : undefined;
  }
}

function parse(text: string): QuantityValue | undefined {
  try {
    return new QuantityValue(parseQuantity(text));
  } catch (error) {
    if (error instanceof QuantityError) return undefined;
    throw error;
  }
}

function quantity(text: string): QuantityValue {
  try {
    return new QuantityValue(parseQuantity(text));
  } catch (error) {
    if (error instanceof QuantityError) throw new CelError(error.message);
    throw error;
  }
}

function asInteger(value: QuantityValue): bigint {
  const { int } = value;
  if (int === undefined) throw new CelError('cannot convert value to integer');
  return int;
}

const other = (value: QuantityValue | bigint): ParsedQuantity | string =>
  typeof value === 'bigint' ? quantityOf(value, 'DecimalExponent') : value.parsed;
const add = (left: QuantityValue, right: QuantityValue | bigint): QuantityValue =>
  new QuantityValue(addQuantities(left.parsed, other(right)));
const subtract = (left: QuantityValue, right: QuantityValue | bigint): QuantityValue =>
  new QuantityValue(subtractQuantities(left.parsed, other(right)));

/** Kubernetes' quantity library. `sign` is no method, as upstream has it. */
export const quantityDeclarations = (): readonly Declaration[] => [
  ['quantity(string): kubernetes.Quantity', quantity],
  ['isQuantity(string): bool', (text: string) => parse(text) !== undefined],
  [
    'sign(kubernetes.Quantity): int',
    ({ parsed: { nano } }: QuantityValue) => (nano > 0n ? 1n : nano < 0n ? -1n : 0n),
  ],
  [
    '(kubernetes.Quantity).isGreaterThan(kubernetes.Quantity): bool',
    (left: QuantityValue, right: QuantityValue) => left.compare(right) > 0,
  ],
  [
    '(kubernetes.Quantity).isLessThan(kubernetes.Quantity): bool',
    (left: QuantityValue, right: QuantityValue) => left.compare(right) < 0,
  ],
  [
    '(kubernetes.Quantity).compareTo(kubernetes.Quantity): int',
    (left: QuantityValue, right: QuantityValue) => BigInt(left.compare(right)),
  ],
  [
    '(kubernetes.Quantity).asApproximateFloat(): double',
    ({ parsed: { nano } }: QuantityValue) => Number(nano / NANO) + Number(nano % NANO) / 1e9,
  ],
  ['(kubernetes.Quantity).asInteger(): int', asInteger],
  ['(kubernetes.Quantity).isInteger(): bool', ({ int }: QuantityValue) => int !== undefined],
  ['(kubernetes.Quantity).add(kubernetes.Quantity): kubernetes.Quantity', add],
  ['(kubernetes.Quantity).add(int): kubernetes.Quantity', add],
  ['(kubernetes.Quantity).sub(kubernetes.Quantity): kubernetes.Quantity', subtract],
  ['(kubernetes.Quantity).sub(int): kubernetes.Quantity', subtract],
];
