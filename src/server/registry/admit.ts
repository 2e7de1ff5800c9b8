import type { KubeObject } from '../../api/resource.ts';
import { rfc3339 } from '../../lib/clock.ts';
import type { AdmissionAttributes, AdmissionOperation } from '../admission/port.ts';
import { Reinvocation } from '../admission/reinvocation.ts';
import type { StrategyContext } from './definition.ts';
import type { ServedResource, WriteRequest } from './served-resource.ts';

export interface Admission {
  readonly operation: AdmissionOperation;
  readonly subresource: string;
  readonly object?: KubeObject;
  readonly oldObject?: KubeObject;
  /** Of the object, where the request does not name it (create). */
  readonly name?: string;
  /** Where the request shows something else than the object (scale). */
  readonly shown?: AdmissionAttributes['shown'];
  /** Of a delete, as the caller gave them. */
  readonly deleteOptions?: object;
}

/** A class: accessors of an object literal would be defined anew for each write. */
class Attributes implements AdmissionAttributes {
  readonly operation: AdmissionOperation;
  readonly subresource: string;
  readonly object?: KubeObject;
  readonly oldObject?: KubeObject;
  readonly shown?: NonNullable<AdmissionAttributes['shown']>;
  readonly resource: AdmissionAttributes['resource'];
  readonly requested: AdmissionAttributes['resource'];
  readonly namespace: string;
  readonly name: string;
  readonly user: AdmissionAttributes['user'];
  readonly dryRun: boolean;
  readonly reinvocation = new Reinvocation();
  readonly client: AdmissionAttributes['client'];
  readonly clock: AdmissionAttributes['clock'];
  readonly warn: AdmissionAttributes['warn'];
  readonly annotate: AdmissionAttributes['annotate'] = (key, value) => this.#request.annotate?.(key, value);
  readonly #request: WriteRequest;
  readonly #deleteOptions: object | undefined;

  constructor({ engine, definition }: ServedResource, request: WriteRequest, admission: Admission) {
    const { operation, subresource, object, oldObject, shown, name, deleteOptions } = admission;
    this.operation = operation;
    this.subresource = subresource;
    if (object !== undefined) this.object = object;
    if (oldObject !== undefined) this.oldObject = oldObject;
    if (shown !== undefined) this.shown = shown;
    this.resource = definition.resource;
    this.requested = requestedResource(engine, definition.resource, request.resource);
    this.namespace = request.namespace;
    this.name = name ?? request.name;
    this.user = request.user;
    this.dryRun = request.dryRun;
    this.client = engine.client;
    this.clock = engine.clock;
    this.warn = request.warn;
    this.#request = request;
    this.#deleteOptions = deleteOptions;
  }

  get options(): object | undefined {
    return operationOptions(this.operation, this.#request, this.#deleteOptions);
  }
}

/** The resource in the version of the request; mostly that of the stored one. */
function requestedResource(
  engine: ServedResource['engine'],
  stored: AdmissionAttributes['resource'],
  asked: WriteRequest['resource'],
): AdmissionAttributes['resource'] {
  const isStored =
    asked === undefined ||
    (asked.resource === stored.resource && asked.group === stored.group && asked.version === stored.version);
  return isStored ? stored : (engine.findResource(asked) ?? stored);
}

const OPTIONS_KINDS = { CREATE: 'CreateOptions', UPDATE: 'UpdateOptions', DELETE: 'DeleteOptions' } as const;

/** What the caller asked for besides the object, in the form of `meta.k8s.io/v1`. */
function operationOptions(
  operation: AdmissionOperation,
  { dryRun, given }: WriteRequest,
  deleteOptions: object = {},
): object | undefined {
  if (operation === 'CONNECT') return undefined;
  // Ours is a boolean, the API's a list.
  const { dryRun: _, ...rest } = deleteOptions as { dryRun?: boolean };
  return {
    ...(operation === 'DELETE' ? rest : given),
    kind: OPTIONS_KINDS[operation],
    apiVersion: 'meta.k8s.io/v1',
    ...(dryRun ? { dryRun: ['All'] } : {}),
  };
}

/**
 * Runs every mutating plugin in order, and all of them once more when a webhook or policy changed the object. True when
 * one of them saw the object and may have changed it.
 */
export async function admitMutating(
  served: ServedResource,
  request: WriteRequest,
  admission: Admission,
): Promise<boolean> {
  const attributes = new Attributes(served, request, admission);
  const { reinvocation } = attributes;
  const touched = await mutateOnce(served, attributes);
  if (!reinvocation.isWanted) return touched;
  reinvocation.isReinvoke = true;
  await mutateOnce(served, attributes);
  return true;
}

async function mutateOnce(served: ServedResource, attributes: AdmissionAttributes): Promise<boolean> {
  let touched = false;
  for (const plugin of served.engine.admission) {
    if (!plugin.mutate || plugin.handles?.(attributes) === false) continue;
    touched = true;
    // Most answer at once; each await would cost a turn.
    const running = plugin.mutate(attributes);
    if (running) await running;
  }
  return touched;
}

/** Runs every validating plugin in order; the first refusal ends it. */
export async function admitValidating(
  served: ServedResource,
  request: WriteRequest,
  admission: Admission,
): Promise<void> {
  const attributes = new Attributes(served, request, admission);
  for (const plugin of served.engine.admission) {
    if (!plugin.validate || plugin.handles?.(attributes) === false) continue;
    const running = plugin.validate(attributes);
    if (running) await running;
  }
}

/** What the hooks of a strategy are given, likewise a class. */
class Context implements StrategyContext {
  readonly client: StrategyContext['client'];
  readonly allocators: StrategyContext['allocators'];
  readonly user: StrategyContext['user'];
  readonly dryRun: boolean;
  readonly #engine: ServedResource['engine'];
  readonly now = (): string => rfc3339(this.#engine.clock.now());

  constructor({ engine }: ServedResource, { user, dryRun }: WriteRequest) {
    this.client = engine.client;
    this.allocators = engine.allocators;
    this.user = user;
    this.dryRun = dryRun;
    this.#engine = engine;
  }

  /** Only there once authorization is, which itself starts by writing default roles. */
  get reviews(): StrategyContext['reviews'] {
    return this.#engine.reviews;
  }
}

export function strategyContext(served: ServedResource, request: WriteRequest): StrategyContext {
  return new Context(served, request);
}
