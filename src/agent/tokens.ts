import { serviceAccounts } from '../api/resources.gen.ts';
import type { Pod, TokenRequest } from '../api/types.gen.ts';
import type { Client } from '../client/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { ServiceAccountToken } from './volumes/volume.ts';

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
      const answer = await this.#client.createSubresource<never, TokenRequest>(
        serviceAccounts as never,
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
      throw new Error(`failed to fetch token: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });
    }
  }

  forget(podUid: string): void {
    for (const key of this.#known.keys()) if (key.startsWith(`${podUid}|`)) this.#known.delete(key);
  }
}
