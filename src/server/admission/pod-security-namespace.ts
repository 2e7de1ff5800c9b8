import { invalidValue } from '../../api/field-errors.ts';
import type { FieldError } from '../../api/status.ts';
import type { Pod } from '../../api/types.gen.ts';
import { LIMITS } from '../../lib/limits.ts';
import { type Level, violations } from './pod-security-levels.ts';

export const PREFIX = 'pod-security.kubernetes.io/';
/** From the most to the least that is allowed. */
const LEVELS: readonly string[] = ['privileged', 'baseline', 'restricted'] satisfies Level[];
const MODES = ['enforce', 'audit', 'warn'] as const;

type Labels = Readonly<Record<string, string>>;

export interface LevelVersion {
  readonly level: Level;
  readonly version: string;
}

/** What labels say of a mode. A level nobody knows is taken as the strictest one, as upstream does. */
export function levelOf(labels: Labels, mode: (typeof MODES)[number]): LevelVersion {
  const wanted = labels[`${PREFIX}${mode}`];
  const version = labels[`${PREFIX}${mode}-version`] ?? 'latest';
  if (wanted === undefined || wanted === '') return { level: 'privileged', version };
  return { level: LEVELS.includes(wanted) ? (wanted as Level) : 'restricted', version };
}

/** Labels that say nothing of levels that is understood. */
export function labelErrors(labels: Labels): FieldError[] {
  return MODES.flatMap((mode) => {
    const level = `${PREFIX}${mode}`;
    const version = `${level}-version`;
    const errors: FieldError[] = [];
    const refuse = (label: string, why: string): void => {
      errors.push(invalidValue(`metadata.labels[${label}]`, labels[label], why));
    };
    if (level in labels && !LEVELS.includes(labels[level] ?? ''))
      refuse(level, `must be one of ${LEVELS.join(', ')}`);
    if (version in labels && !/^(?:latest|v1\.(?:\d|[1-9]\d*))$/.test(labels[version] ?? ''))
      refuse(version, 'must be "latest" or "v1.x"');
    return errors;
  });
}

/** Whether pods that were allowed may be none any more. */
export function isStricter(now: LevelVersion, before: LevelVersion): boolean {
  if (now.level === 'privileged') return false;
  return now.version !== before.version || LEVELS.indexOf(now.level) > LEVELS.indexOf(before.level);
}

/** Warns of pods that a new level would refuse; of many alike, of one controller's first of all, it names one. */
export function existingPodWarnings(
  pods: readonly Pod[],
  namespace: string,
  { level, version }: LevelVersion,
): string[] {
  const checked = prioritized(pods).slice(0, LIMITS.admission.podSecurityPods);
  const found = new Map<string, { readonly name: string; readonly count: number }>();
  for (const { metadata, spec } of checked) {
    const reasons =
      spec === undefined
        ? []
        : violations(spec, level, { version, ...annotated(metadata) }).map(withoutDetail);
    if (reasons.length === 0) continue;
    const reason = reasons.join(', ');
    const { name = metadata.name ?? '', count = 0 } = found.get(reason) ?? {};
    found.set(reason, { name, count: count + 1 });
  }
  const texts = [...found].map(([reason, { name, count }]) => `${name}${andOthers(count - 1)}: ${reason}`);
  const policy = JSON.stringify(`${level}:${version}`);
  return [
    ...(checked.length < pods.length
      ? [
          `new PodSecurity enforce level only checked against the first ${checked.length} of ${pods.length} existing pods`,
        ]
      : []),
    ...(texts.length > 0
      ? [
          `existing pods in namespace ${JSON.stringify(namespace)} violate the new PodSecurity enforce level ${policy}`,
        ]
      : []),
    ...texts.sort(),
  ];
}

/** One pod of each controller comes before its likes. */
function prioritized(pods: readonly Pod[]): readonly Pod[] {
  const seen = new Set<string>();
  const [first, rest]: [Pod[], Pod[]] = [[], []];
  for (const pod of pods) {
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller)?.uid;
    if (owner !== undefined && seen.has(owner)) rest.push(pod);
    else first.push(pod);
    if (owner !== undefined) seen.add(owner);
  }
  return [...first, ...rest];
}

const annotated = ({ annotations }: Pod['metadata']) => (annotations === undefined ? {} : { annotations });

/** `host namespaces` of `host namespaces (hostNetwork=true)` */
const withoutDetail = (violation: string): string => violation.split(' (', 1)[0] ?? violation;

function andOthers(count: number): string {
  if (count === 0) return '';
  return count === 1 ? ' (and 1 other pod)' : ` (and ${count} other pods)`;
}
