import { copyJson } from '../../api/json-value.ts';
import type { Resource } from '../../api/resource.ts';
import { apiServices } from '../../api/resources.gen.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../api/status.ts';
import type { APIService } from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { WorkQueue } from '../../lib/work-queue.ts';
import type { Registry } from '../registry/registry.ts';
import type { WatchCache } from '../watchcache/port.ts';
import { type GroupVersion, planRegistration, type RegistrationStep } from './plan-registration.ts';

export interface RegistrationOptions {
  readonly client: Client;
  readonly registry: Registry;
  /** What does not come from CustomResourceDefinitions. */
  readonly builtIn: readonly GroupVersion[];
  readonly cacheOf: (resource: Pick<Resource, 'group' | 'resource'>) => WatchCache | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Keeps an APIService for every group and version that this server serves itself. */
export class LocalRegistration {
  readonly #options: RegistrationOptions;
  readonly #queue: WorkQueue;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    const { clock, log } = options;
    this.#queue = new WorkQueue({
      clock,
      work: async () => {
        await this.#sync(false);
        return undefined;
      },
      onError: (_, error) => log.warn('cannot register what is served', { error }),
    });
  }

  /** Resolves when all of them are there. */
  async start(): Promise<void> {
    await this.#sync(true);
    this.#options.registry.onChange(() => this.#queue.add('all'));
  }

  /** To be called when an APIService changed or went: ours may have to be made anew. */
  changed(): void {
    this.#queue.add('all');
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  async #sync(isStart: boolean): Promise<void> {
    const { registry, builtIn, cacheOf } = this.#options;
    const known = new Set(builtIn.map(keyOf));
    const custom = new Map<string, GroupVersion>();
    for (const { resource } of registry.endpoints)
      if (!known.has(keyOf(resource))) custom.set(keyOf(resource), resource);
    const steps = planRegistration({
      builtIn,
      custom: [...custom.values()],
      present: (cacheOf(apiServices)?.list({}) ?? []).map((one) => one.object() as APIService),
      isStart,
    });
    await Promise.all(steps.map((step) => this.#run(step)));
  }

  async #run({ action, service }: RegistrationStep): Promise<void> {
    const { client } = this.#options;
    const { name = '', uid } = service.metadata;
    const preconditions = uid === undefined ? {} : { preconditions: { uid } };
    try {
      if (action === 'create') await client.create(apiServices, service);
      else if (action === 'update') await client.update(apiServices, copyJson(service));
      else await client.delete(apiServices, { name }, preconditions);
    } catch (error) {
      // Somebody was faster; the change that this is calls again.
      if (!isAlreadyExists(error) && !isNotFound(error) && !isConflict(error)) throw error;
    }
  }
}

const keyOf = ({ group, version }: GroupVersion): string => `${group}/${version}`;
