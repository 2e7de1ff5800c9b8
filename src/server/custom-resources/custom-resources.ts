import type { JsonObject } from '../../api/json-value.ts';
import { apiVersionOf, type Resource } from '../../api/resource.ts';
import type { JsonSchema } from '../../api/structural/json-schema.ts';
import { RuleSet } from '../../api/structural/rule-programs.ts';
import { compileRoot, type StructuralSchema } from '../../api/structural/structural.ts';
import type { CustomResourceDefinition } from '../../api/types.gen.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { WebhookClient } from '../backend/webhook-client.ts';
import type { ResourceDefinition } from '../registry/definition.ts';
import type { Endpoint, Registry } from '../registry/registry.ts';
import type { Engine } from '../registry/served-resource.ts';
import { keyPrefix } from '../registry/storage-key.ts';
import { schemaOf } from '../resources/apiextensions/crd.ts';
import type { Upkeep } from '../watchcache/cache-record.ts';
import type { WatchCache } from '../watchcache/port.ts';
import { type CacheOptions, createWatchCache, type WatchCaches } from '../watchcache/watch-caches.ts';
import { type CompiledSchema, CompiledSchemas } from './compiled-schemas.ts';
import { Conversions } from './conversions.ts';
import { ConvertedStore } from './converted-store.ts';
import { customColumns } from './custom-columns.ts';
import { bringUp, customSchema } from './custom-schema.ts';
import { customStrategy, customSubresources } from './custom-strategy.ts';
import { type CustomType, type CustomVersion, customTypeOf } from './custom-type.ts';
import { LazyCache } from './lazy-cache.ts';
import { ServedVersion, type Shows } from './served-version.ts';

export interface CustomResourcesOptions {
  readonly registry: Registry;
  readonly caches: WatchCaches;
  /** Of the definitions themselves. */
  readonly definitions: WatchCache;
  readonly engine: Engine;
  readonly webhooks: WebhookClient;
}

/** One definition that is being served. */
interface Installed {
  readonly type: CustomType;
  readonly endpoints: readonly Endpoint[];
  /** The storage version as it is stored, for whoever must not depend on conversions. */
  readonly stored: Endpoint | undefined;
  readonly storage: LazyCache;
  /** Where a webhook converts: of each version, what it makes of the stored objects. */
  readonly converted: readonly LazyCache[];
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

  readonly #conversions: Conversions;

  constructor(options: CustomResourcesOptions) {
    this.#options = options;
    const definitionNamed = (name: string) => options.definitions.get(undefined, name)?.object();
    this.#schemas = new CompiledSchemas(definitionNamed);
    const { webhooks } = options;
    this.#conversions = new Conversions({ definitionNamed, schemas: this.#schemas, webhooks });
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
    return this.#installed.get(definition)?.stored;
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

  /** Nobody adds to a version of an API group that is built in: it is answered for as a whole. */
  #isBuiltInVersion({ group, version }: Pick<Resource, 'group' | 'version'>): boolean {
    return this.#options.registry.endpoints.some(
      ({ resource, served }) =>
        resource.group === group && resource.version === version && served.custom === undefined,
    );
  }

  #install(name: string, type: CustomType, before: Installed | undefined): void {
    const selectable = selectableOf(type);
    // What an earlier schema filled in is not there any more: only the datastore knows what is.
    const keepsCache = before?.selectable === selectable && !this.#altered.has(name);
    this.#altered.delete(name);
    const storage = keepsCache ? before.storage : this.#newStorage(name, type);
    const versions = type.versions.filter(({ served, name: one }) => served || one === type.storageVersion);
    const converted: LazyCache[] = [];
    const endpoints = versions.map((version) => {
      if (!type.convertsByWebhook)
        return this.#endpointOf(type, version, { source: storage, shows: 'renamed' });
      const source = this.#convertedStorage(type, version);
      converted.push(source);
      return this.#endpointOf(type, version, { source, shows: this.#conversions });
    });
    const own = versions.find((version) => version.name === type.storageVersion);
    const stored = own && this.#endpointOf(type, own, { source: storage, shows: 'asStored' });
    const installed = { type, endpoints, stored, storage, converted, selectable };
    this.#replace(name, before, installed);
    if (!before) return;
    for (const one of before.converted) void one.end();
    if (!keepsCache) this.#end(name, before.storage);
    // Objects may be shown differently from now on; watches come back and see them so.
    else before.storage.endWatches();
  }

  #replace(name: string, before: Installed | undefined, present: Installed): void {
    this.#installed.set(name, present);
    if (before?.endpoints === present.endpoints) return;
    const served = (one: Installed): Endpoint[] =>
      one.endpoints.filter(
        ({ resource }) => isServed(one.type, resource.version) && !this.#isBuiltInVersion(resource),
      );
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
    for (const one of present.converted) void one.end();
    this.#end(name, present.storage);
  }

  #end(name: string, storage: LazyCache): void {
    const ended = storage.end().finally(() => {
      if (this.#ending.get(name) === ended) this.#ending.delete(name);
    });
    this.#ending.set(name, ended);
  }

  #newStorage(name: string, type: CustomType): LazyCache {
    return new LazyCache(async () => {
      await this.#ending.get(name);
      return { cache: await this.#options.caches.open(this.#cacheOptions(type)) };
    });
  }

  #cacheOptions(type: CustomType): CacheOptions {
    return {
      resource: { namespaced: type.namespaced },
      prefix: keyPrefix({ group: type.group, resource: type.names.plural }),
      selectableFields: Object.assign({}, ...type.versions.map((one) => one.selectableFields)),
      upkeep: () => this.#upkeeps.get(type.name) ?? NO_UPKEEP,
    };
  }

  #convertedStorage(type: CustomType, version: CustomVersion): LazyCache {
    const { engine } = this.#options;
    const apiVersion = apiVersionOf({ group: type.group, version: version.name });
    const options = this.#cacheOptions(type);
    return new LazyCache(async (onLost) => {
      const datastore = new ConvertedStore({
        datastore: engine.datastore,
        prefix: options.prefix,
        apiVersion,
        convert: (objects) => this.#conversions.convert(type.name, objects, apiVersion),
        onFailure: onLost,
      });
      const end = (): void => datastore.end();
      try {
        const cache = await createWatchCache({ ...options, datastore, clock: engine.clock });
        return { cache, end, settled: () => datastore.settled() };
      } catch (error) {
        end();
        throw error;
      }
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

  #endpointOf(
    type: CustomType,
    version: CustomVersion,
    { source, shows }: { readonly source: LazyCache; readonly shows: Shows },
  ): Endpoint {
    const { names, group, namespaced } = type;
    const { name, warning } = version;
    const resource: Resource = { group, version: name, resource: names.plural, kind: names.kind, namespaced };
    const compiled = (): CompiledSchema => this.#schemas.find(type.name, name) ?? NO_SCHEMA;
    const schema = customSchema(resource, () => compiled().schema);
    const served = new ServedVersion({
      type,
      resource,
      source,
      schema,
      definition: definitionOf(resource, type, version, compiled),
      engine: this.#options.engine,
      isTerminating: () => this.#isTerminating(type.name),
      shows,
    });
    return {
      served,
      resource,
      schema,
      open: () => source.open(),
      ...(warning === undefined ? {} : { warning }),
    };
  }

  #isTerminating(name: string): boolean {
    return this.#installed.get(name)?.type.isTerminating ?? true;
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
