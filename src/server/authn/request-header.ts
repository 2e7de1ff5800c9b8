import { X509Certificate } from 'node:crypto';
import type { UserInfo } from '../registry/definition.ts';

const USER = 'x-remote-user';
const UID = 'x-remote-uid';
const GROUP = 'x-remote-group';
const EXTRA = 'x-remote-extra-';
const AUTHENTICATED = 'system:authenticated';

/**
 * Believes a proxy in front of this server what it says of its clients (`X-Remote-User` and the like), if it shows a
 * certificate of the authority that is there for proxies alone (upstream's request header authentication). A certificate
 * of that authority makes nobody a user by itself, and headers of anybody else say nothing.
 */
export class RequestHeaders {
  readonly #authority: X509Certificate;
  readonly #allowedNames: ReadonlySet<string>;

  constructor(options: { readonly caPem: string; readonly allowedNames: readonly string[] }) {
    this.#authority = new X509Certificate(options.caPem);
    this.#allowedNames = new Set(options.allowedNames);
  }

  /** Whether the proxies' authority signed this certificate. */
  signed(certificate: X509Certificate): boolean {
    return certificate.checkIssued(this.#authority) && certificate.verify(this.#authority.publicKey);
  }

  /** `undefined` where the proxy may not speak for others, or says nothing. */
  userOf(commonName: string, rawHeaders: readonly string[]): UserInfo | undefined {
    if (!this.#allowedNames.has(commonName)) return undefined;
    let name = '';
    let uid = '';
    const groups: string[] = [];
    const extra: Record<string, string[]> = Object.create(null);
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      const header = rawHeaders[at]!.toLowerCase();
      const value = rawHeaders[at + 1]!;
      if (header === USER) name ||= value.trim();
      else if (header === UID) uid ||= value;
      else if (header === GROUP) groups.push(value);
      else if (header.startsWith(EXTRA)) {
        const key = unescapeKey(header.slice(EXTRA.length));
        extra[key] = [...(extra[key] ?? []), value];
      }
    }
    if (name === '') return undefined;
    return {
      name,
      ...(uid === '' ? {} : { uid }),
      groups: groups.includes(AUTHENTICATED) ? groups : [...groups, AUTHENTICATED],
      extra: { ...extra },
    };
  }
}

function unescapeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
