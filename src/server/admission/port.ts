import type { KubeObject, Resource } from '../../api/resource.ts';
import type { Client } from '../../client/port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { NodeGraph } from '../authz/node-graph.ts';
import type { Authorizer } from '../authz/port.ts';
import type { WebhookClient } from '../backend/webhook-client.ts';
import type { UserInfo } from '../registry/definition.ts';
import type { Registry } from '../registry/registry.ts';
import type { ObjectSchema } from '../registry/served-resource.ts';
import type { View } from '../registry/view.ts';
import type { WatchCache } from '../watchcache/port.ts';
import type { Reinvocation } from './reinvocation.ts';
import type { WebhookMetrics } from './webhook/metrics.ts';

export type AdmissionOperation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

/**
 * One admission plugin, as upstream's `admission.Interface`. Plugins run in the order of
 * `src/server/admission/table.ts`: every `mutate` first, then, after defaulting and validation, every `validate`.
 * Either may throw an `ApiError` to refuse the request; upstream refuses with 403 (`forbidden(…)`).
 */
export interface AdmissionPlugin {
  /** As upstream names it, such as `NamespaceLifecycle`. */
  readonly name: string;
  /** What the plugin has to do with at all. Asked once for each, so nothing else may decide it. Everything by default. */
  readonly concerns?: (target: AdmissionTarget) => boolean;
  /** Whether it wants to see this request, of those that concern it; cheap, runs on each. All by default. */
  readonly handles?: (attributes: AdmissionAttributes) => boolean;
  /** May change `attributes.object` in place. */
  readonly mutate?: (attributes: AdmissionAttributes) => void | Promise<void>;
  /** Must not change anything. */
  readonly validate?: (attributes: AdmissionAttributes) => void | Promise<void>;
}

/** What is written how: a few hundred at most. */
export type AdmissionTarget = Pick<AdmissionAttributes, 'operation' | 'resource' | 'subresource'>;

/** What is about to happen. */
export interface AdmissionAttributes {
  readonly operation: AdmissionOperation;
  readonly resource: Resource;
  /** Empty for the object itself; `status`, `scale`, `binding`, `eviction`, `exec`, … otherwise. */
  readonly subresource: string;
  /** Empty for cluster-scoped objects. */
  readonly namespace: string;
  /** Empty on a CREATE with `generateName`. */
  readonly name: string;
  /** The new state; absent on DELETE and CONNECT. Present and writable in `mutate`. */
  readonly object?: KubeObject;
  /** The stored state on UPDATE and DELETE. Read-only. */
  readonly oldObject?: KubeObject;
  /** The resource in the version of the request, which may be another than what is stored. */
  readonly requested: Resource;
  /** `CreateOptions`, `UpdateOptions` or `DeleteOptions`; absent on CONNECT. */
  readonly options?: object;
  /** How the request shows the object, where that is not the object itself (`scale`). */
  readonly shown?: Pick<View, 'read' | 'write'>;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  /** Of the round of mutating plugins under way. */
  readonly reinvocation: Reinvocation;
  /** Reads and writes as the server itself, without admission's user checks. */
  readonly client: Client;
  readonly clock: Clock;
  /** When nobody waits for the answer any more, by the monotonic clock; whoever wrote without a deadline waits. */
  readonly endMs?: number;
  /** Adds a `Warning:` header to the answer. */
  warn(text: string): void;
  /** Adds to what the audit log says of the request; a key is written once. */
  annotate(key: string, value: string): void;
}

/** What plugins are made of. */
export interface AdmissionContext {
  readonly client: Client;
  /** Calls out to webhooks, in the cluster or elsewhere. */
  readonly webhooks: WebhookClient;
  /** Everything served, in every version. */
  readonly registry: Registry;
  /** Schemas of kinds that are no resources: Scale, Binding, Eviction, PodExecOptions. */
  readonly schemas: (kind: { group: string; version: string; kind: string }) => ObjectSchema | undefined;
  readonly webhookMetrics: WebhookMetrics;
  /** False until the server made its own objects: nobody outside is asked before that. */
  readonly isStarted: () => boolean;
  readonly log: Logger;
  /** The newest state of a resource; `undefined` where it is not served. */
  readonly cacheOf: (resource: Pick<Resource, 'group' | 'resource'>) => WatchCache | undefined;
  readonly clock: Clock;
  readonly authorizer: Authorizer;
  /** Which node runs which pod, and what that pod uses. */
  readonly nodeGraph: NodeGraph;
}

/** Makes a plugin, with state of its own where it needs any (informers, counters). */
export type AdmissionPluginFactory = (context: AdmissionContext) => AdmissionPlugin;
