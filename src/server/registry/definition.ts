import type { KubeObject, Resource } from '../../api/resource.ts';
import type { FieldError } from '../../api/status.ts';
import type {
  SelfSubjectAccessReview,
  SelfSubjectReview,
  SelfSubjectRulesReview,
  ServiceAccount,
  SubjectAccessReview,
  TokenRequest,
  TokenReview,
} from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';

/**
 * Everything that sets one resource apart. Routes, discovery, OpenAPI, tables, RBAC names, storage keys and
 * contract tests derive from it; the generic engine does the rest (metadata, uid, generation, managed fields,
 * resourceVersion, finalizers, schema types, schema defaults and enums). One file per resource exports one of
 * these; `src/server/resources/table.ts` lists them.
 */
export interface ResourceDefinition<T extends KubeObject = KubeObject> {
  readonly resource: Resource<T>;
  readonly singular?: string;
  /** `<Kind>List` by default. */
  readonly listKind?: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  /** For a `Warning:` header on every answer: its version is deprecated. */
  readonly deprecation?: string;
  /** All of them by default. */
  readonly verbs?: readonly Verb[];
  /** `volatile` resources live in memory and reach disk rarely (Event). */
  readonly durability?: 'durable' | 'volatile';
  /** True for an update that a crash may undo, such as a heartbeat or a renewal: it reaches the disk as rarely as volatile ones. */
  readonly isForgettable?: (object: T, old: T) => boolean;
  /** The same objects in other API versions; storage keeps `resource`'s. */
  readonly otherVersions?: readonly ResourceVersionOf<T>[];
  readonly columns: readonly Column<T>[];
  /** A delete answers with the object's last state (Pods, Services, …) instead of a Status. */
  readonly returnsDeleted?: boolean;
  /** Field selectors beyond `metadata.name` and `metadata.namespace`. Kept beside the object in the watch cache. */
  readonly selectableFields?: Readonly<Record<string, (object: T) => string>>;
  /** Rules for `metadata.name`; DNS subdomain by default. Returns what is wrong with it, in upstream's words. */
  readonly validateName?: (name: string) => readonly string[];
  /** `metadata.finalizers` need no domain, as upstream looks at the metadata of custom and of some other kinds. */
  readonly anyFinalizer?: true;
  readonly strategy?: Strategy<T>;
  readonly subresources?: readonly Subresource<T>[];
  /**
   * Nothing is stored: POST runs this and answers with what it returns (TokenReview, SubjectAccessReview family).
   * `verbs` is `['create']` then and `columns` is empty.
   */
  readonly virtual?: {
    readonly create: (options: {
      readonly body: T;
      readonly namespace: string;
      readonly context: StrategyContext;
    }) => Promise<T>;
  };
}

export type Verb = 'create' | 'get' | 'list' | 'watch' | 'update' | 'patch' | 'delete' | 'deletecollection';

export interface ResourceVersionOf<T> {
  readonly resource: Resource;
  /** To and from the storage version; plain data, may reuse parts. */
  readonly toStorage: (object: KubeObject) => T;
  readonly fromStorage: (object: T) => KubeObject;
  /** Field selectors by this version's names, with the stored version's; all of the latter where it says nothing. */
  readonly fieldLabels?: Readonly<Record<string, string>>;
}

/**
 * Upstream's rest strategy. Objects given to `default…` and `prepare…` may be changed in place; `old` never.
 * Order on create: decode → default → mutating admission → prepareCreate → default → validate → validating
 * admission. On update the same with prepareUpdate, then validateUpdate. `default` is idempotent: it runs before
 * admission, as plugins (LimitRanger, ServiceAccount) rely on it, and after, for what plugins added. `status` is dropped on create and kept on update by the engine when a
 * `status` subresource exists; `metadata.generation` starts at 1 and moves when anything but metadata and
 * status changes.
 */
export interface Strategy<T extends KubeObject> {
  /** Version defaults that depend on other fields; constant ones come from the schema. */
  readonly default?: (object: T) => void;
  readonly prepareCreate?: (object: T, context: StrategyContext) => void | Promise<void>;
  readonly prepareUpdate?: (object: T, old: T, context: StrategyContext) => void | Promise<void>;
  readonly validate?: (object: T) => readonly FieldError[];
  /** Only on create: where an update may keep what would be refused of a new object. */
  readonly validateNew?: (object: T) => readonly FieldError[];
  readonly validateUpdate?: (object: T, old: T) => readonly FieldError[];
  /** `Warning:` headers for deprecated fields and suspicious use. */
  readonly warnings?: (object: T, old: T | undefined) => readonly string[];
  /** PUT to a name that does not exist creates it (Leases, Endpoints …). False by default. */
  readonly allowCreateOnUpdate?: boolean;
  /**
   * What a delete that names no policy means for what the object owns: `orphan` leaves it (Jobs and
   * ReplicationControllers, of old), `none` asks the garbage collector nothing, whatever the policy (Events).
   */
  readonly dependents?: 'orphan' | 'none';
  /** Heard by who deletes without saying what becomes of dependents. */
  readonly deleteWarning?: string;
  /** False refuses PUT without `metadata.resourceVersion`. True by default. */
  readonly allowUnconditionalUpdate?: boolean;
  /** False: no `metadata.generation` (ConfigMap, Secret, Event, …). True for kinds with a `spec` by default. */
  readonly hasGeneration?: boolean;
  /**
   * Seconds of grace on delete, Pods only: the object first gets `deletionTimestamp` and goes when the agent
   * deletes it with 0.
   */
  readonly gracePeriodSeconds?: (object: T, requested: number | undefined) => number;
  /** Called before an object is deleted or marked for deletion; may change it (Namespace phase) or throw. */
  readonly prepareDelete?: (object: T, context: StrategyContext) => void | Promise<void>;
  /** Names that keep a deleted object from going besides `metadata.finalizers` (Namespaces' `spec.finalizers`). */
  readonly finalizers?: (object: T) => readonly string[];
  /** True: a new object may bring its `status` along (Nodes register with theirs). */
  readonly keepsStatusOnCreate?: boolean;
  /** More of the object than spec that moves `metadata.generation` when it changes (Deployments: annotations). */
  readonly generationIncludes?: (object: T) => unknown;
  /**
   * After an update: `stored` tells whether it happened. Frees what the update gave up, or what its
   * `prepareUpdate` took in vain.
   */
  readonly afterUpdate?: (options: { object: T; old: T; stored: boolean; context: StrategyContext }) => void;
  /** Frees what `prepareCreate` allocated (cluster IPs, node ports), once the object is really gone. */
  readonly afterDelete?: (object: T, context: StrategyContext) => void;
}

export interface StrategyContext {
  /** Reads and writes as the server itself. */
  readonly client: Client;
  readonly user: UserInfo;
  readonly allocators: Allocators;
  /** RFC 3339 now. */
  readonly now: () => string;
  readonly dryRun: boolean;
  /** Answers of authentication and authorization, for the review kinds and `serviceaccounts/token`. */
  readonly reviews: Reviews;
}

/** Implemented by authn and authz. Each returns the review with its `status` filled in. */
export interface Reviews {
  token(review: TokenReview): Promise<TokenReview>;
  selfSubject(user: UserInfo): SelfSubjectReview;
  subjectAccess(review: SubjectAccessReview): SubjectAccessReview;
  selfSubjectAccess(review: SelfSubjectAccessReview, user: UserInfo): SelfSubjectAccessReview;
  selfSubjectRules(review: SelfSubjectRulesReview, user: UserInfo): SelfSubjectRulesReview;
  /** Signs a token for a service account that exists; `request` is valid and has its defaults. */
  serviceAccountToken(options: {
    readonly account: ServiceAccount;
    readonly request: TokenRequest;
  }): Promise<TokenRequest>;
}

/** Service addresses and ports, rebuilt from the stored Services at start. */
export interface Allocators {
  /** Takes `wanted`, or a free one when undefined. Throws an `Error` whose message completes a field error. */
  clusterIP(wanted: string | undefined): string;
  releaseClusterIP(ip: string): void;
  nodePort(wanted: number | undefined, protocol: string): number;
  releaseNodePort(port: number, protocol: string): void;
}

export interface UserInfo {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export interface Column<T = KubeObject> {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: 'name' | (string & {});
  readonly description: string;
  /** 0 is always shown, 1 with `-o wide`. */
  readonly priority?: 0 | 1;
  /** `nowMs` for ages. */
  readonly cell: (object: T, nowMs: number) => string | number | boolean | null;
}

interface BodyKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

export type KeptByStatus = 'metadata' | 'labels' | 'ownerReferences';

/** One more route under an object. `status` and `scale` are common enough to have their own shapes. */
export type Subresource<T extends KubeObject> =
  | {
      readonly name: 'status';
      /** Metadata that the route does not write: all of it (upstream's ResetObjectMetaForStatus), or one field. */
      readonly keeps?: KeptByStatus;
      readonly validateUpdate?: (object: T, old: T) => readonly FieldError[];
      readonly prepareUpdate?: (object: T, old: T, context: () => StrategyContext) => void;
    }
  | {
      readonly name: 'scale';
      /** `spec` may be missing in custom resources only. */
      readonly get: (object: T) => { spec: number | undefined; status: number; selector: string };
      readonly set: (object: T, replicas: number) => void;
      /** Custom resources: where the replicas are, for messages. What is written is checked as a whole then. */
      readonly replicasPath?: string;
    }
  /** Replaces part of the object, such as `namespaces/finalize`, `pods/ephemeralcontainers`, `pods/resize`. */
  | {
      readonly name: string;
      /** All three by default. */
      readonly verbs?: readonly ('get' | 'patch' | 'update')[];
      /** The new state, from what was PUT or patched and what is stored. */
      readonly update: (submitted: T, old: T) => T;
      readonly prepareUpdate?: (object: T, old: T, context: () => StrategyContext) => void;
      readonly validateUpdate?: (object: T, old: T) => readonly FieldError[];
    }
  /** POSTed, such as `pods/binding`, `pods/eviction`, `serviceaccounts/token`. Returns the body of the answer. */
  | {
      readonly name: string;
      readonly kind: BodyKind;
      /** Other versions of the kind that are taken for the same, such as v1beta1 of an Eviction. */
      readonly alsoAccepted?: readonly BodyKind[];
      readonly create: (options: {
        readonly name: string;
        readonly namespace: string;
        readonly body: KubeObject;
        readonly context: StrategyContext;
        /** Dry run, precondition and retry included: stores what `change` makes of the parent's newest state. */
        readonly modify: (change: (parent: T) => T) => Promise<T>;
        /** The parent as stored; rejects with 404. */
        readonly parent: () => Promise<T>;
      }) => Promise<KubeObject>;
    }
  /** Leads out of this server; the engine knows how (`pods/log`, `exec`, `attach`, `portforward`, and the proxies). */
  | { readonly name: 'log' | 'exec' | 'attach' | 'portforward' | 'proxy'; readonly connect: true };
