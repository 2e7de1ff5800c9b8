import { BlockList, isIP } from 'node:net';
import { invalidValue, required } from '../../api/field-errors.ts';
import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  inclusiveRange,
  portNameProblems,
  portNumberProblems,
} from '../../api/names.ts';
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

/** Ranges whose addresses mean another place on each host, in upstream's words. */
const SPECIAL: readonly (readonly [BlockList, string])[] = [
  [rangeOf('127.0.0.0/8', '::1/128'), 'may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  [rangeOf('169.254.0.0/16', 'fe80::/10'), 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
  [
    rangeOf('224.0.0.0/24', 'ff02::/16'),
    'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
  ],
];

function rangeOf(...ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

/** An address that leads to the same place from everywhere: what forwards to it must not reach its own host. */
export function ordinaryAddress(field: string, value: string): FieldError[] {
  const problems = ipAddress(field, value);
  if (problems.length > 0) return problems;
  const family = isIP(value) === 4 ? 'ipv4' : 'ipv6';
  if (UNSPECIFIED.check(value, family))
    return [invalidValue(field, value, `may not be unspecified (${value})`)];
  return SPECIAL.filter(([range]) => range.check(value, family)).map(([, why]) =>
    invalidValue(field, value, why),
  );
}

const UNSPECIFIED = rangeOf('0.0.0.0/32', '::/128');

/** A name of at least two parts, with or without the dot that ends it. */
export function domainName(field: string, value: string): FieldError[] {
  if (value === '') return [required(field)];
  const name = value.endsWith('.') ? value.slice(0, -1) : value;
  const problems = dns1123SubdomainProblems(name);
  if (problems.length > 0) return [invalidValue(field, name, problems.join(','))];
  const labels = name.split('.');
  if (labels.length < 2)
    return [invalidValue(field, name, 'should be a domain with at least two segments separated by dots')];
  const wrong = labels.find((label) => dns1123LabelProblems(label).length > 0);
  return wrong === undefined ? [] : [invalidValue(field, wrong, dns1123LabelProblems(wrong).join(','))];
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

const PATH = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";

/** A subdomain and a path, such as `acme.io/foo`. */
export function domainPrefixedPath(field: string, value: string): FieldError[] {
  if (value === '') return [required(field)];
  const slash = value.indexOf('/');
  const [host, path] = [value.slice(0, slash), value.slice(slash + 1)];
  if (slash < 1 || path === '')
    return [invalidValue(field, value, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  const errors = problemsOf(field, host, dns1123SubdomainProblems);
  if (!new RegExp(`^${PATH}$`).test(path))
    errors.push(invalidValue(field, path, `Invalid path (regex used for validation is '${PATH}')`));
  return errors;
}
