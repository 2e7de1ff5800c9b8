import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Resource } from '../../api/resource.ts';
import { apiError } from '../../api/status.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Dialer } from '../backend/dialer.ts';
import type { BackendTransport } from '../backend/transport.ts';
import { type Exchange, sendHead } from '../http/exchange.ts';
import type { ResourceRequest } from '../http/request-info.ts';
import { methodNotAllowed } from '../http/resource-handler.ts';
import { admitConnect } from '../registry/connect.ts';
import type { UserInfo } from '../registry/definition.ts';
import type { Registry } from '../registry/registry.ts';
import type { WatchCache } from '../watchcache/port.ts';
import { type Forwarding, forward, forwardUpgrade } from './forward.ts';
import { type Location, podLocation, serviceLocation } from './location.ts';
import { joinPath } from './rewrite.ts';

const METHODS: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']);

export interface ProxyOptions {
  readonly dialer: Dialer;
  readonly transport: BackendTransport;
  readonly registry: Registry;
  readonly cacheOf: (resource: Pick<Resource, 'group' | 'resource'>) => WatchCache | undefined;
}

interface Call {
  readonly info: ResourceRequest;
  readonly user: UserInfo;
  readonly request: IncomingMessage | Http2ServerRequest;
  warn?(text: string): void;
  annotate?(key: string, value: string): void;
}

/** `pods/<name>/proxy/…` and `services/<name>/proxy/…`: whatever the pod serves over HTTP, for those who may. */
export class SubresourceProxy {
  readonly #options: ProxyOptions;
  #active = 0;

  constructor(options: ProxyOptions) {
    this.#options = options;
  }

  handles({
    group,
    resource,
    subresource,
  }: Pick<ResourceRequest, 'group' | 'resource' | 'subresource'>): boolean {
    return group === '' && subresource === 'proxy' && (resource === 'pods' || resource === 'services');
  }

  async serve(exchange: Exchange, info: ResourceRequest): Promise<void> {
    const { request, response, fields, user, warnings, annotations } = exchange;
    const call: Call = {
      info,
      user,
      request,
      warn: (text) => warnings.push(text),
      annotate: (key, value) => annotations.set(key, value),
    };
    if (!METHODS.has(request.method)) throw methodNotAllowed();
    const location = await this.#enter(call);
    const { path, search } = split(request.url);
    if (isRoot(path) && !path.endsWith('/') && (request.method === 'GET' || request.method === 'HEAD')) {
      fields.set('location', `${path}/${search}`);
      sendHead(exchange, 301);
      response.end();
      return;
    }
    return this.#counted(() => forward(exchange, this.#forwarding(location, call)));
  }

  /** For a request that wants another protocol, such as WebSocket. */
  async upgrade(
    client: { readonly request: IncomingMessage; readonly socket: Duplex; readonly head: Buffer },
    info: ResourceRequest,
    user: UserInfo,
  ): Promise<void> {
    const call = { info, user, request: client.request };
    const location = await this.#enter(call);
    return this.#counted(() => forwardUpgrade(client, this.#forwarding(location, call)));
  }

  async #counted(work: () => Promise<void>): Promise<void> {
    if (this.#active >= LIMITS.backend.proxied) {
      const text = 'the server has received too many requests and has asked us to try again later';
      throw apiError('TooManyRequests', text, { details: { retryAfterSeconds: 1 } });
    }
    this.#active++;
    try {
      await work();
    } finally {
      this.#active--;
    }
  }

  async #enter({ info, user, warn, annotate, request }: Call): Promise<Location> {
    const { registry, cacheOf } = this.#options;
    const { namespace, name, resource, subresource } = info;
    const kind = resource === 'pods' ? 'PodProxyOptions' : 'ServiceProxyOptions';
    const options = { kind, apiVersion: 'v1', path: below(request.url ?? '') };
    const served = registry.find(info)?.served;
    const connection = { user, resource: info, subresource, namespace, name, options };
    if (served)
      await admitConnect(served, {
        ...connection,
        ...(warn ? { warn } : {}),
        ...(annotate ? { annotate } : {}),
      });
    return resource === 'pods'
      ? podLocation(namespace, name, { cacheOf })
      : serviceLocation(namespace, name, { cacheOf });
  }

  #forwarding({ pod, address, port, isTls }: Location, { request }: Call): Forwarding {
    const { dialer, transport } = this.#options;
    const { url = '', headers } = request;
    const { path, search } = split(url);
    const prefix = path.split('/').slice(0, PREFIX_PARTS).join('/');
    const backendHost = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
    const target = below(url);
    return {
      transport,
      backend: {
        key: `proxy ${pod.metadata.uid} ${backendHost}`,
        // As upstream: whoever may proxy to a pod trusts the cluster's network.
        ...(isTls ? { tls: { serverName: address, insecure: true } } : {}),
        dial: (signal) => dialer.pod(pod, port, signal),
      },
      path: `${target}${search}`,
      headers: { 'x-forwarded-uri': joinPath(prefix, target) },
      page: { prefix, host: String(headers.host ?? headers[':authority'] ?? ''), backendHost },
    };
  }
}

/** `/api/v1/namespaces/<namespace>/pods/<name>/proxy` */
const PREFIX_PARTS = 8;

function split(url: string): { readonly path: string; readonly search: string } {
  const at = url.indexOf('?');
  return at < 0 ? { path: url, search: '' } : { path: url.slice(0, at), search: url.slice(at) };
}

/** The path after `…/proxy`, still encoded; at least a slash. */
function below(url: string): string {
  const { path } = split(url);
  const rest = path.split('/').slice(PREFIX_PARTS).join('/');
  return joinPath('', `/${rest}`);
}

function isRoot(path: string): boolean {
  return path.split('/').slice(PREFIX_PARTS).join('') === '';
}
