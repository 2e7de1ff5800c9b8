import { customResourceDefinitions } from '../../api/resources.gen.ts';
import { isConflict, isNotFound } from '../../api/status.ts';
import type { CustomResourceDefinition } from '../../api/types.gen.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import { WorkQueue } from '../../lib/work-queue.ts';
import { deleteObject } from '../registry/delete.ts';
import type { Endpoint } from '../registry/registry.ts';
import type { Engine, WriteRequest } from '../registry/served-resource.ts';
import {
  CLEANUP_FINALIZER,
  findCondition,
  isConditionTrue,
  type NewCondition,
  withCondition,
} from '../resources/apiextensions/crd.ts';
import type { CachedObject, WatchCache } from '../watchcache/port.ts';
import { planDefinitionStatus } from './plan-definition.ts';

const FAILED = 'InstanceDeletionFailed';
const IN_PROGRESS: NewCondition = {
  type: 'Terminating',
  status: 'True',
  reason: 'InstanceDeletionInProgress',
  message: 'CustomResource deletion is in progress',
};

export interface DefinitionControllerOptions {
  readonly definitions: WatchCache;
  readonly engine: Engine;
  /** Where the objects of a definition are stored; `undefined` where it adds nothing. */
  readonly storedOf: (definition: string) => Endpoint | undefined;
  /** Whether a built-in kind has the name: its objects are not the definition's. */
  readonly isBuiltIn: (group: string, resource: string) => boolean;
  readonly log: Logger;
}

/**
 * Accepts the names of definitions, and takes the objects of those that are deleted with them. All it knows is in the
 * definitions: what a crash interrupts, the next start finishes.
 */
export class DefinitionController {
  readonly #options: DefinitionControllerOptions;
  readonly #queue: WorkQueue;
  /** Generations whose schemas were looked at. */
  readonly #checked = new Map<string, string>();
  /** Definitions that wait for the last of their objects. */
  readonly #waiting = new Map<string, () => void>();
  /** Definitions whose objects are being removed: what changes about them meanwhile is our own word. */
  readonly #leaving = new Set<string>();
  #stop: () => void = () => {};

  constructor(options: DefinitionControllerOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      clock: options.engine.clock,
      work: (name) => this.#sync(name),
      baseMs: LIMITS.customResources.retryBaseMs,
      maxMs: LIMITS.customResources.retryMaxMs,
      onError: (name, error) => {
        if (!isConflict(error) && !isNotFound(error))
          options.log.warn('will retry', { definition: name, error });
      },
    });
  }

  start(): void {
    const { definitions } = this.#options;
    const { revision } = definitions;
    for (const one of definitions.list({})) {
      const definition = one.object() as CustomResourceDefinition;
      // What was accepted and established before needs no second look.
      this.#checked.set(one.name, generationOf(definition));
      if (
        definition.metadata.deletionTimestamp ||
        !isConditionTrue(definition, 'Established') ||
        !isConditionTrue(definition, 'NamesAccepted')
      )
        this.#queue.add(one.name);
    }
    const handle = definitions.watch({}, revision, {
      event: ({ type, object }) => {
        if (type === 'DELETED') this.#forget(object.name);
        if (!this.#leaving.has(object.name)) this.#queue.add(object.name);
      },
      closed: () => {},
    });
    this.#stop = () => handle.stop();
  }

  async close(): Promise<void> {
    this.#stop();
    for (const name of [...this.#waiting.keys()]) this.#endWait(name);
    await this.#queue.stop();
  }

  #forget(name: string): void {
    this.#checked.delete(name);
    this.#leaving.delete(name);
    this.#endWait(name);
  }

  #endWait(name: string): void {
    this.#waiting.get(name)?.();
    this.#waiting.delete(name);
  }

  #find(name: string): CustomResourceDefinition | undefined {
    return this.#options.definitions.get(undefined, name)?.object() as CustomResourceDefinition | undefined;
  }

  async #sync(name: string): Promise<undefined> {
    const definition = this.#find(name);
    if (!definition) {
      this.#queueOthers(name);
      return;
    }
    const isLeaving = definition.metadata.deletionTimestamp !== undefined;
    if (isLeaving && definition.metadata.finalizers?.includes(CLEANUP_FINALIZER))
      await this.#terminate(definition);
    else await this.#accept(definition);
  }

  /** A name that became free may be wanted by another definition of the group. */
  #queueOthers(name: string): void {
    for (const one of this.#options.definitions.list({}))
      if (one.name !== name && groupIn(one.name) === groupIn(name)) this.#queue.add(one.name);
  }

  async #accept(definition: CustomResourceDefinition): Promise<void> {
    const { metadata, spec, status } = definition;
    const name = metadata.name ?? '';
    const generation = generationOf(definition);
    const others = this.#options.definitions
      .list({})
      .filter((one) => one.name !== name && groupIn(one.name) === spec.group)
      .flatMap((one) => (one.object() as CustomResourceDefinition).status?.acceptedNames ?? []);
    const wanted = planDefinitionStatus(definition, {
      others,
      now: rfc3339(this.#options.engine.clock.now()),
      checkSchemas: this.#checked.get(name) !== generation,
    });
    if (wanted !== status) {
      await this.#update({ ...definition, status: wanted });
      this.#queueOthers(name);
    }
    this.#checked.set(name, generation);
  }

  async #update(definition: CustomResourceDefinition): Promise<CustomResourceDefinition> {
    const { client } = this.#options.engine;
    return await client.update(customResourceDefinitions, definition, { subresource: 'status' });
  }

  async #terminate(known: CustomResourceDefinition): Promise<void> {
    this.#leaving.add(known.metadata.name ?? '');
    // A failure stays in sight until it is over: nobody is helped by two writes for each try.
    const hasFailed = findCondition(known, 'Terminating')?.reason === FAILED;
    const definition = hasFailed ? known : await this.#say(known, IN_PROGRESS);
    const end = await this.#deleteObjects(definition);
    if (!end) return;
    this.#leaving.delete(known.metadata.name ?? '');
    const finalizers = definition.metadata.finalizers?.filter((one) => one !== CLEANUP_FINALIZER) ?? [];
    const conditions = this.#with(definition, end);
    await this.#update({
      ...definition,
      metadata: { ...definition.metadata, finalizers },
      status: { ...definition.status, conditions },
    });
  }

  #with(definition: CustomResourceDefinition, condition: NewCondition) {
    const now = rfc3339(this.#options.engine.clock.now());
    return withCondition(definition.status?.conditions ?? [], condition, now);
  }

  async #say(
    definition: CustomResourceDefinition,
    condition: NewCondition,
  ): Promise<CustomResourceDefinition> {
    const { reason, message } = findCondition(definition, condition.type) ?? {};
    if (reason === condition.reason && message === condition.message) return definition;
    const conditions = this.#with(definition, condition);
    return await this.#update({ ...definition, status: { ...definition.status, conditions } });
  }

  /** The condition to end with, `undefined` while some object is still there; the last one to go brings us back. */
  async #deleteObjects(definition: CustomResourceDefinition): Promise<NewCondition | undefined> {
    const over = (reason: string, message: string): NewCondition => ({
      type: 'Terminating',
      status: 'False',
      reason,
      message,
    });
    const { spec, metadata } = definition;
    if (this.#options.isBuiltIn(spec.group, spec.names.plural))
      return over('OverlappingBuiltInResource', 'instances overlap with built-in resources in storage');
    const stored = this.#options.storedOf(metadata.name ?? '');
    if (!stored || !isConditionTrue(definition, 'Established'))
      return over('NeverEstablished', 'resource was never established');
    try {
      await stored.open?.();
      await this.#deleteAll(stored);
    } catch (error) {
      await this.#say(definition, {
        type: 'Terminating',
        status: 'True',
        reason: FAILED,
        message: `could not issue all deletes: ${errorText(error)}`,
      });
      throw error;
    }
    if (stored.served.cache.size === 0) {
      this.#endWait(metadata.name ?? '');
      return over('InstanceDeletionCompleted', 'removed all instances');
    }
    // Before anything else happens: the last one may go at any time.
    this.#waitForLast(metadata.name ?? '', stored.served.cache);
    await this.#say(definition, IN_PROGRESS);
    return undefined;
  }

  /** Tries all of them; rejects afterwards with the first that failed, which is the same one each time. */
  async #deleteAll({ served }: Endpoint): Promise<void> {
    const objects = served.cache.list({ matches: () => true });
    const remove = async ({ namespace = '', name }: CachedObject): Promise<void> => {
      await deleteObject(served, requestFor(namespace, name), {}).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    };
    const { deletesAtOnce } = LIMITS.customResources;
    const failures: unknown[] = [];
    for (let from = 0; from < objects.length; from += deletesAtOnce) {
      const tried = await Promise.allSettled(objects.slice(from, from + deletesAtOnce).map(remove));
      for (const one of tried) if (one.status === 'rejected') failures.push(one.reason);
    }
    if (failures.length > 0) throw failures[0];
  }

  #waitForLast(name: string, cache: WatchCache): void {
    if (this.#waiting.has(name)) return;
    const wake = (): void => {
      if (cache.size > 0) return;
      this.#endWait(name);
      this.#queue.add(name);
    };
    const handle = cache.watch({}, cache.revision, {
      event: wake,
      closed: () => {
        this.#waiting.delete(name);
        this.#queue.add(name);
      },
    });
    this.#waiting.set(name, () => handle.stop());
  }
}

function generationOf({ metadata }: CustomResourceDefinition): string {
  return `${metadata.uid} ${metadata.generation}`;
}

function requestFor(namespace: string, name: string): WriteRequest {
  return {
    user: { name: 'system:apiserver', groups: ['system:masters'] },
    namespace,
    name,
    dryRun: false,
    fieldManager: 'kube-apiserver',
    fieldValidation: 'Ignore',
    warn: () => {},
  };
}

/** Of a definition's name, `<plural>.<group>`; plurals have no dots. */
const groupIn = (name: string): string => name.slice(name.indexOf('.') + 1);
