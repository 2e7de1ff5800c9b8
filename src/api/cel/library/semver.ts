import type { Declaration } from '../declaration.ts';
import { opaque } from '../types.ts';
import { CelError, OpaqueValue } from '../values.ts';

const SEMVER = opaque('kubernetes.Semver');
const NUMBER = '(0|[1-9]\\d*)';
const SYNTAX = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?(?:\\+([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?$`,
);
const MAX_UINT = 2n ** 64n - 1n;

class SemverValue extends OpaqueValue {
  readonly type = SEMVER;
  /** Major, minor, patch. */
  readonly numbers: readonly bigint[];
  readonly prerelease: readonly string[];
  constructor(numbers: readonly bigint[], prerelease: readonly string[]) {
    super();
    this.numbers = numbers;
    this.prerelease = prerelease;
  }
  override equals(other: OpaqueValue): boolean {
    return other instanceof SemverValue && this.compare(other) === 0;
  }
  /** Semantic Versioning 2.0, section 11: build metadata does not count. */
  compare(other: SemverValue): number {
    for (const [index, number] of this.numbers.entries()) {
      const theirs = other.numbers[index]!;
      if (number !== theirs) return number < theirs ? -1 : 1;
    }
    if (this.prerelease.length === 0 || other.prerelease.length === 0)
      return Math.sign(other.prerelease.length - this.prerelease.length);
    for (const [index, part] of this.prerelease.entries()) {
      const theirs = other.prerelease[index];
      if (theirs === undefined) return 1;
      const order = comparePrerelease(part, theirs);
      if (order !== 0) return order;
    }
    return this.prerelease.length < other.prerelease.length ? -1 : 0;
  }
}

function comparePrerelease(mine: string, theirs: string): number {
  const [left, right] = [mine, theirs].map((part) => (/^\d+$/.test(part) ? BigInt(part) : undefined));
  if (left !== undefined && right !== undefined) return left < right ? -1 : left > right ? 1 : 0;
  if (left !== undefined) return -1;
  if (right !== undefined) return 1;
  return mine < theirs ? -1 : mine > theirs ? 1 : 0;
}

function parse(text: string): SemverValue | undefined {
  const found = text.length > 1024 ? null : SYNTAX.exec(text);
  if (!found) return undefined;
  const numbers = found.slice(1, 4).map(BigInt);
  const prerelease = found[4]?.split('.') ?? [];
  if (numbers.some((one) => one > MAX_UINT) || prerelease.some((part) => /^0\d+$/.test(part)))
    return undefined;
  return new SemverValue(numbers, prerelease);
}

/** Drops a leading `v` and zeros, and adds the parts that are missing. */
function normalize(text: string): string | undefined {
  const [major = '', minor, ...rest] = text.replace(/^v/, '').split('.');
  const patch = rest.length > 0 ? rest.join('.') : undefined;
  const parts = [major, minor, patch].filter((part) => part !== undefined);
  if (parts.length < 3 && /[+-]/.test(parts.at(-1) ?? '')) return undefined;
  const short = parts.map((part) => part.replace(/^0+(?=\d)/, ''));
  while (short.length < 3) short.push('0');
  return short.join('.');
}

function parseNormalized(text: string, isNormalized: boolean): SemverValue | undefined {
  if (!isNormalized) return parse(text);
  const normal = normalize(text);
  return normal === undefined ? undefined : parse(normal);
}

function semver(text: string, isNormalized = false): SemverValue {
  const found = parseNormalized(text, isNormalized);
  if (!found) throw new CelError(`Invalid Semantic Version: ${JSON.stringify(text)}`);
  return found;
}

/** Kubernetes' semver library, version 1. */
export const semverDeclarations = (): readonly Declaration[] => [
  ['semver(string): kubernetes.Semver', (text: string) => semver(text)],
  ['semver(string, bool): kubernetes.Semver', semver],
  ['isSemver(string): bool', (text: string) => parse(text) !== undefined],
  [
    'isSemver(string, bool): bool',
    (text: string, isNormalized: boolean) => parseNormalized(text, isNormalized) !== undefined,
  ],
  [
    '(kubernetes.Semver).isGreaterThan(kubernetes.Semver): bool',
    (left: SemverValue, right: SemverValue) => left.compare(right) > 0,
  ],
  [
    '(kubernetes.Semver).isLessThan(kubernetes.Semver): bool',
    (left: SemverValue, right: SemverValue) => left.compare(right) < 0,
  ],
  [
    '(kubernetes.Semver).compareTo(kubernetes.Semver): int',
    (left: SemverValue, right: SemverValue) => BigInt(left.compare(right)),
  ],
  ...['major', 'minor', 'patch'].map(
    (name, index): Declaration => [
      `(kubernetes.Semver).${name}(): int`,
      ({ numbers }: SemverValue) => numbers[index] ?? 0n,
    ],
  ),
];
