import type { JsonObject } from '../../api/json-value.ts';
import { apiVersionOf, type Resource } from '../../api/resource.ts';
import type { JsonSchema } from '../../api/structural/json-schema.ts';
import { RuleSet } from '../../api/structural/rule-programs.ts';
import { compileRoot, type StructuralSchema } from '../../api/structural/structural.ts';
import type { CustomResourceDefinition } from '../../api/types.gen.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { ResourceDefinition } from '../registry/definition.ts';
import type { Endpoint, Registry } from '../registry/registry.ts';
import type { Engine, ObjectSchema, ServedResource } from '../registry/served-resource.ts';
import { keyPrefix } from '../registry/storage-key.ts';
import { schemaOf } from '../resources/apiextensions/crd.ts';
import type { Upkeep } from '../watchcache/cache-record.ts';
import type { WatchCache } from '../watchcache/port.ts';
import type { WatchCaches } from '../watchcache/watch-caches.ts';
import { type CompiledSchema, CompiledSchemas } from './compiled-schemas.ts';
import { customColumns } from './custom-columns.ts';
import { bringUp, customSchema } from './custom-schema.ts';
import { customStrategy, customSubresources } from './custom-strategy.ts';
import { type CustomType, type CustomVersion, customTypeOf } from './custom-type.ts';
import { LazyCache } from './lazy-cache.ts';
import { versionCache } from './version-cache.ts';

export interface CustomResourcesOptions {
  readonly registry: Registry;
  readonly caches: WatchCaches;
  /** Of the definitions themselves. */
  readonly definitions: WatchCache;
  readonly engine: Engine;
}

/** One definition that is being served. */
interface Installed {
  readonly type: CustomType;
  readonly endpoints: readonly Endpoint[];
  readonly storage: LazyCache;
  /** What its cache holds beside the objects; another set needs another cache. */
  readonly selectable: string;
}

/**
 * Serves what CustomResourceDefinitions describe, through the same engine as the built-in kinds. Follows the definitions
 * within the turn of the event loop in which they change: the next request sees the new schema.
 */
export class CustomResources {
  readonly #options: CustomResourcesOptions;
  readonly #schemas: CompiledSchemas;
  readonly #installed = new Map<string, Installed>();
  readonly #upkeeps = new Map<string, Upkeep>();
  /** Definitions whose caches show some object otherwise than it is stored. */
  readonly #altered = new Set<string>();
  /** Caches being taken down, by definition; a new one for the same objects waits for them. */
  readonly #ending = new Map<string, Promise<void>>();
  #stop: () => void = () => {};

  constructor(options: CustomResourcesOptions) {
    this.#options = options;
    this.#schemas = new CompiledSchemas((name) => options.definitions.get(undefined, name)?.object());
  }

  /** Installs what is defined and follows it from there. */
  start(): void {
    const { definitions } = this.#options;
    const { revision } = definitions;
    for (const one of definitions.list({})) this.#apply(one.object() as CustomResourceDefinition);
    const handle = definitions.watch({}, revision, {
      event: ({ type, object }) => {
        if (type === 'DELETED') this.#remove(object.name);
        else this.#apply(object.object() as CustomResourceDefinition);
      },
      closed: () => {},
    });
    this.#stop = () => handle.stop();
  }

  close(): void {
    this.#stop();
  }

  /** The schema of a version as its definition has it, for those who publish it. */
  sourceOf({
    group,
    version,
    resource,
  }: Pick<Resource, 'group' | 'version' | 'resource'>): JsonSchema | undefined {
    const definition = this.#options.definitions.get(undefined, `${resource}.${group}`)?.object();
    const found = (definition as CustomResourceDefinition | undefined)?.spec.versions.find(
      ({ name }) => name === version,
    );
    return found && schemaOf(found);
  }

  /** Where the objects of a definition are stored; `undefined` where it adds nothing. */
  storedOf(definition: string): Endpoint | undefined {
    const found = this.#installed.get(definition);
    return found?.endpoints.find(({ resource }) => resource.version === found.type.storageVersion);
  }

  #apply(definition: CustomResourceDefinition): void {
    const name = definition.metadata.name ?? '';
    const type = customTypeOf(definition);
    const before = this.#installed.get(name);
    if (!type || this.isBuiltIn(type.group, type.names.plural)) {
      if (before) this.#remove(name);
      return;
    }
    if (before && before.type.uid !== type.uid) this.#remove(name);
    const present = this.#installed.get(name);
    if (present && isSameService(present.type, type)) {
      this.#replace(name, present, { ...present, type });
      return;
    }
    this.#schemas.forget(name);
    this.#upkeeps.set(name, this.#upkeepOf(type));
    this.#install(name, type, present);
  }

  /** Built-in kinds come first; a definition of the same name would share their storage. */
  isBuiltIn(group: string, plural: string): boolean {
    return this.#options.registry.endpoints.some(
      ({ resource, served }) =>
        resource.group === group && resource.resource === plural && served.custom === undefined,
    );
  }

  #install(name: string, type: CustomType, before: Installed | undefined): void {
    const selectable = selectableOf(type);
    // What an earlier schema filled in is not there any more: only the datastore knows what is.
    const keepsCache = before?.selectable === selectable && !this.#altered.has(name);
    this.#altered.delete(name);
    const storage = keepsCache ? before.storage : this.#newStorage(name, type);
    const endpoints = type.versions
      .filter(({ served, name: version }) => served || version === type.storageVersion)
      .map((version) => this.#endpointOf(type, version, storage));
    const installed = { type, endpoints, storage, selectable };
    this.#replace(name, before, installed);
    if (before && !keepsCache) this.#end(name, before.storage);
    // Objects may be shown differently from now on; watches come back and see them so.
    else if (before) before.storage.endWatches();
  }

  #replace(name: string, before: Installed | undefined, present: Installed): void {
    this.#installed.set(name, present);
    if (before?.endpoints === present.endpoints) return;
    const served = (one: Installed): Endpoint[] =>
      one.endpoints.filter(({ resource }) => isServed(one.type, resource.version));
    this.#options.registry.replace(before ? served(before) : [], served(present));
  }

  #remove(name: string): void {
    const present = this.#installed.get(name);
    this.#schemas.forget(name);
    this.#upkeeps.delete(name);
    this.#altered.delete(name);
    if (!present) return;
    this.#installed.delete(name);
    this.#options.registry.replace(present.endpoints, []);
    this.#end(name, present.storage);
  }

  #end(name: string, storage: LazyCache): void {
    const ended = storage.end().finally(() => {
      if (this.#ending.get(name) === ended) this.#ending.delete(name);
    });
    this.#ending.set(name, ended);
  }

  #newStorage(name: string, type: CustomType): LazyCache {
    const { caches } = this.#options;
    const fields = Object.assign({}, ...type.versions.map((one) => one.selectableFields)) as Record<
      string,
      (object: object) => string
    >;
    return new LazyCache(async () => {
      await this.#ending.get(name);
      return await caches.open({
        resource: { namespaced: type.namespaced },
        prefix: keyPrefix({ group: type.group, resource: type.names.plural }),
        selectableFields: fields,
        upkeep: () => this.#upkeeps.get(name) ?? NO_UPKEEP,
      });
    });
  }

  #upkeepOf(type: CustomType): Upkeep {
    return {
      sinceRevision: type.revision + LIMITS.customResources.raceRevisions,
      bring: (object) => {
        const version = object.apiVersion?.split('/')[1] ?? '';
        const found = this.#schemas.find(type.name, version);
        const isAltered = found !== undefined && bringUp(object as unknown as JsonObject, found.schema);
        if (isAltered) this.#altered.add(type.name);
        return isAltered;
      },
    };
  }

  #endpointOf(type: CustomType, version: CustomVersion, storage: LazyCache): Endpoint {
    const { names, group, namespaced } = type;
    const resource: Resource = {
      group,
      version: version.name,
      resource: names.plural,
      kind: names.kind,
      namespaced,
    };
    const compiled = (): CompiledSchema => this.#schemas.find(type.name, version.name) ?? NO_SCHEMA;
    const schema = customSchema(resource, () => compiled().schema);
    const served = new ServedVersion({
      type,
      resource,
      storage,
      schema,
      definition: definitionOf(resource, type, version, compiled),
      engine: this.#options.engine,
      isTerminating: () => this.#isTerminating(type.name),
    });
    return { served, resource, schema, open: () => storage.open(), warning: version.warning };
  }

  #isTerminating(name: string): boolean {
    return this.#installed.get(name)?.type.isTerminating ?? true;
  }
}

/** One version of a custom resource as the engine works on it. Its cache opens late, so it is asked for each time. */
class ServedVersion implements ServedResource {
  readonly definition: ResourceDefinition;
  readonly schema: ObjectSchema;
  readonly prefix: string;
  readonly engine: Engine;
  readonly custom: NonNullable<ServedResource['custom']>;
  readonly storage: ServedResource['storage'];
  readonly #source: LazyCache;
  /** Where the definition has several versions: how this one shows objects. */
  readonly #apiVersion: string | undefined;
  #view: { readonly base: WatchCache; readonly cache: WatchCache } | undefined;

  constructor(parts: {
    readonly type: CustomType;
    readonly resource: Resource;
    readonly storage: LazyCache;
    readonly schema: ObjectSchema;
    readonly definition: ResourceDefinition;
    readonly engine: Engine;
    readonly isTerminating: () => boolean;
  }) {
    const { type, resource, isTerminating } = parts;
    this.definition = parts.definition;
    this.schema = parts.schema;
    this.prefix = keyPrefix(resource);
    this.engine = parts.engine;
    this.custom = {
      definition: type.name,
      stamp: `${type.uid}/${type.generation}`,
      isTerminating,
      count: () => (parts.storage.isOpen ? parts.storage.cache.size : undefined),
    };
    this.#source = parts.storage;
    if (type.versions.length === 1) return;
    const apiVersion = apiVersionOf(resource);
    const stored = apiVersionOf({ group: type.group, version: type.storageVersion });
    this.#apiVersion = apiVersion;
    this.storage = {
      write: (object) => ({ ...object, apiVersion: stored }),
      read: (object) => ({ ...object, apiVersion }),
    };
  }

  get cache(): WatchCache {
    const base = this.#source.cache;
    if (this.#apiVersion === undefined) return base;
    if (this.#view?.base !== base) this.#view = { base, cache: versionCache(base, this.#apiVersion) };
    return this.#view.cache;
  }
}

function definitionOf(
  resource: Resource,
  { names }: CustomType,
  version: CustomVersion,
  compiled: () => CompiledSchema,
): ResourceDefinition {
  const { singular, listKind, shortNames = [], categories = [] } = names;
  return {
    resource,
    ...(singular === undefined ? {} : { singular }),
    ...(listKind === undefined ? {} : { listKind }),
    shortNames,
    categories,
    columns: customColumns(version.columns),
    selectableFields: version.selectableFields,
    strategy: customStrategy(version, compiled),
    subresources: customSubresources(version, compiled),
  };
}

const NO_UPKEEP: Upkeep = { sinceRevision: 0, bring: () => false };
const FREE: StructuralSchema = compileRoot({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true });
/** Stands in for a version that is gone while a request for it was under way. */
const NO_SCHEMA: CompiledSchema = { schema: FREE, rules: new RuleSet(), sizeNodes: 1 };

const isServed = (type: CustomType, version: string): boolean =>
  type.versions.some(({ name, served }) => name === version && served);

const selectableOf = ({ versions }: CustomType): string =>
  JSON.stringify([...new Set(versions.flatMap((one) => Object.keys(one.selectableFields)))].sort());

/** Whether two states of a definition serve the same thing in the same way. */
function isSameService(a: CustomType, b: CustomType): boolean {
  return a.generation === b.generation && JSON.stringify(a.names) === JSON.stringify(b.names);
}
