import { timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../api/types.gen.ts';
import type { UserInfo } from '../registry/definition.ts';

const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/**
 * Whom a bootstrap token (`abcdef.0123456789abcdef`) stands for: the Secret `bootstrap-token-abcdef` in kube-system
 * says. `undefined` when it is none, is unknown, has expired, or is not for signing in.
 */
export function bootstrapTokenUser(
  token: string,
  secretOf: (namespace: string, name: string) => Secret | undefined,
  nowMs: number,
): UserInfo | undefined {
  const [, id, key] = TOKEN.exec(token) ?? [];
  if (id === undefined || key === undefined) return undefined;
  const secret = secretOf('kube-system', `bootstrap-token-${id}`);
  if (secret?.type !== 'bootstrap.kubernetes.io/token' || secret.metadata.deletionTimestamp !== undefined)
    return undefined;
  const value = (name: string): string => Buffer.from(secret.data?.[name] ?? '', 'base64').toString('utf8');
  if (value('token-id') !== id || !sameText(value('token-secret'), key)) return undefined;
  if (value('usage-bootstrap-authentication') !== 'true') return undefined;
  const expiration = value('expiration');
  if (expiration !== '' && !(Date.parse(expiration) > nowMs)) return undefined;
  const groups = value('auth-extra-groups')
    .split(',')
    .map((group) => group.trim())
    .filter((group) => group !== '');
  if (!groups.every((group) => GROUP.test(group))) return undefined;
  return { name: `system:bootstrap:${id}`, groups: ['system:bootstrappers', ...groups] };
}

/** Compares in a time that tells nothing about where the texts differ. */
function sameText(left: string, right: string): boolean {
  const a = Buffer.from(left);
  const b = Buffer.from(right);
  return a.length === b.length && timingSafeEqual(a, b);
}
