import type { Http2ServerRequest } from 'node:http2';
import { apiError } from '../../api/status.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { ANONYMOUS } from '../authn/authenticator.ts';
import type { Authenticator } from '../authn/port.ts';
import type { Authorizer } from '../authz/port.ts';
import type { Registry } from '../registry/registry.ts';
import type { ObjectSchema } from '../registry/served-resource.ts';
import { authenticate } from './authenticate.ts';
import { authorizeRequest, authorizeVerb } from './authorize.ts';
import {
  Disconnect,
  type Exchange,
  type Http2ServerResponse,
  prepareResponse,
  sendError,
  sendText,
} from './exchange.ts';
import { impersonate } from './impersonate.ts';
import type { Inflight } from './inflight.ts';
import type { Metrics } from './metrics.ts';
import { negotiate } from './negotiate.ts';
import type { PathPages } from './path-pages.ts';
import { parseRequest, type RequestInfo, type ResourceRequest } from './request-info.ts';
import { handleResource, type StreamHandlers } from './resource-handler.ts';
import type { Watches } from './watch-response.ts';

/** Everything a request may need. */
export interface HandlerContext {
  readonly registry: Registry;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly watches: Watches;
  readonly inflight: Inflight;
  readonly metrics: Metrics;
  readonly pages: PathPages;
  readonly streams: StreamHandlers;
  readonly schemas: (kind: { group: string; version: string; kind: string }) => ObjectSchema | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Long requests are not counted against the bound: they wait most of the time. */
const LONG_SUBRESOURCES = new Set(['log', 'exec', 'attach', 'portforward', 'proxy']);

/** Answers one request: authenticate → authorize → dispatch. Never rejects. */
export async function handleRequest(
  context: HandlerContext,
  request: Http2ServerRequest,
  response: Http2ServerResponse,
): Promise<void> {
  const startMs = context.clock.monotonicMs();
  const [path = '/', search = ''] = request.url.split('?', 2);
  const query = new URLSearchParams(search);
  const exchange = {
    request,
    response,
    path,
    query,
    user: ANONYMOUS,
    warnings: [],
    annotations: new Map<string, string>(),
    disconnect: new Disconnect(response),
  };
  let info: RequestInfo | undefined;
  let release: (() => void) | undefined;
  try {
    prepareResponse(request, response);
    info = parseRequest(request.method, path, query);
    if (!info) throw apiError('BadRequest', `cannot decode path ${JSON.stringify(path)}`);
    if (!isLong(info))
      release = context.inflight.enter(request.method === 'GET' || request.method === 'HEAD');
    const sender = await authenticate(context.authenticator, request, path);
    const { rawHeaders } = request;
    const acting = impersonate({ authorizer: context.authorizer, sender, rawHeaders, info });
    exchange.user = acting?.user ?? sender;
    authorizeRequest(context.authorizer, exchange.user, info);
    await dispatch(context, exchange, info);
  } catch (error) {
    if (!exchange.disconnect.happened) logUnexpected(context.log, exchange, error);
    await sendError(exchange, error).catch(() => response.stream?.destroy());
  } finally {
    release?.();
    context.metrics.count(info, request.method, response.statusCode, context.clock.monotonicMs() - startMs);
  }
}

function isLong(info: RequestInfo): boolean {
  return info.isResource && (info.verb === 'watch' || LONG_SUBRESOURCES.has(info.subresource));
}

async function dispatch(context: HandlerContext, exchange: Exchange, info: RequestInfo): Promise<void> {
  if (!info.isResource) {
    const page = context.pages.find(info.path);
    return page ? page(exchange) : sendText(exchange, 404, '404 page not found\n');
  }
  const endpoint = context.registry.find(info);
  if (!endpoint || !fitsScope(info, endpoint.resource.namespaced)) {
    throw apiError('NotFound', 'the server could not find the requested resource', { details: {} });
  }
  const { watches, streams, schemas, clock } = context;
  return handleResource({
    exchange,
    // `/namespaces/<name>` names a Namespace, which itself lies in none.
    info: endpoint.resource.namespaced ? info : { ...info, namespace: '' },
    endpoint,
    // Streams say in other ways what they speak.
    answer: LONG_SUBRESOURCES.has(info.subresource)
      ? { format: 'json' }
      : negotiate(exchange.request.headers.accept, { hasTable: !endpoint.served.definition.virtual }),
    watches,
    streams,
    schemas,
    clock,
    authorize: (verb) => authorizeVerb(context.authorizer, exchange.user, info, verb),
  });
}

/** Cluster-scoped objects are not found inside a namespace, nor single namespaced ones outside. */
function fitsScope(info: ResourceRequest, namespaced: boolean): boolean {
  if (!namespaced) return info.namespace === '' || info.resource === 'namespaces';
  return info.namespace !== '' || info.name === '' || LISTS.has(info.verb);
}

const LISTS = new Set(['list', 'watch', 'deletecollection']);

function logUnexpected(log: Logger, exchange: Exchange, error: unknown): void {
  if (error instanceof Error && error.name === 'ApiError') return;
  log.error('request failed', { method: exchange.request.method, path: exchange.path, error });
}
