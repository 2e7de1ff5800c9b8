import { serviceAccounts } from '../api/resources.gen.ts';
import { ApiError } from '../api/status.ts';
import type { Pod, ServiceAccount, TokenRequest } from '../api/types.gen.ts';
import type { Client } from '../client/port.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import { LIMITS } from '../lib/limits.ts';
import { errorText } from '../lib/log.ts';
import type { ServiceAccountToken } from './volumes/volume.ts';

/** The API does not answer; a refusal is another error. */
class TokenUnavailable extends Error {
  override readonly name = 'TokenUnavailable';
}

/**
 * Service account tokens bound to pods, through the TokenRequest API, kept until 80 % of their life is over (upstream's
 * token manager). While the API is away a token that is still valid is given again.
 */
export class TokenManager {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #known = new Map<string, ServiceAccountToken & { readonly renewAtMs: number }>();

  constructor(options: { readonly client: Client; readonly clock: Clock }) {
    this.#client = options.client;
    this.#clock = options.clock;
  }

  async token(pod: Pod, audience: string, expirationSeconds: number): Promise<ServiceAccountToken> {
    const { uid = '', name = '', namespace = '' } = pod.metadata;
    const key = `${uid}|${audience}|${expirationSeconds}`;
    const known = this.#known.get(key);
    if (known !== undefined && known.renewAtMs > this.#clock.now()) return known;
    const body: TokenRequest = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: {
        audiences: audience === '' ? [] : [audience],
        expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    };
    const account = pod.spec?.serviceAccountName ?? 'default';
    try {
      const answer = await this.#client.createSubresource<ServiceAccount, TokenRequest>(
        serviceAccounts,
        { namespace, name: account === '' ? 'default' : account },
        'token',
        body,
      );
      const nowMs = this.#clock.now();
      const expiresAtMs =
        Date.parse(answer.status?.expirationTimestamp ?? '') || nowMs + expirationSeconds * 1000;
      const token = answer.status?.token ?? '';
      const fresh = { token, expiresAtMs, renewAtMs: nowMs + (expiresAtMs - nowMs) * 0.8 };
      this.#known.set(key, fresh);
      return fresh;
    } catch (cause) {
      if (known !== undefined && known.expiresAtMs > this.#clock.now()) return known;
      const message = `failed to fetch token: ${errorText(cause)}`;
      const refused = cause instanceof ApiError && cause.code < 500 && cause.code !== 429;
      throw refused ? new Error(message, { cause }) : new TokenUnavailable(message, { cause });
    }
  }

  /**
   * The same, tried for a few seconds while the API does not answer; undefined when it still does not: a board whose
   * server is away starts its pods even so.
   */
  async patiently(
    pod: Pod,
    audience: string,
    expirationSeconds: number,
  ): Promise<ServiceAccountToken | undefined> {
    const until = this.#clock.monotonicMs() + LIMITS.agent.offlineAfterMs;
    for (;;) {
      try {
        return await this.token(pod, audience, expirationSeconds);
      } catch (error) {
        if (!(error instanceof TokenUnavailable)) throw error;
        if (this.#clock.monotonicMs() >= until) return undefined;
        await sleep(this.#clock, LIMITS.agent.tokenRetryMs);
      }
    }
  }

  forget(podUid: string): void {
    for (const key of this.#known.keys()) if (key.startsWith(`${podUid}|`)) this.#known.delete(key);
  }
}
