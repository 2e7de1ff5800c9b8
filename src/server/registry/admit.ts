import type { KubeObject } from '../../api/resource.ts';
import { rfc3339 } from '../../lib/clock.ts';
import type { Doing } from '../admission/chain.ts';
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
  readonly endMs?: number;
  readonly warn: AdmissionAttributes['warn'];
  readonly annotate: AdmissionAttributes['annotate'];
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
    if (request.endMs !== undefined) this.endMs = request.endMs;
    this.warn = request.warn;
    this.annotate = request.annotate ?? unheard;
    this.#request = request;
    this.#deleteOptions = deleteOptions;
  }

  get options(): object | undefined {
    return operationOptions(this.operation, this.#request, this.#deleteOptions);
  }
}

const unheard = (): void => undefined;

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
 * one of them saw the object and may have changed it. A promise only where a plugin answered with one.
 */
export function admitMutating(
  served: ServedResource,
  request: WriteRequest,
  admission: Admission,
): boolean | Promise<boolean> {
  const attributes = new Attributes(served, request, admission);
  const { mutating } = served.engine.admission.of(attributes);
  const { reinvocation } = attributes;
  let touched = false;
  const mutate = (plugin: Doing<'mutate'>): void | Promise<void> => {
    if (plugin.handles?.(attributes) === false) return;
    touched = true;
    return plugin.mutate(attributes);
  };
  const again = (): boolean | Promise<boolean> => {
    if (!reinvocation.isWanted) return touched;
    reinvocation.isReinvoke = true;
    const running = inOrder(mutating, mutate);
    return running ? running.then(() => true) : true;
  };
  const running = inOrder(mutating, mutate);
  return running ? running.then(again) : again();
}

/** Runs every validating plugin in order; the first refusal ends it. A promise only where a plugin answered with one. */
export function admitValidating(
  served: ServedResource,
  request: WriteRequest,
  admission: Admission,
): void | Promise<void> {
  const attributes = new Attributes(served, request, admission);
  const { validating } = served.engine.admission.of(attributes);
  return inOrder(validating, (plugin): void | Promise<void> => {
    if (plugin.handles?.(attributes) !== false) return plugin.validate(attributes);
  });
}

/** One after another. Most plugins answer at once, and then so does this: each await would cost a turn. */
function inOrder<P>(
  plugins: readonly P[],
  run: (plugin: P) => void | Promise<void>,
  from = 0,
): void | Promise<void> {
  for (let at = from; at < plugins.length; at++) {
    const running = run(plugins[at] as P);
    if (running) return running.then(() => inOrder(plugins, run, at + 1));
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
