import type { Secret } from '../../api/types.gen.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { usageFailure } from '../failure.ts';

export const TYPE = 'bootstrap.kubernetes.io/token';
export const NAMESPACE = 'kube-system';
const USAGES = ['signing', 'authentication'] as const;
const GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;
const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 24 * 3_600_000,
};

/** A bootstrap token, as its Secret says it. */
export interface BootstrapToken {
  readonly token: string;
  readonly description: string;
  /** RFC 3339; `undefined` for ever. */
  readonly expires: string | undefined;
  readonly usages: readonly string[];
  readonly groups: readonly string[];
}

export const secretName = (id: string): string => `bootstrap-token-${id}`;

/** The Secret that makes a token one. Throws a usage `Failure` for values that the server would not understand. */
export function bootstrapSecret(
  token: string,
  options: {
    readonly description: string | undefined;
    readonly ttl: string;
    readonly usages: readonly string[];
    readonly groups: readonly string[];
    readonly nowMs: number;
  },
): Secret {
  const [id = '', key = ''] = token.split('.');
  const usage = options.usages.find((one) => !USAGES.some((known) => known === one));
  if (usage !== undefined) throw usageFailure(`--usages must be of ${USAGES.join(', ')}, not ${usage}`);
  const group = options.groups.find((one) => !GROUP.test(one));
  if (group !== undefined)
    throw usageFailure(`--groups must begin with system:bootstrappers:, unlike ${JSON.stringify(group)}`);
  const ttlMs = durationMs(options.ttl);
  const stringData = {
    'token-id': id,
    'token-secret': key,
    ...(options.description === undefined ? {} : { description: options.description }),
    ...(ttlMs === 0 ? {} : { expiration: rfc3339(options.nowMs + ttlMs) }),
    ...Object.fromEntries(options.usages.map((one) => [`usage-bootstrap-${one}`, 'true'])),
    ...(options.groups.length === 0 ? {} : { 'auth-extra-groups': options.groups.join(',') }),
  };
  return { metadata: { name: secretName(id), namespace: NAMESPACE }, type: TYPE, stringData };
}

/** What a Secret says; `undefined` when it is no whole token. */
export function readBootstrapSecret({ data = {}, type }: Secret): BootstrapToken | undefined {
  const value = (name: string): string => Buffer.from(data[name] ?? '', 'base64').toString('utf8');
  const token = `${value('token-id')}.${value('token-secret')}`;
  if (type !== TYPE || token.length < 3) return undefined;
  return {
    token,
    description: value('description'),
    expires: value('expiration') || undefined,
    usages: USAGES.filter((usage) => value(`usage-bootstrap-${usage}`) === 'true'),
    groups: value('auth-extra-groups')
      .split(',')
      .filter((group) => group !== ''),
  };
}

/** `1h30m` and the like, as Go's durations, and days; 0 without a unit. */
function durationMs(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)([smhd])/g)];
  const isWhole = parts.map(([part]) => part).join('') === text && parts.length > 0;
  if (text === '0') return 0;
  if (!isWhole)
    throw usageFailure(`--ttl must be a duration such as 30m, 24h or 7d, not ${JSON.stringify(text)}`);
  return parts.reduce((sum, [, count = '0', unit = 's']) => sum + Number(count) * (UNITS_MS[unit] ?? 0), 0);
}
