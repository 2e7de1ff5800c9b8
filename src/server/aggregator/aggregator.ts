import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Arrangement } from '../../api/discovery/resource.ts';
import type { Resource } from '../../api/resource.ts';
import { apiServices } from '../../api/resources.gen.ts';
import { ApiError, apiError } from '../../api/status.ts';
import type { Client } from '../../client/port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { CertificateAndKey } from '../../lib/pki/certificate.ts';
import type { Dialer } from '../backend/dialer.ts';
import type { BackendTransport } from '../backend/transport.ts';
import { type Exchange, sendText } from '../http/exchange.ts';
import type { OtherDocuments } from '../http/openapi-pages.ts';
import { type Forwarding, forward, forwardUpgrade } from '../proxy/forward.ts';
import type { UserInfo } from '../registry/definition.ts';
import type { Registry } from '../registry/registry.ts';
import type { WatchCache } from '../watchcache/port.ts';
import { ApiServices, type RemoteService, type Standing } from './api-services.ts';
import { AvailabilityController } from './availability-controller.ts';
import type { GroupVersion } from './plan-registration.ts';
import { builtInPriorities, CUSTOM, OWN_GROUP } from './priorities.ts';
import { LocalRegistration } from './registration.ts';
import { remoteBackend, remoteUserHeaders } from './remote-backend.ts';
import { RemoteClient } from './remote-client.ts';
import { RemoteDiscovery } from './remote-discovery.ts';
import { RemoteOpenApi } from './remote-open-api.ts';

export interface AggregatorOptions {
  readonly registry: Registry;
  readonly builtIn: readonly GroupVersion[];
  readonly cacheOf: (resource: Pick<Resource, 'group' | 'resource'>) => WatchCache | undefined;
  /** Writes as the server itself. */
  readonly client: Client;
  readonly dialer: Dialer;
  readonly transport: BackendTransport;
  readonly certificate: () => CertificateAndKey | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** API servers beside this one: APIServices say which groups and versions are theirs. */
export class Aggregator {
  readonly services: ApiServices;
  readonly discovery: RemoteDiscovery;
  readonly openApi: RemoteOpenApi;
  readonly #options: AggregatorOptions;
  readonly #registration: LocalRegistration;
  readonly #availability: AvailabilityController;
  readonly #builtIn: ReadonlySet<string>;

  constructor(options: AggregatorOptions) {
    this.#options = options;
    const { registry, builtIn, cacheOf, client, clock, log } = options;
    this.#builtIn = new Set(builtIn.map(({ group, version }) => `${group}/${version}`));
    const remotes = new RemoteClient(options);
    this.services = new ApiServices(() => cacheOf(apiServices));
    this.discovery = new RemoteDiscovery(remotes);
    this.openApi = new RemoteOpenApi({ services: this.services, remotes, clock });
    this.#registration = new LocalRegistration({ client, registry, builtIn, cacheOf, clock, log });
    this.#availability = new AvailabilityController({
      client,
      cacheOf,
      services: this.services,
      remotes,
      discovery: this.discovery,
      clock,
      log,
      onChange: () => this.#registration.changed(),
    });
  }

  /** Lines of Prometheus' text format, in upstream's names. */
  metrics(): string {
    const name = 'aggregator_unavailable_apiservice';
    const lines = this.services.remotes.map(
      (one) => `${name}{name=${JSON.stringify(one.name)}} ${one.isAvailable ? 0 : 1}\n`,
    );
    return `# HELP ${name} APIServices of other servers that are marked as unavailable.\n# TYPE ${name} gauge\n${lines.join('')}`;
  }

  /** What there is besides our own, and in what order, for discovery. */
  get arrangement(): Arrangement & { readonly generation: string } {
    const { services, discovery } = this;
    return {
      get generation() {
        return `${services.generation} ${discovery.generation}`;
      },
      get remotes() {
        return services.remotes.map(({ name, group, version }) => {
          const { entries = [], isFresh = false } = discovery.find({ name }) ?? {};
          return { group, version, resources: [], remote: { entries, isFresh } };
        });
      },
      standing: (group, version) => this.#standing(group, version),
    };
  }

  /** What others say of theirs, for OpenAPI. */
  get documents(): OtherDocuments {
    return {
      index: () => this.openApi.index(),
      v2: () => this.openApi.v2(),
      page: (exchange, path) => {
        const remote = this.match(path);
        return remote && this.serve(exchange, remote);
      },
    };
  }

  #standing(group: string, version: string): Standing {
    if (group === OWN_GROUP.group) return { ...OWN_GROUP, versionPriority: 1 };
    const known = this.services.standing(group, version);
    if (known) return known;
    // Its APIService was deleted, or is not written yet.
    return this.#builtIn.has(`${group}/${version}`) ? builtInPriorities(group, version) : CUSTOM;
  }

  /** Resolves when every version that is served here has its APIService. */
  async start(): Promise<void> {
    if (!this.#options.cacheOf(apiServices)) return;
    await this.#registration.start();
    this.#availability.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#availability.stop(), this.#registration.stop()]);
  }

  /** Whose a path is; `undefined` for this server's own. Costs next to nothing where there is no other. */
  match(path: string): RemoteService | undefined {
    if (!this.services.hasRemotes || !path.startsWith('/api')) return undefined;
    const [, root, first = '', second = ''] = path.split('/');
    if (root === 'api') return this.services.remote('', first);
    return root === 'apis' ? this.services.remote(first, second) : undefined;
  }

  /** Passes a request on that authorization has let through. */
  async serve(exchange: Exchange, remote: RemoteService): Promise<void> {
    if (!remote.isAvailable) return sendText(exchange, 503, 'service unavailable\n');
    const { request, user } = exchange;
    try {
      await forward(exchange, this.#forwarding(remote, user, request));
    } catch (error) {
      if (!(error instanceof ApiError) || exchange.response.headersSent) throw error;
      this.#availability.suspect(remote.name);
      await sendText(exchange, error.code, `${error.message}\n`);
    }
  }

  /** The same for a request that wants another protocol. */
  async upgrade(
    client: { readonly request: IncomingMessage; readonly socket: Duplex; readonly head: Buffer },
    remote: RemoteService,
    user: UserInfo,
  ): Promise<void> {
    if (!remote.isAvailable) throw apiError('ServiceUnavailable', 'service unavailable');
    await forwardUpgrade(client, this.#forwarding(remote, user, client.request));
  }

  #forwarding(
    remote: RemoteService,
    user: UserInfo,
    { url = '/', headers }: Pick<IncomingMessage, 'url' | 'headers'>,
  ): Forwarding {
    const { dialer, transport, certificate } = this.#options;
    const { namespace, name, port } = remote.service;
    const backendHost = `${name}.${namespace}.svc:${port}`;
    return {
      transport,
      backend: remoteBackend(remote, { dialer, certificate: certificate() }),
      path: url,
      headers: { host: backendHost, ...remoteUserHeaders(user) },
      // Paths are the same on both servers.
      page: { prefix: '', host: String(headers.host ?? headers[':authority'] ?? ''), backendHost },
    };
  }
}
