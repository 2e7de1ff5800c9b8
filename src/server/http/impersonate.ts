import { badRequest } from '../../api/status.ts';
import type { Authorizer } from '../authz/port.ts';
import type { UserInfo } from '../registry/definition.ts';
import {
  authorizeImpersonation,
  CONSTRAINED_MODES,
  LEGACY_MODE,
  type Wanted,
} from './impersonation-modes.ts';
import type { RequestInfo } from './request-info.ts';

const EXTRA_HEADER = 'impersonate-extra-';

/** A user that a request acts as, and what allowed it: the verb of a constrained mode (KEP-5284). */
export interface Impersonated {
  readonly user: UserInfo;
  /** Such as `impersonate:serviceaccount`; empty for plain `impersonate`. */
  readonly constraint: string;
}

/**
 * The user a request acts as (`kubectl --as`), or `undefined` when it asks for none. The constrained modes are asked
 * first, then plain `impersonate`; where none allows it, the refusal is the first one's. Throws 400 or 403.
 */
export function impersonate(options: {
  readonly authorizer: Authorizer;
  readonly sender: UserInfo;
  readonly rawHeaders: readonly string[];
  readonly info: RequestInfo;
}): Impersonated | undefined {
  const wanted = wantedUser(options.rawHeaders);
  if (wanted === undefined) return undefined;
  let refusal: unknown;
  for (const mode of [...CONSTRAINED_MODES, LEGACY_MODE]) {
    if (!mode.applies(wanted, options.sender)) continue;
    try {
      return { user: authorizeImpersonation(mode, wanted, options), constraint: mode.constraint };
    } catch (error) {
      refusal ??= error;
    }
  }
  throw refusal;
}

/** Repeated headers count one by one: a group's name may hold a comma. */
function wantedUser(rawHeaders: readonly string[]): Wanted | undefined {
  let name = '';
  let uid = '';
  const groups: string[] = [];
  const extra = new Map<string, string[]>();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const header = rawHeaders[at]!.toLowerCase();
    if (!header.startsWith('impersonate-')) continue;
    const value = rawHeaders[at + 1]!;
    if (header === 'impersonate-user') name ||= value;
    else if (header === 'impersonate-uid') uid ||= value;
    else if (header === 'impersonate-group') groups.push(value);
    else if (header.startsWith(EXTRA_HEADER)) {
      const key = unescapeKey(header.slice(EXTRA_HEADER.length));
      extra.set(key, [...(extra.get(key) ?? []), value]);
    }
  }
  const asks = groups.length > 0 || uid !== '' || extra.size > 0;
  if (name !== '') return { name, uid, groups, extra };
  if (!asks) return undefined;
  throw badRequest(
    'requested to impersonate groups, a uid or extra values without impersonating a user name',
  );
}

/** As upstream: what cannot be decoded is taken as it stands. */
function unescapeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
