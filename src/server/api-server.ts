import { randomInt } from 'node:crypto';
import { apiVersionOf, type KubeObject, type Resource } from '../api/resource.ts';
import * as resources from '../api/resources.gen.ts';
import { kindSchema } from '../api/schema/built-in.ts';
import { apiError } from '../api/status.ts';
import type { Service } from '../api/types.gen.ts';
import type { NodeConnector } from '../client/node-port.ts';
import type { Client } from '../client/port.ts';
import type { Datastore } from '../datastore/port.ts';
import type { Clock } from '../lib/clock.ts';
import { LIMITS } from '../lib/limits.ts';
import type { Logger } from '../lib/log.ts';
import { AdmissionChain } from './admission/chain.ts';
import type { AdmissionContext, AdmissionPlugin } from './admission/port.ts';
import { WebhookMetrics } from './admission/webhook/metrics.ts';
import { Aggregator } from './aggregator/aggregator.ts';
import { authenticationConfig, type FrontProxy } from './aggregator/front-proxy.ts';
import type { GroupVersion } from './aggregator/plan-registration.ts';
import type { Audit } from './audit/audit.ts';
import { auditedClient } from './audit/audited-client.ts';
import type { Authenticator } from './authn/port.ts';
import { RequestHeaders } from './authn/request-header.ts';
import type { NodeGraph } from './authz/node-graph.ts';
import type { Authorizer } from './authz/port.ts';
import { Dialer } from './backend/dialer.ts';
import { BackendTransport } from './backend/transport.ts';
import { createWebhookClient, type WebhookClient } from './backend/webhook-client.ts';
import { bootstrap } from './bootstrap.ts';
import { CustomResources } from './custom-resources/custom-resources.ts';
import { DefinitionController } from './custom-resources/definition-controller.ts';
import { FairnessKeeper } from './fairness/keeper.ts';
import { authorizeVerb } from './http/authorize.ts';
import { DiscoveryPages } from './http/discovery-pages.ts';
import { Front } from './http/front.ts';
import type { HandlerContext } from './http/handler.ts';
import type { HealthCheck } from './http/health.ts';
import { startedCheck, storageCheck } from './http/health-checks.ts';
import { type Listener, type ListenOptions, listen } from './http/listener.ts';
import { openApiPages } from './http/openapi-pages.ts';
import { createPages } from './http/pages.ts';
import type { Page } from './http/path-pages.ts';
import { createInProcessClient } from './in-process-client.ts';
import { SubresourceProxy } from './proxy/subresource.ts';
import { objectSchema } from './registry/built-in-schema.ts';
import type { ResourceDefinition, Reviews, UserInfo } from './registry/definition.ts';
import { EMPTY_CACHE } from './registry/empty-cache.ts';
import { Registry } from './registry/registry.ts';
import type { Engine, ObjectSchema, ServedResource } from './registry/served-resource.ts';
import { keyPrefix } from './registry/storage-key.ts';
import { createAllocators, rebuildAllocators } from './resources/core/service-allocators.ts';
import { createStreams, type Streams } from './stream/streams.ts';
import { Tunnels } from './tunnel/tunnels.ts';
import type { WatchCache } from './watchcache/port.ts';
import { createWatchCaches, type WatchCaches } from './watchcache/watch-caches.ts';

/** What authentication, authorization and admission are made of: state of the cluster itself. */
export interface SecurityContext {
  /** Reads and writes as the server itself. */
  readonly client: Client;
  /** The newest state of a resource; `undefined` where it is not served. */
  readonly cacheOf: (resource: Pick<Resource, 'group' | 'resource'>) => WatchCache | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Security {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly reviews: Reviews;
  /** Must hold before the server is ready. */
  readonly checks?: readonly HealthCheck[];
  /** For the plugin that holds agents to their own node. */
  readonly nodeGraph: NodeGraph;
  /** Plugins that ask who may do what; they come after the others. */
  readonly admission?: readonly AdmissionPlugin[];
  readonly close?: () => Promise<void>;
}

export interface ApiServerOptions {
  readonly datastore: Datastore;
  readonly definitions: readonly ResourceDefinition[];
  /** Makes the plugins, in the order they are asked. */
  readonly admission: (context: AdmissionContext) => readonly AdmissionPlugin[];
  /** Called once every resource can be read and written, before the first request. */
  readonly security: (context: SecurityContext) => Security | Promise<Security>;
  /** Nodes that run in this process; others are reached through the tunnels that their agents open. */
  readonly nodeConnector: NodeConnector;
  /** IPv4, such as `10.43.0.0/16`. */
  readonly serviceCidr: string;
  /** Both inclusive; upstream's range by default. */
  readonly nodePorts?: { readonly first: number; readonly last: number };
  /** Where pods reach this server. */
  readonly advertise: { readonly address: string; readonly port: number };
  /** What proves to aggregated API servers that it is this server that asks for somebody; the newest one. */
  readonly frontProxy?: FrontProxy;
  /** Objects that must exist besides what every cluster has, such as default roles. */
  readonly bootstrapObjects?: readonly { readonly resource: Resource; readonly object: KubeObject }[];
  /** Further paths, such as `/.well-known/openid-configuration`; a trailing slash takes all below. */
  readonly pages?: ReadonlyMap<string, Page>;
  /** Writes down who did what; nothing by default. */
  readonly audit?: Audit;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface ApiServer {
  readonly registry: Registry;
  /** Every node that can be reached: in this process or by a tunnel. */
  readonly nodes: NodeConnector;
  /** A client in this process, with the rights of `user`. Writes carry `fieldManager` unless they name one. */
  client(user: UserInfo, fieldManager?: string): Client;
  listen(options: ListenOptions): Promise<Listener>;
  /** Adds a part of `/readyz`. */
  addReadyCheck(check: HealthCheck): void;
  /** Ends watches cleanly, lets requests under way finish within a bound, then stops listening. The datastore stays open. */
  close(): Promise<void>;
}

const SERVER_USER: UserInfo = { name: 'system:apiserver', groups: ['system:masters'] };
const NODE_PORTS = { first: 30_000, last: 32_767 } as const;

/** Opens every resource, creates what every cluster has, and is ready to listen. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const server = new KedgeApiServer(options);
  try {
    await server.start();
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

class KedgeApiServer implements ApiServer {
  readonly registry = new Registry();
  readonly #options: ApiServerOptions;
  readonly #caches: WatchCaches;
  readonly #front: Front;
  readonly #readyChecks: HealthCheck[] = [];
  readonly #stop = new AbortController();
  readonly #listeners: Listener[] = [];
  readonly #schemas = new Map<string, ObjectSchema | undefined>();
  readonly nodes: Tunnels;
  readonly #aggregator: Aggregator;
  readonly #streams: Streams;
  readonly #transport = new BackendTransport();
  readonly #webhooks: WebhookClient;
  readonly #webhookMetrics = new WebhookMetrics();
  #isStarted = false;
  #keeper: FairnessKeeper | undefined;
  readonly #serverClient: Client;
  #security: Security | undefined;
  #custom: CustomResources | undefined;
  #definitions: DefinitionController | undefined;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    const { datastore, clock } = options;
    this.#caches = createWatchCaches({ datastore, clock });
    this.#front = new Front(clock, this.registry);
    options.audit?.collect(this.#front.metrics.registry);
    this.#front.metrics.add(() => `${this.#webhookMetrics.render().join('\n')}\n`);
    const { nodeConnector: local, log } = options;
    this.nodes = new Tunnels({ clock, log: log.child('tunnel'), local });
    const { registry } = this;
    const transport = this.#transport;
    const cacheOf = this.#cacheOf;
    const dialer = new Dialer({ cacheOf, connector: this.nodes });
    this.#webhooks = createWebhookClient({ dialer, transport, clock });
    const proxy = new SubresourceProxy({ dialer, transport, registry, cacheOf });
    this.#streams = createStreams({ tunnels: this.nodes, registry, proxy });
    this.#serverClient = this.#clientOf(SERVER_USER, 'kube-apiserver', () => {});
    this.#aggregator = new Aggregator({
      registry,
      builtIn: versionsOf(options.definitions),
      cacheOf,
      client: this.#serverClient,
      dialer,
      transport,
      certificate: () => options.frontProxy?.certificate(),
      clock,
      log: log.child('aggregator'),
    });
    this.#front.metrics.add(() => this.#aggregator.metrics());
  }

  async start(): Promise<void> {
    const { definitions, serviceCidr, nodePorts = NODE_PORTS, clock, log } = this.#options;
    const allocators = createAllocators({ serviceCidr, nodePorts, random: (below) => randomInt(below) });
    const admission = new AdmissionChain();
    const reviews = laterReviews(() => this.#security?.reviews);
    const engine: Engine = {
      datastore: this.#front.observed(this.#options.datastore),
      clock,
      admission,
      client: this.#serverClient,
      allocators,
      reviews,
      findResource: (resource) => this.registry.find(resource)?.resource,
    };
    await Promise.all(definitions.map((definition) => this.#serve(definition, engine)));
    const services = this.registry.find(resources.services)?.served.cache.list({}) ?? [];
    const problems = rebuildAllocators(
      allocators,
      services.map((one) => one.object() as Service),
    );
    for (const problem of problems) log.warn('service address', { problem });
    this.#serveCustomResources(engine);
    const context = { client: this.#serverClient, cacheOf: this.#cacheOf, clock, log };
    this.#security = await this.#options.security(context);
    const { nodeGraph, authorizer, admission: own = [] } = this.#security;
    const plugins = this.#options.admission({
      ...context,
      nodeGraph,
      authorizer,
      registry: this.registry,
      schemas: (kind) => this.#findSchema(kind),
      webhooks: this.#webhooks,
      webhookMetrics: this.#webhookMetrics,
      isStarted: () => this.#isStarted,
    });
    admission.use(this.#front.timed([...plugins, ...own]));
    await bootstrap({
      client: this.#serverClient,
      serves: (resource) => this.registry.find(resource) !== undefined,
      kubernetesIP: firstAddress(serviceCidr),
      advertise: this.#options.advertise,
      objects: this.#options.bootstrapObjects ?? [],
      current: this.#options.frontProxy ? [authenticationConfig(this.#options.frontProxy)] : [],
    });
    await this.#startFairness();
    this.#definitions?.start();
    await this.#aggregator.start();
    this.#isStarted = true;
  }

  async #startFairness(): Promise<void> {
    const levels = this.#cacheOf(resources.priorityLevelConfigurations);
    const schemas = this.#cacheOf(resources.flowSchemas);
    if (!levels || !schemas) return;
    const { clock, log } = this.#options;
    const { fairness } = this.#front;
    const client = this.#serverClient;
    this.#keeper = new FairnessKeeper({
      fairness,
      levels,
      schemas,
      client,
      clock,
      log: log.child('fairness'),
    });
    await this.#keeper.start();
  }

  /** What definitions add, from now on. Their names are accepted once everything else is there. */
  #serveCustomResources(engine: Engine): void {
    const definitions = this.registry.find(resources.customResourceDefinitions)?.served.cache;
    if (!definitions) return;
    const log = this.#options.log.child('custom-resources');
    const custom = new CustomResources({
      registry: this.registry,
      caches: this.#caches,
      definitions,
      engine,
      webhooks: this.#webhooks,
    });
    custom.start();
    this.#custom = custom;
    this.#definitions = new DefinitionController({
      definitions,
      engine,
      storedOf: (name) => custom.storedOf(name),
      isBuiltIn: (group, resource) => custom.isBuiltIn(group, resource),
      log,
    });
  }

  readonly #cacheOf: SecurityContext['cacheOf'] = (resource) => this.registry.findStored(resource)?.cache;

  client(user: UserInfo, fieldManager = user.name): Client {
    const { authorizer } = this.#security!;
    const client = this.#clientOf(user, fieldManager, (who, verb, target) =>
      authorizeVerb(authorizer, who, target, verb),
    );
    const { audit } = this.#options;
    return audit ? auditedClient(client, user, audit) : client;
  }

  async listen(options: ListenOptions): Promise<Listener> {
    const context = this.#handlerContext();
    const listener = await listen(context, this.#streams.upgrade(context), options);
    this.#listeners.push(listener);
    return listener;
  }

  addReadyCheck(check: HealthCheck): void {
    this.#readyChecks.push(check);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#front.watches.close();
    this.nodes.close();
    await Promise.all(this.#listeners.map((listener) => listener.close(LIMITS.http.drainMs)));
    await this.#keeper?.stop();
    await this.#aggregator.stop();
    await this.#definitions?.close();
    this.#custom?.close();
    await this.#security?.close?.();
    this.#transport.close();
    this.#caches.close();
    await this.#options.audit?.close();
  }

  async #serve(definition: ResourceDefinition, engine: Engine): Promise<void> {
    const { resource, otherVersions = [], virtual, selectableFields, deprecation: warning } = definition;
    const prefix = keyPrefix(resource);
    const cache = virtual ? EMPTY_CACHE : await this.#caches.open({ resource, prefix, selectableFields });
    const schema = this.#schemaOf(resource);
    const served: ServedResource = { definition, schema, cache, prefix, engine };
    this.registry.add({ served, resource, schema, warning });
    for (const conversion of otherVersions) {
      const other = conversion.resource;
      this.registry.add({ served, resource: other, schema: this.#schemaOf(other), conversion });
    }
  }

  #schemaOf(resource: Resource): ObjectSchema {
    const schema = this.#findSchema(resource);
    if (!schema) throw new Error(`no schema for ${apiVersionOf(resource)} ${resource.kind}`);
    return schema;
  }

  #findSchema(kind: { group: string; version: string; kind: string }): ObjectSchema | undefined {
    const key = `${kind.group}/${kind.version}/${kind.kind}`;
    if (!this.#schemas.has(key)) {
      const type = kindSchema(kind);
      this.#schemas.set(key, type && objectSchema(kind, type));
    }
    return this.#schemas.get(key);
  }

  #clientOf(
    user: UserInfo,
    fieldManager: string,
    authorize: Parameters<typeof createInProcessClient>[0]['authorize'],
  ): Client {
    return createInProcessClient({
      registry: this.registry,
      user,
      fieldManager,
      authorize,
      schemas: (kind) => this.#findSchema(kind),
      stopped: this.#stop.signal,
    });
  }

  #handlerContext(): HandlerContext {
    const { clock, log, advertise } = this.#options;
    const { authenticator, authorizer } = this.#security!;
    const { metrics, fairness, bodies, deadlines, requests, long, watches } = this.#front;
    const discovery = new DiscoveryPages({
      endpoints: () => this.registry.endpoints,
      serverAddress: () => `${advertise.address}:${advertise.port}`,
      others: this.#aggregator.arrangement,
    });
    this.registry.onChange(() => discovery.changed());
    const live = (): HealthCheck[] => [
      { name: 'ping', check: () => {} },
      storageCheck(this.#options.datastore, clock),
      startedCheck('poststarthook/rbac/bootstrap-roles', () => this.#security !== undefined),
      startedCheck('poststarthook/bootstrap-controller', () => this.#isStarted),
      startedCheck('poststarthook/priority-and-fairness-config-producer', () => this.#isStarted),
    ];
    const ready = (): HealthCheck[] => [
      ...live(),
      { name: 'shutdown', check: () => this.#stop.signal.throwIfAborted() },
      ...(this.#security?.checks ?? []),
      ...this.#readyChecks,
    ];
    const pages = createPages({
      discovery,
      metrics,
      live,
      ready,
      more: new Map([
        ...openApiPages(() => discovery.groups, {
          customSchema: (resource) => this.#custom?.sourceOf(resource),
          others: this.#aggregator.documents,
        }),
        ...(this.#options.pages ?? []),
      ]),
    });
    return {
      registry: this.registry,
      authenticator,
      requestHeaders: frontProxyHeaders(this.#options.frontProxy),
      authorizer,
      watches,
      fairness,
      bodies,
      deadlines,
      requests,
      long,
      metrics,
      audit: this.#options.audit,
      pages,
      streams: this.#streams,
      aggregator: this.#aggregator,
      schemas: (kind) => this.#findSchema(kind),
      clock,
      log,
    };
  }
}

/** Who may show this server's own kind of proxy certificate speaks for others, as upstream's aggregation layer does. */
function frontProxyHeaders(frontProxy: FrontProxy | undefined): RequestHeaders | undefined {
  if (!frontProxy) return undefined;
  const { requestHeaderCaPem: caPem, commonName } = frontProxy;
  return new RequestHeaders({ caPem, allowedNames: [commonName] });
}

/** Reviews that are made only after the first objects are: asked before that, they say so. */
function laterReviews(find: () => Reviews | undefined): Reviews {
  const now = (): Reviews => {
    const reviews = find();
    if (!reviews) throw apiError('ServiceUnavailable', 'the server is starting');
    return reviews;
  };
  return {
    token: (review) => now().token(review),
    selfSubject: (user) => now().selfSubject(user),
    subjectAccess: (review) => now().subjectAccess(review),
    selfSubjectAccess: (review, user) => now().selfSubjectAccess(review, user),
    selfSubjectRules: (review, user) => now().selfSubjectRules(review, user),
    serviceAccountToken: (options) => now().serviceAccountToken(options),
  };
}

/** Every group and version that definitions bring along. */
function versionsOf(definitions: readonly ResourceDefinition[]): GroupVersion[] {
  const all = definitions.flatMap(({ resource, otherVersions = [] }) => [
    resource,
    ...otherVersions.map((other) => other.resource),
  ]);
  return [...new Map(all.map((one) => [apiVersionOf(one), one])).values()];
}

/** `10.43.0.1` of `10.43.0.0/16`. */
function firstAddress(cidr: string): string {
  const parts = (cidr.split('/')[0] ?? '').split('.').map(Number);
  parts[3] = (parts[3] ?? 0) + 1;
  return parts.join('.');
}
