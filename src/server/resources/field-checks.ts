import { isIP } from 'node:net';
import { invalidValue } from '../../api/field-errors.ts';
import { inclusiveRange, portNameProblems, portNumberProblems } from '../../api/names.ts';
import type { FieldError } from '../../api/status.ts';
import type { IntOrString } from '../../api/types.gen.ts';

/** Small checks that many kinds share; each returns what is wrong, in upstream's words. */

export const AT_LEAST_ZERO = 'must be greater than or equal to 0';
export const MAX_INT32 = 2 ** 31 - 1;

/** One `Invalid value` for each problem that `check` finds with the value. */
export function problemsOf(
  field: string,
  value: string,
  check: (value: string) => readonly string[],
): FieldError[] {
  return check(value).map((problem) => invalidValue(field, value, problem));
}

export function nonNegative(field: string, value: number | undefined): FieldError[] {
  return value !== undefined && value < 0 ? [invalidValue(field, value, AT_LEAST_ZERO)] : [];
}

export function positive(field: string, value: number | undefined): FieldError[] {
  return value !== undefined && value <= 0 ? [invalidValue(field, value, 'must be greater than zero')] : [];
}

export function inRange(field: string, value: number | undefined, low: number, high: number): FieldError[] {
  return value !== undefined && (value < low || value > high)
    ? [invalidValue(field, value, inclusiveRange(low, high))]
    : [];
}

export function portNumber(field: string, value: number): FieldError[] {
  return portNumberProblems(value).map((problem) => invalidValue(field, value, problem));
}

/** A port by number or by name. */
export function portNumberOrName(field: string, value: IntOrString): FieldError[] {
  return typeof value === 'number' ? portNumber(field, value) : problemsOf(field, value, portNameProblems);
}

export function ipAddress(field: string, value: string): FieldError[] {
  return isIP(value) === 0
    ? [invalidValue(field, value, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')]
    : [];
}

/** `10.0.0.0/8` */
export function cidr(field: string, value: string): FieldError[] {
  const [address = '', bits, ...rest] = value.split('/');
  const family = isIP(address);
  const isRange =
    family !== 0 &&
    rest.length === 0 &&
    bits !== undefined &&
    /^\d{1,3}$/.test(bits) &&
    Number(bits) <= (family === 4 ? 32 : 128);
  return isRange
    ? []
    : [invalidValue(field, value, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')];
}

/** Runs `check` over a list, with the path of each element. */
export function eachOf<T>(
  list: readonly T[] | undefined,
  path: string,
  check: (element: T, path: string, index: number) => readonly FieldError[],
): FieldError[] {
  return (list ?? []).flatMap((element, index) => check(element, `${path}[${index}]`, index));
}
