import type { Pod } from '../api/types.gen.ts';
import { Backoff } from '../lib/backoff.ts';
import type { Timer } from '../lib/clock.ts';
import type { Exec } from '../lib/exec.ts';
import { LIMITS } from '../lib/limits.ts';
import { errorText } from '../lib/log.ts';
import { createNft } from '../lib/nft/nft.ts';
import { compilePolicies } from './compile.ts';
import { PolicyView, type PolicyViewOptions } from './policy-view.ts';
import { POLICY_TABLE, renderPolicies } from './render.ts';

export interface NetworkPolicyOptions extends PolicyViewOptions {
  readonly exec: Exec;
  /** Goes before every command, such as `nsenter --net=…`. */
  readonly commandPrefix?: readonly string[];
}

/** Puts pods under their policies before their first packet. */
export interface PodIsolation {
  /**
   * Resolves once the kernel holds what policies say about the pod with these addresses; at once where there are no
   * policies. Rejects when the kernel cannot be told: the pod must not start then.
   */
  ensure(pod: Pod, ips: readonly string[]): Promise<void>;
  /** The pod is over and its addresses may be given to another one. */
  release(uid: string): void;
}

export interface NetworkPolicyEnforcer extends PodIsolation {
  /** Resolves once what was known at the start is in the kernel. */
  readonly ready: Promise<void>;
  /** Rules stay in the kernel unless `removeRules`: pods stay isolated while Kedge restarts. */
  stop(options?: { readonly removeRules?: boolean }): Promise<void>;
}

/**
 * Keeps the kernel's rules equal to the NetworkPolicies. While there is no policy it follows nothing else, holds no
 * table and starts no process but one at the start. The caller starts the informers.
 */
export function startNetworkPolicy(options: NetworkPolicyOptions): NetworkPolicyEnforcer {
  return new KernelEnforcer(options);
}

/** Removes what `startNetworkPolicy` leaves in the kernel, where policies are no longer to be enforced. */
export async function removeNetworkPolicy({ exec }: { readonly exec: Exec }): Promise<void> {
  await createNft({ exec }).remove(POLICY_TABLE);
}

class KernelEnforcer implements NetworkPolicyEnforcer {
  readonly #options: NetworkPolicyOptions;
  readonly #nft;
  readonly #view: PolicyView;
  readonly #backoff = new Backoff(LIMITS.network.retry);
  readonly #ready = Promise.withResolvers<void>();
  /** Addresses that the kernel has been told of, by the pod's uid. */
  readonly #ensured = new Map<string, string>();
  #isInKernel: boolean | 'unknown' = 'unknown';
  #isStopped = false;
  #timer: Timer | undefined;
  #current: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(options: NetworkPolicyOptions) {
    this.#options = options;
    this.#nft = createNft({ exec: options.exec, prefix: options.commandPrefix ?? [] });
    this.#view = new PolicyView(options, () => this.#touch());
    this.#view.start();
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  async ensure(pod: Pod, ips: readonly string[]): Promise<void> {
    const uid = pod.metadata.uid ?? '';
    if (ips.length === 0 || pod.spec?.hostNetwork === true || this.#ensured.get(uid) === ips.join()) return;
    this.#view.tell(pod, ips);
    await this.#view.learned();
    if (this.#isStopped) return;
    if (this.#view.hasPolicies) await this.#apply();
    this.#ensured.set(uid, ips.join());
  }

  release(uid: string): void {
    this.#ensured.delete(uid);
    this.#view.release(uid);
  }

  async stop(stopOptions: { readonly removeRules?: boolean } = {}): Promise<void> {
    this.#isStopped = true;
    this.#view.stop();
    this.#timer?.cancel();
    while (this.#current !== undefined || this.#next !== undefined)
      await (this.#next ?? this.#current)?.catch(() => {});
    if (stopOptions.removeRules) await this.#nft.remove(POLICY_TABLE);
  }

  /** Changes that come together are applied together. */
  #touch(delayMs: number = LIMITS.network.coalesceMs): void {
    if (this.#isStopped || this.#timer) return;
    this.#timer = this.#options.clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      // What is still missing makes itself heard when it comes.
      if (!this.#view.isWhole) return;
      void this.#apply().catch((error: unknown) => {
        const retryMs = this.#backoff.next('apply');
        this.#options.log.error('cannot apply the network policies, trying again', {
          error: errorText(error),
          delayMs: retryMs,
        });
        this.#touch(retryMs);
      });
    });
  }

  /** Resolves when all that is known now is in the kernel; those who ask while it works share the next time. */
  #apply(): Promise<void> {
    if (this.#current === undefined) {
      this.#current = this.#applyOnce().finally(() => {
        this.#current = undefined;
      });
      return this.#current;
    }
    this.#next ??= this.#current
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#apply();
      });
    return this.#next;
  }

  async #applyOnce(): Promise<void> {
    const input = this.#view.input();
    const table = renderPolicies(compilePolicies(input));
    if (table !== undefined) {
      const hasChanged = await this.#nft.apply(table);
      this.#isInKernel = true;
      if (hasChanged)
        this.#options.log.debug('network policies applied', { policies: input.policies.length });
    } else if (this.#isInKernel !== false) {
      await this.#nft.remove(POLICY_TABLE);
      this.#isInKernel = false;
    }
    this.#backoff.forget('apply');
    this.#ready.resolve();
  }
}
