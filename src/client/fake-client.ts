import { type FieldSelector, parseFieldSelector } from '../api/fields.ts';
import { type JsonObject, setOwn } from '../api/json-value.ts';
import { parseLabelSelector } from '../api/label-selector-text.ts';
import { applyJsonPatch } from '../api/patch/json-patch.ts';
import { applyMergePatch } from '../api/patch/merge-patch.ts';
import { applyStrategicMergePatch } from '../api/patch/strategic-merge-patch.ts';
import { apiVersionOf, type KubeObject, qualifiedResource, type Resource } from '../api/resource.ts';
import { namespaces } from '../api/resources.gen.ts';
import { kindSchema } from '../api/schema/built-in.ts';
import {
  alreadyExists,
  apiError,
  conflict,
  MODIFIED,
  namespaceTerminating,
  notFound,
} from '../api/status.ts';
import type { Clock } from '../lib/clock.ts';
import { rfc3339 } from '../lib/clock.ts';
import type { Client, DeleteOptions, ListOptions, ObjectRef, WatchEvent, WatchOptions } from './port.ts';

export interface FakeCall {
  readonly verb: 'create' | 'update' | 'patch' | 'delete';
  readonly resource: string;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string;
}

interface Change {
  readonly revision: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly resource: string;
  readonly object: KubeObject;
  readonly old: KubeObject | undefined;
}

/**
 * A Client over objects in memory, for tests: passes `test/contract/client.ts`. It has metadata, conflicts,
 * selectors, finalizers, status subresources, patches and watches, and neither defaults nor validation.
 */
export class FakeClient implements Client {
  readonly #clock: Clock;
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #changes: Change[] = [];
  readonly #wake = new Set<() => void>();
  #revision = 100;
  #compacted = 0;
  #uid = 0;
  /** Every write asked for, in order. */
  readonly calls: FakeCall[] = [];
  /** Throws to make a request fail; runs before anything is changed. */
  intercept: ((call: FakeCall) => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Forgets history: watches from older revisions get 410, as do those that run now. */
  compact(): void {
    this.#compacted = this.#revision;
    this.#changes.length = 0;
    this.#notify();
  }

  async get<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef): Promise<T> {
    return this.#find(resource, ref);
  }

  async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}) {
    const matches = matcher(options);
    const all = [...this.#of(resource).entries()].sort(([a], [b]) => (a < b ? -1 : 1));
    const found = all.filter(([, object]) => matches(object));
    const [from = '', at = ''] = (options.continue ?? '').split('#');
    const rest = from === '' ? found : found.filter(([key]) => key > from);
    const page = options.limit ? rest.slice(0, options.limit) : rest;
    const resourceVersion = at === '' ? String(this.#revision) : at;
    const last = page.length < rest.length ? page.at(-1)?.[0] : undefined;
    return {
      metadata: {
        resourceVersion,
        ...(last === undefined ? {} : { continue: `${last}#${resourceVersion}` }),
      },
      items: page.map(([, object]) => object as T),
    };
  }

  async *watch<T extends KubeObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>> {
    const matches = matcher(options);
    const { signal } = options;
    let seen = Number(options.resourceVersion);
    while (!signal.aborted) {
      if (seen < this.#compacted) throw apiError('Expired', `too old resource version: ${seen}`);
      for (const change of this.#changes) {
        if (change.revision <= seen || change.resource !== qualifiedResource(resource)) continue;
        seen = change.revision;
        const event = visible(change, matches);
        if (event) yield event as WatchEvent<T>;
        if (signal.aborted) return;
      }
      if (
        this.#changes.some(
          ({ revision, resource: of }) => revision > seen && of === qualifiedResource(resource),
        )
      )
        continue;
      await this.#changed(signal);
    }
  }

  async create<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: { dryRun?: boolean } = {},
  ): Promise<T> {
    const { generateName = '', namespace } = object.metadata;
    const name = object.metadata.name ?? `${generateName}${(this.#uid + 1).toString(36).padStart(5, 'x')}`;
    this.#record('create', resource, { name, namespace });
    const ref = { name, namespace };
    if (this.#of(resource).has(keyOf(ref))) throw alreadyExists(resource, name);
    const home = namespace === undefined ? undefined : this.#of(namespaces).get(keyOf({ name: namespace }));
    if (home?.metadata.deletionTimestamp) throw namespaceTerminating(resource, name, namespace ?? '');
    const { resourceVersion: _, ...given } = object.metadata;
    const created = structuredClone({
      ...object,
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      metadata: {
        ...given,
        name,
        uid: `uid-${++this.#uid}`,
        creationTimestamp: rfc3339(this.#clock.now()),
        ...('spec' in object ? { generation: 1 } : {}),
      },
    });
    if (!options.dryRun) this.#commit('ADDED', resource, created, undefined);
    return created;
  }

  async update<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: { subresource?: string } = {},
  ): Promise<T> {
    const ref = { name: object.metadata.name ?? '', namespace: object.metadata.namespace };
    this.#record('update', resource, ref, options.subresource);
    return this.#replace(resource, ref, object, options.subresource);
  }

  async patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: Parameters<Client['patch']>[2],
    options: { subresource?: string } = {},
  ): Promise<T> {
    this.#record('patch', resource, ref, options.subresource);
    const old = this.#find(resource, ref) as unknown as JsonObject;
    const schema = kindSchema({ group: resource.group, version: resource.version, kind: resource.kind });
    const patched =
      patch.type === 'json'
        ? applyJsonPatch(old, patch.body)
        : patch.type === 'strategic'
          ? applyStrategicMergePatch(old, patch.body as JsonObject, schema)
          : applyMergePatch(old, patch.body);
    return this.#replace(resource, ref, patched as unknown as T, options.subresource);
  }

  async delete<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    options: DeleteOptions = {},
  ): Promise<void> {
    this.#record('delete', resource, ref);
    const old = this.#find(resource, ref);
    const { uid, resourceVersion } = options.preconditions ?? {};
    if (uid !== undefined && uid !== old.metadata.uid) {
      const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`;
      throw conflict(resource, ref.name, why);
    }
    if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion)
      throw conflict(resource, ref.name, MODIFIED);
    const finalizers = [...(old.metadata.finalizers ?? [])];
    const { propagationPolicy } = options;
    if (propagationPolicy === 'Foreground') finalizers.push('foregroundDeletion');
    if (propagationPolicy === 'Orphan') finalizers.push('orphan');
    const graceful = isBoundPod(resource, old) && options.gracePeriodSeconds !== 0;
    if (finalizers.length === 0 && !graceful && resource.resource !== 'namespaces') {
      this.#commit('DELETED', resource, structuredClone(old), old);
      return;
    }
    const known = new Set(old.metadata.finalizers);
    if (old.metadata.deletionTimestamp && finalizers.every((one) => known.has(one))) return;
    const marked = structuredClone(old);
    marked.metadata.finalizers = [...new Set(finalizers)];
    marked.metadata.deletionTimestamp ??= rfc3339(this.#clock.now());
    if (resource.resource === 'namespaces') (marked as { status?: object }).status = { phase: 'Terminating' };
    this.#commit('MODIFIED', resource, marked, old);
  }

  async deleteCollection<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions & DeleteOptions,
  ): Promise<void> {
    const { items } = await this.list(resource, options);
    for (const { metadata } of items) {
      await this.delete(resource, { name: metadata.name ?? '', namespace: metadata.namespace }, options);
    }
  }

  async createSubresource<T extends KubeObject, B, R = B>(
    resource: Resource<T>,
    ref: ObjectRef,
    subresource: string,
    body: B,
  ): Promise<R> {
    this.#record('create', resource, ref, subresource);
    if (subresource === 'eviction') await this.delete(resource, ref);
    else if (subresource === 'binding') {
      const old = this.#find(resource, ref) as T & { spec?: object };
      const { target } = body as { target: { name: string } };
      const bound = { ...old, spec: { ...old.spec, nodeName: target.name } };
      this.#commit('MODIFIED', resource, structuredClone(bound), old);
    } else throw apiError('NotFound', `no subresource ${subresource}`);
    return body as unknown as R;
  }

  #of(resource: Resource): Map<string, KubeObject> {
    const key = qualifiedResource(resource);
    let objects = this.#objects.get(key);
    if (!objects) {
      objects = new Map();
      this.#objects.set(key, objects);
    }
    return objects;
  }

  #find<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef): T {
    const found = this.#of(resource).get(keyOf(ref));
    if (!found) throw notFound(resource, ref.name);
    return found as T;
  }

  #record(verb: FakeCall['verb'], resource: Resource, ref: ObjectRef, subresource?: string): void {
    const { name, namespace } = ref;
    const call = { verb, resource: resource.resource, subresource, namespace, name };
    this.calls.push(call);
    this.intercept?.(call);
  }

  #replace<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, wanted: T, subresource?: string): T {
    const old = this.#find(resource, ref) as T & { status?: unknown; spec?: unknown };
    const { resourceVersion, uid } = wanted.metadata;
    if (resourceVersion && resourceVersion !== old.metadata.resourceVersion)
      throw conflict(resource, ref.name, MODIFIED);
    if (uid && uid !== old.metadata.uid) throw conflict(resource, ref.name, MODIFIED);
    const next: T & { status?: unknown; spec?: unknown } = structuredClone(wanted);
    if (subresource === 'status' || subresource === 'approval') {
      const { metadata, status } = next;
      for (const key of Object.keys(next)) delete (next as Record<string, unknown>)[key];
      Object.assign(next, structuredClone(old), { metadata, status });
    } else if (subresource === 'finalize') {
      Object.assign(next, structuredClone(old), { spec: next.spec });
    } else if ('spec' in old) {
      setOwn(next as unknown as JsonObject, 'status', structuredClone(old.status));
      if (old.status === undefined) delete next.status;
    }
    const { metadata } = next;
    metadata.uid = old.metadata.uid;
    metadata.creationTimestamp = old.metadata.creationTimestamp;
    if (old.metadata.deletionTimestamp) metadata.deletionTimestamp = old.metadata.deletionTimestamp;
    metadata.generation = old.metadata.generation;
    metadata.resourceVersion = old.metadata.resourceVersion;
    if (JSON.stringify(next.spec) !== JSON.stringify(old.spec))
      metadata.generation = (old.metadata.generation ?? 0) + 1;
    if (JSON.stringify(next) === JSON.stringify(old)) return old;
    const namespaceLeft = (next.spec as { finalizers?: string[] } | undefined)?.finalizers?.length ?? 0;
    const done = metadata.deletionTimestamp && (metadata.finalizers ?? []).length === 0;
    const gone = done && !isBoundPod(resource, old) && namespaceLeft === 0;
    this.#commit(gone ? 'DELETED' : 'MODIFIED', resource, next, old);
    return next;
  }

  #commit(type: Change['type'], resource: Resource, object: KubeObject, old: KubeObject | undefined): void {
    const revision = ++this.#revision;
    object.metadata.resourceVersion = String(revision);
    const { name = '', namespace } = object.metadata;
    if (type === 'DELETED') this.#of(resource).delete(keyOf({ name, namespace }));
    else this.#of(resource).set(keyOf({ name, namespace }), object);
    this.#changes.push({ revision, type, resource: qualifiedResource(resource), object, old });
    this.#notify();
  }

  #notify(): void {
    for (const wake of [...this.#wake]) wake();
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#wake.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#wake.add(wake);
      signal.addEventListener('abort', wake);
    });
  }
}

function keyOf({ namespace, name }: ObjectRef): string {
  return `${namespace ?? ''}/${name}`;
}

/** Pods on a node go when their agent says so. */
function isBoundPod(resource: Resource, object: KubeObject): boolean {
  const { spec } = object as { spec?: { nodeName?: string } };
  return resource.resource === 'pods' && Boolean(spec?.nodeName);
}

function matcher(options: ListOptions): (object: KubeObject) => boolean {
  const labels = parseLabelSelector(options.labelSelector ?? '');
  const fields: FieldSelector = parseFieldSelector(options.fieldSelector ?? '');
  return (object) =>
    (options.namespace === undefined || object.metadata.namespace === options.namespace) &&
    labels.matches(object.metadata.labels ?? {}) &&
    fields.matches((path) => fieldText(object, path));
}

function fieldText(object: unknown, path: string): string {
  let at = object;
  for (const step of path.split('.')) at = (at as Record<string, unknown> | undefined)?.[step];
  return at === undefined ? '' : String(at);
}

/** Objects that come to match appear, those that stop matching go. */
function visible(
  change: Change,
  matches: (object: KubeObject) => boolean,
): WatchEvent<KubeObject> | undefined {
  const is = change.type !== 'DELETED' && matches(change.object);
  const was = change.old !== undefined && matches(change.old);
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', object: change.object };
  return was ? { type: 'DELETED', object: change.object } : undefined;
}
