import { persistentVolumeClaims, persistentVolumes } from '../api/resources.gen.ts';
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../api/types.gen.ts';
import type { Informer } from '../client/informer.ts';
import type { Client } from '../client/port.ts';
import type { Clock } from '../lib/clock.ts';
import { LIMITS } from '../lib/limits.ts';
import type { Storage } from './plugin.ts';
import { isBound, type VolumePlan } from './plugins/volume-binding.ts';

export interface StorageInformers {
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly volumes: Informer<PersistentVolume>;
  readonly classes: Informer<StorageClass>;
}

/**
 * Carries out what the volume plugin planned for a pod: binds volumes that are there, asks for the others to be
 * provisioned on the chosen node, and waits until all claims are bound.
 */
export class VolumeBinder implements Storage {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #informers: StorageInformers;
  /** Volumes being bound and to which claim, until the API shows it. */
  readonly #assumed = new Map<string, string>();
  readonly #waiting = new Set<() => void>();

  constructor(options: { client: Client; clock: Clock; informers: StorageInformers }) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#informers = options.informers;
  }

  claim(namespace: string, name: string): PersistentVolumeClaim | undefined {
    return this.#informers.claims.store.get(namespace, name);
  }
  volume(name: string): PersistentVolume | undefined {
    return this.#informers.volumes.store.get(undefined, name);
  }
  volumes(): readonly PersistentVolume[] {
    return this.#informers.volumes.store.list();
  }
  storageClass(name: string): StorageClass | undefined {
    return this.#informers.classes.store.get(undefined, name);
  }
  assumedClaim(volume: string): string | undefined {
    return this.#assumed.get(volume);
  }

  /** To be called when claims change. */
  onChange(): void {
    for (const check of [...this.#waiting]) check();
  }

  /** From now on no other pod is planned onto these volumes. */
  assume(plans: readonly VolumePlan[]): void {
    for (const { claim, volume } of plans) {
      if (volume) this.#assumed.set(volume.metadata.name ?? '', keyOf(claim));
    }
  }

  release(plans: readonly VolumePlan[]): void {
    for (const { volume } of plans) if (volume) this.#assumed.delete(volume.metadata.name ?? '');
  }

  /** Resolves when every claim is bound. Rejects when that takes too long, a claim goes, or `signal` aborts. */
  async bind(plans: readonly VolumePlan[], node: string, signal: AbortSignal): Promise<void> {
    await Promise.all(plans.map((plan) => this.#begin(plan, node)));
    await this.#bound(plans, signal);
  }

  async #begin({ claim, volume }: VolumePlan, node: string): Promise<void> {
    const { namespace, name = '', uid, resourceVersion } = claim.metadata;
    if (!volume) {
      const annotations = { 'volume.kubernetes.io/selected-node': node };
      const body = { metadata: { resourceVersion, annotations } };
      await this.#client.patch(persistentVolumeClaims, { namespace, name }, { type: 'merge', body });
      return;
    }
    if (volume.spec?.claimRef?.uid === uid) return;
    const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid };
    const body = {
      metadata: {
        resourceVersion: volume.metadata.resourceVersion,
        annotations: { 'pv.kubernetes.io/bound-by-controller': 'yes' },
      },
      spec: { claimRef },
    };
    await this.#client.patch(
      persistentVolumes,
      { name: volume.metadata.name ?? '' },
      { type: 'merge', body },
    );
  }

  #bound(plans: readonly VolumePlan[], signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (error?: Error): void => {
        this.#waiting.delete(check);
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
        if (error) reject(error);
        else resolve();
      };
      const check = (): void => {
        const claims = plans.map(({ claim }) => {
          const current = this.claim(claim.metadata.namespace ?? '', claim.metadata.name ?? '');
          return current?.metadata.uid === claim.metadata.uid ? current : undefined;
        });
        if (claims.includes(undefined)) finish(new Error('a claim of the pod is gone'));
        else if (claims.every((claim) => claim && isBound(claim))) finish();
      };
      const onAbort = (): void => finish(signal.reason);
      const timer = this.#clock.setTimer(LIMITS.scheduler.volumeBindMs, () =>
        finish(new Error('timed out waiting for the condition')),
      );
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(check);
      check();
    });
  }
}

function keyOf(claim: PersistentVolumeClaim): string {
  return `${claim.metadata.namespace}/${claim.metadata.name}`;
}
