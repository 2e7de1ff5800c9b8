import type { Client } from '../../client/port.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import type { CertificateAndKey } from '../../lib/pki/certificate.ts';
import { EARLIEST_NOW_MS, RENEW_BEFORE_MS } from '../../lib/pki/validity.ts';
import { CertificateRequests } from './request-certificate.ts';

export interface RenewalOptions {
  /** Has the rights of the node, which may renew its own certificate and no other. */
  readonly client: Client;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  /** When the certificate in use ends. */
  readonly endMs: () => number;
  readonly onRenewed: (fresh: CertificateAndKey) => Promise<void>;
}

/**
 * Renews the certificate of this board long before it ends, so that a board that is never restarted stays in. Looks at
 * the end once a day rather than sleeping until then: the clock of a board may be set at any time.
 */
export class Renewal {
  readonly #options: RenewalOptions;
  readonly #abort = new AbortController();
  readonly #certificates = new CertificateRequests();
  /** Of the 90 days, how much earlier than at their beginning this board renews. */
  readonly #earlierMs: number;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#earlierMs = options.random() * LIMITS.join.renewalSpreadMs;
  }

  start(): void {
    this.#wait(this.#dueInMs());
  }

  /** The certificate was replaced. */
  reconsider(): void {
    if (this.#running === undefined) this.#wait(this.#dueInMs());
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error('the agent stops'));
    this.#timer?.cancel();
    await this.#running;
  }

  #dueInMs(): number {
    const nowMs = Math.max(this.#options.clock.now(), EARLIEST_NOW_MS);
    return this.#options.endMs() - RENEW_BEFORE_MS - this.#earlierMs - nowMs;
  }

  #wait(ms: number): void {
    this.#timer?.cancel();
    if (this.#abort.signal.aborted) return;
    const delayMs = Math.max(0, Math.min(ms, LIMITS.join.renewalLookMs));
    this.#timer = this.#options.clock.setTimer(delayMs, () => {
      if (this.#dueInMs() > 0) this.#wait(this.#dueInMs());
      else this.#running = this.#renew();
    });
  }

  async #renew(): Promise<void> {
    const { client, nodeName, clock, log } = this.#options;
    let nextMs: number = LIMITS.join.renewalRetryMs;
    try {
      const fresh = await this.#certificates.request({
        ...{ client, nodeName, clock, log },
        signal: this.#abort.signal,
      });
      await this.#options.onRenewed(fresh);
      const leftMs = this.#dueInMs();
      if (leftMs > 0) nextMs = leftMs;
      else log.warn('the new certificate ends early: the clock of the server, or of this board, is wrong');
      log.info('renewed the certificate of this board', {
        until: new Date(this.#options.endMs()).toISOString(),
      });
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      log.warn('cannot renew the certificate of this board, will try again', { error: errorText(error) });
    } finally {
      this.#running = undefined;
      this.#wait(nextMs);
    }
  }
}
