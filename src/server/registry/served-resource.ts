import type { FieldValidation, Fitted } from '../../api/decode/decode-body.ts';
import type { KubeObject, Resource } from '../../api/resource.ts';
import type { SchemaNode } from '../../api/schema/node.ts';
import type { FieldError } from '../../api/status.ts';
import type { Client, Patch } from '../../client/port.ts';
import type { Datastore } from '../../datastore/port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { AdmissionChain } from '../admission/chain.ts';
import type { WatchCache } from '../watchcache/port.ts';
import type { Allocators, ResourceDefinition, Reviews, UserInfo } from './definition.ts';

/** One resource as the engine works on it: what sets it apart, its newest state, and what all resources share. */
export interface ServedResource {
  readonly definition: ResourceDefinition;
  readonly schema: ObjectSchema;
  readonly cache: WatchCache;
  /** Where its objects lie in the datastore; ends in a slash. */
  readonly prefix: string;
  readonly engine: Engine;
  /** Set for what a CustomResourceDefinition adds. */
  readonly custom?: {
    /** Its name. */
    readonly definition: string;
    /** Changes when its spec does. */
    readonly stamp: string;
    /** Of the versions that are served, the one that is stored; undefined where that one is not served. */
    readonly storageVersion: string | undefined;
    /** Nothing new is created any more: the definition is being deleted. */
    readonly isTerminating: () => boolean;
    /** An object of any version of it in another one, for those who do not go through the engine. Rejects with a 500. */
    readonly convert: (object: KubeObject, apiVersion: string) => Promise<KubeObject>;
    /** Of the objects; unknown while nobody asked for any. */
    readonly count: () => number | undefined;
  };
  /** Resolves when the cache shows everything committed so far; absent where it always does. */
  readonly settled?: () => Promise<void>;
  /**
   * Between the version this is and the one that is stored; absent where they are the same. The cache shows objects
   * in this version already.
   */
  readonly storage?: {
    readonly write: (object: KubeObject) => KubeObject | Promise<KubeObject>;
    /** Whether the datastore holds an object in another version than `write` makes. */
    readonly isStale: (namespace: string, name: string) => Promise<boolean>;
    /** Of what the datastore still holds of the past. */
    readonly read: (stored: KubeObject) => KubeObject | Promise<KubeObject>;
  };
}

/** What every resource shares. */
export interface Engine {
  readonly datastore: Datastore;
  readonly clock: Clock;
  readonly admission: AdmissionChain;
  /** Reads and writes as the server itself. */
  readonly client: Client;
  readonly allocators: Allocators;
  readonly reviews: Reviews;
  /** The resource in one of its versions, for admission; `undefined` where it is not served. */
  readonly findResource: (resource: Pick<Resource, 'group' | 'version' | 'resource'>) => Resource | undefined;
}

/** What the engine asks of a kind's schema, built in or from a CustomResourceDefinition. */
export interface ObjectSchema {
  readonly type: SchemaNode;
  /**
   * Checks the types of decoded data and drops or refuses unknown fields as `validation` says. Throws 400 or 422.
   * `warnings` are texts for `Warning:` headers.
   */
  conform(data: unknown, validation: FieldValidation): { object: KubeObject; warnings: readonly string[] };
  /** The same for a copy of a configuration that is applied; what nobody declared is refused as upstream does. */
  conformApplied(
    data: unknown,
    validation: FieldValidation,
  ): { object: KubeObject; warnings: readonly string[] };
  /** Fits decoded data, which may be changed; what is wrong with it but not fatal is for the caller to judge. */
  shape(data: unknown): Fitted;
  /** Fills in constant defaults, in place. */
  applyDefaults(object: KubeObject): void;
  /** Required fields, enumerations, ranges. */
  validate(object: KubeObject): readonly FieldError[];
  /** Applies a JSON, merge or strategic merge patch to a copy. Throws 400, 415 or 422. */
  patch(live: KubeObject, patch: Exclude<Patch, { type: 'apply' }>): unknown;
  /** Server-side apply; managed fields included. Throws 409 with one cause for each conflict. */
  apply(live: KubeObject | undefined, options: ApplyOptions): KubeObject;
  /** Brings `object.metadata.managedFields` up to date after a write that is not an apply, in place. */
  recordUpdate(live: KubeObject | undefined, object: KubeObject, options: ManagerOptions): void;
}

export interface ManagerOptions {
  readonly manager: string;
  readonly subresource: string;
  /** RFC 3339. */
  readonly now: string;
  /** Top-level fields this route does not write, such as `status`; nobody comes to own them. */
  readonly ignored: readonly string[];
}

export interface ApplyOptions extends ManagerOptions {
  readonly config: KubeObject;
  readonly force: boolean;
}

/** What a write brings along besides its object. */
export interface WriteRequest {
  readonly user: UserInfo;
  /** Empty for cluster-scoped resources. */
  readonly namespace: string;
  /** Empty on create. */
  readonly name: string;
  readonly dryRun: boolean;
  readonly fieldManager: string;
  /** Server-side apply, which means nothing without managed fields. */
  readonly applies?: true;
  readonly fieldValidation: FieldValidation;
  /** The version the caller speaks; storage may hold another. */
  readonly resource?: Pick<Resource, 'group' | 'version' | 'resource'>;
  /** Options as the caller gave them, without what stands in for those that are missing. */
  readonly given?: { readonly fieldManager?: string; readonly fieldValidation?: string };
  /** When nobody waits for the answer any more, by the monotonic clock. */
  readonly endMs?: number;
  /** Adds a `Warning:` header to the answer. */
  warn(text: string): void;
  /** Adds to what the audit log says of the request. */
  annotate?(key: string, value: string): void;
}

/** The state after a write. */
export interface Written {
  readonly object: KubeObject;
  readonly created: boolean;
}

/** How many objects there are; unknown for a custom resource that nobody asked for yet. */
export function countObjects(served: ServedResource): number | undefined {
  return served.custom ? served.custom.count() : served.cache.size;
}
