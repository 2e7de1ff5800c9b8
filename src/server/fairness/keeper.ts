import { flowSchemas, priorityLevelConfigurations } from '../../api/resources.gen.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../api/status.ts';
import type { FlowSchema, PriorityLevelConfiguration } from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import { type Clock, rfc3339 } from '../../lib/clock.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import { WorkQueue } from '../../lib/work-queue.ts';
import { followCache } from '../authz/follow-cache.ts';
import type { WatchCache } from '../watchcache/port.ts';
import type { Fairness } from './fairness.ts';
import { planKeep } from './keep-objects.ts';

type Cache = Pick<WatchCache, 'list' | 'watch' | 'revision'>;

export interface KeeperOptions {
  readonly fairness: Fairness;
  readonly levels: Cache;
  readonly schemas: Cache;
  /** Reads and writes as the server itself. */
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Tells `Fairness` what the cluster's FlowSchemas and PriorityLevelConfigurations say, and keeps those that every
 * cluster has. Changes of one turn of the event loop count together.
 */
export class FairnessKeeper {
  readonly #options: KeeperOptions;
  readonly #levels = new Map<string, PriorityLevelConfiguration>();
  readonly #schemas = new Map<string, FlowSchema>();
  readonly #stops: (() => void)[] = [];
  readonly #queue: WorkQueue;
  #scheduled: NodeJS.Immediate | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    const { clock, log } = options;
    this.#queue = new WorkQueue({
      clock,
      work: async () => {
        await this.#keep();
        return undefined;
      },
      onError: (_key, error) =>
        log.warn('keeping flow schemas and priority levels', { error: errorText(error) }),
    });
  }

  /** Resolves once all objects exist and count. */
  async start(): Promise<void> {
    const { levels, schemas } = this.#options;
    this.#follow('prioritylevelconfigurations', levels, this.#levels);
    this.#follow('flowschemas', schemas, this.#schemas);
    await this.#keep();
    this.#configure();
  }

  async stop(): Promise<void> {
    clearImmediate(this.#scheduled);
    for (const stop of this.#stops) stop();
    await this.#queue.stop();
  }

  #follow<T>(name: string, cache: Cache, into: Map<string, T>): void {
    const changed = (): void => {
      this.#scheduled ??= setImmediate(() => {
        this.#scheduled = undefined;
        this.#configure();
        this.#queue.add('objects');
      });
    };
    this.#stops.push(
      followCache({
        cache,
        log: this.#options.log,
        name,
        clear: () => into.clear(),
        put: (object) => {
          into.set(object.metadata.name ?? '', object as T);
          changed();
        },
        remove: (_namespace, object) => {
          into.delete(object);
          changed();
        },
      }),
    );
  }

  #configure(): void {
    this.#options.fairness.configure([...this.#levels.values()], [...this.#schemas.values()]);
  }

  async #keep(): Promise<void> {
    const { client, clock } = this.#options;
    const plan = planKeep({ levels: this.#levels, schemas: this.#schemas }, () => rfc3339(clock.now()));
    await Promise.all([
      ...plan.createLevels.map((one) => unlessDone(client.create(priorityLevelConfigurations, one))),
      ...plan.updateLevels.map((one) => unlessDone(client.update(priorityLevelConfigurations, one))),
      ...plan.createSchemas.map((one) => unlessDone(client.create(flowSchemas, one))),
      ...plan.updateSchemas.map((one) => unlessDone(client.update(flowSchemas, one))),
      ...plan.statuses.map((one) => unlessDone(client.update(flowSchemas, one, { subresource: 'status' }))),
    ]);
  }
}

/** Somebody else was faster; their change brings us here again. */
async function unlessDone(write: Promise<unknown>): Promise<void> {
  await write.catch((error: unknown) => {
    if (!isAlreadyExists(error) && !isConflict(error) && !isNotFound(error)) throw error;
  });
}
