import type { PodSpec } from '../../api/types.gen.ts';
import type { Check } from './pod-security-checks.ts';
import * as checks from './pod-security-checks.ts';

export type Level = 'privileged' | 'baseline' | 'restricted';

/** From which minor version of the standards on a check is made, and from which no more. */
type Row = readonly [check: Check, from?: number, until?: number];

/** What both levels ask. */
const COMMON_FIRST: readonly Row[] = [[checks.appArmor]];
const COMMON: readonly Row[] = [[checks.hostPorts], [checks.hostProbes, 34], [checks.privileged]];
const COMMON_LAST: readonly Row[] = [
  [checks.seLinux, 0, 31],
  [checks.seLinuxOfEngines, 31],
];
const SYSCTLS: readonly Row[] = [
  [checks.sysctls, 0, 27],
  [checks.sysctlsWithReservedPorts, 27, 29],
  [checks.sysctlsWithKeepalive, 29, 32],
  [checks.sysctlsWithBuffers, 32],
  [checks.windowsHostProcess],
];

/** In upstream's order: what both levels ask, then what only `restricted` does; stricter ones replace laxer ones. */
const CHECKS: Readonly<Record<Level, readonly Row[]>> = {
  privileged: [],
  baseline: [
    ...COMMON_FIRST,
    [checks.baselineCapabilities],
    [checks.hostNamespaces],
    [checks.hostPathVolumes],
    ...COMMON,
    [checks.procMount, 0, 35],
    [checks.unlessOwnUsers(checks.procMount), 35],
    ...COMMON_LAST,
    [checks.baselineSeccomp],
    ...SYSCTLS,
  ],
  restricted: [
    ...COMMON_FIRST,
    [checks.baselineCapabilities, 0, 22],
    [checks.hostNamespaces],
    ...COMMON,
    [checks.procMount, 0, 35],
    ...COMMON_LAST,
    [checks.baselineSeccomp, 0, 19],
    ...SYSCTLS,
    [checks.escalation, 8, 25],
    [checks.unlessWindows(checks.escalation), 25],
    [checks.restrictedCapabilities, 22, 25],
    [checks.unlessWindows(checks.restrictedCapabilities), 25],
    [checks.procMount, 35],
    [checks.restrictedVolumes],
    [checks.runAsNonRoot, 0, 35],
    [checks.unlessOwnUsers(checks.runAsNonRoot), 35],
    [checks.runAsUser, 23, 35],
    [checks.unlessOwnUsers(checks.runAsUser), 35],
    [checks.restrictedSeccomp, 19, 25],
    [checks.unlessWindows(checks.restrictedSeccomp), 25],
  ],
};

export interface CheckedAs {
  /** `latest` or `v1.x`; what is none of them counts as the latest. */
  readonly version?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What a pod spec does that a level of the Pod Security Standards does not allow. */
export function violations(
  spec: PodSpec,
  level: Level,
  { version = 'latest', annotations = {} }: CheckedAs = {},
): string[] {
  const minor = Number(/^v1\.(\d+)$/.exec(version)?.[1] ?? Number.POSITIVE_INFINITY);
  return CHECKS[level].flatMap(([check, from = 0, until = Number.POSITIVE_INFINITY]) => {
    const isAsked = minor >= from && (minor < until || until === Number.POSITIVE_INFINITY);
    return isAsked ? (check(spec, annotations) ?? []) : [];
  });
}
