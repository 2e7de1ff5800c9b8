import type { UserInfo } from '../registry/definition.ts';

/**
 * Finds out who sends a request, at once: what it must know for that lies in memory. `undefined`: no credential
 * recognised; throws 401 `ApiError` for a bad one.
 */
export interface Authenticator {
  authenticate(request: {
    /** Verified client certificate's subject, where one was sent. */
    readonly certificate?: { readonly commonName: string; readonly organizations: readonly string[] };
    /** Bearer token, where one was sent. */
    readonly token?: string;
    /** Audiences the token must carry; the API server's own by default. */
    readonly audiences?: readonly string[];
  }): UserInfo | undefined;
}
