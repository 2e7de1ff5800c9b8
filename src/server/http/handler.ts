import type { Http2ServerRequest } from 'node:http2';
import { parseGoDuration } from '../../api/durations.ts';
import { apiError, badRequest } from '../../api/status.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import type { Deadlines } from '../../lib/deadlines.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Logger } from '../../lib/log.ts';
import type { Aggregator } from '../aggregator/aggregator.ts';
import type { Audit } from '../audit/audit.ts';
import { factsOf } from '../audit/request-facts.ts';
import { ANONYMOUS } from '../authn/authenticator.ts';
import type { Authenticator } from '../authn/port.ts';
import type { RequestHeaders } from '../authn/request-header.ts';
import type { Authorizer } from '../authz/port.ts';
import type { Fairness, Seat } from '../fairness/fairness.ts';
import type { UserInfo } from '../registry/definition.ts';
import type { Registry } from '../registry/registry.ts';
import { countObjects, type ObjectSchema } from '../registry/served-resource.ts';
import { authenticate } from './authenticate.ts';
import { authorizeRequest, authorizeVerb } from './authorize.ts';
import type { ByteBudget } from './byte-budget.ts';
import {
  Disconnect,
  type Exchange,
  type Http2ServerResponse,
  prepareFields,
  sendError,
  sendText,
} from './exchange.ts';
import { HeaderFields } from './header-fields.ts';
import { impersonate } from './impersonate.ts';
import type { LongRequests } from './long-requests.ts';
import type { Metrics } from './metrics.ts';
import { negotiate } from './negotiate.ts';
import type { PathPages } from './path-pages.ts';
import type { ReadRequests } from './read-requests.ts';
import type { RequestInfo, ResourceRequest } from './request-info.ts';
import { handleResource, type ResourceCall, type StreamHandlers } from './resource-handler.ts';
import type { Watches } from './watch-response.ts';

/** Everything a request may need. */
export interface HandlerContext {
  readonly registry: Registry;
  readonly authenticator: Authenticator;
  /** Believed of proxies in front of this server; undefined where there are none. */
  readonly requestHeaders: RequestHeaders | undefined;
  readonly authorizer: Authorizer;
  readonly watches: Watches;
  readonly fairness: Fairness;
  readonly bodies: ByteBudget;
  readonly deadlines: RequestDeadlines;
  readonly requests: ReadRequests;
  readonly long: LongRequests;
  readonly metrics: Metrics;
  /** Only where a policy asks for it. */
  readonly audit: Audit | undefined;
  readonly pages: PathPages;
  readonly streams: StreamHandlers;
  readonly aggregator: Aggregator;
  readonly schemas: (kind: { group: string; version: string; kind: string }) => ObjectSchema | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How long requests may take that do not last by their nature. */
export interface RequestDeadlines {
  /** Until the body is here. */
  readonly body: Deadlines;
  /** Until the answer has begun and ended. */
  readonly request: Deadlines;
}

/** These wait most of the time: they take no seat, but there may only be so many. */
const LONG_SUBRESOURCES = new Set(['log', 'exec', 'attach', 'portforward', 'proxy']);

/**
 * Answers one request: authenticate → take a seat → authorize → dispatch. Never rejects. `answered` is called when the
 * answer is over, sent or not.
 */
export async function handleRequest(
  context: HandlerContext,
  request: Http2ServerRequest,
  response: Http2ServerResponse,
  answered: () => void,
): Promise<void> {
  const startMs = context.clock.monotonicMs();
  const { path, query, info } = context.requests.read(request.method, request.url);
  const held: Held = { release: () => {} };
  const exchange: { -readonly [K in keyof Exchange]: Exchange[K] } = {
    request,
    response,
    fields: new HeaderFields(),
    path,
    query,
    user: ANONYMOUS,
    warnings: [],
    annotations: new Map<string, string>(),
    disconnect: new Disconnect(response, answered),
    clock: context.clock,
    bodies: context.bodies,
    bodyDeadlines: context.deadlines.body,
    audit: undefined,
    isServed: false,
    release: () => held.release(),
  };
  let timer: Timer | undefined;
  let isOver = false;
  try {
    prepareFields(request, exchange.fields);
    if (!info) throw apiError('BadRequest', `cannot decode path ${JSON.stringify(path)}`);
    if (!isLong(info) && info.verb !== 'watch') {
      const allowedMs = askedTimeoutMs(query);
      exchange.endMs = startMs + (allowedMs ?? LIMITS.http.requestTimeoutMs);
      timer = startDeadline(context, allowedMs, () => {
        isOver = true;
        void timeOut(exchange);
      });
    }
    identify(context, exchange, info);
    const taken = takeSeat(context, exchange, info);
    // Mostly there is one at once, and waiting for what is there would cost a turn.
    held.release = taken instanceof Promise ? await taken : taken;
    authorizeAudited(context, exchange, info);
    await dispatch(context, exchange, info);
  } catch (error) {
    // Who heard that it took too long hears no more.
    if (!isOver) {
      if (!exchange.disconnect.happened) logUnexpected(context.log, exchange, error);
      await sendError(exchange, error).catch(() => (response.stream ?? response).destroy());
    }
  } finally {
    timer?.cancel();
    held.release();
    exchange.audit?.complete(response.statusCode, exchange.annotations);
    count(context, exchange, info, context.clock.monotonicMs() - startMs);
  }
}

interface Held {
  release: () => void;
}

/** Who asks, and as whom. Throws 401 or 403. */
function identify(
  context: HandlerContext,
  exchange: { -readonly [K in keyof Exchange]: Exchange[K] },
  info: RequestInfo,
): void {
  const { authorizer, metrics, audit } = context;
  const { request, fields, path } = exchange;
  const facts = audit && factsOf(request, String(fields.get('audit-id')));
  let sender: UserInfo;
  try {
    sender = authenticate(context, request, path);
  } catch (error) {
    metrics.authentications.add(['failure']);
    exchange.audit = facts && audit.begin(NOBODY, info, facts);
    throw error;
  }
  metrics.authentications.add(['success']);
  exchange.audit = facts && audit.begin(sender, info, facts);
  const acting = impersonate({ authorizer, sender, rawHeaders: request.rawHeaders, info });
  if (acting) exchange.audit?.impersonates(acting.user, acting.constraint);
  exchange.user = acting?.user ?? sender;
}

/** Whose credential did not count. */
const NOBODY = { name: '', groups: [] };

function authorizeAudited(
  { authorizer, metrics }: HandlerContext,
  { user, audit }: Exchange,
  info: RequestInfo,
): void {
  let decision = 'forbid';
  let reason = '';
  try {
    reason = authorizeRequest(authorizer, user, info);
    decision = 'allow';
  } finally {
    metrics.authorizations.add([decision === 'allow' ? 'allowed' : 'denied']);
    audit?.annotate('authorization.k8s.io/decision', decision);
    audit?.annotate('authorization.k8s.io/reason', reason);
  }
}

/**
 * A seat of the request's flow, or a place among the long ones. Returns what gives it back, more than once if need be.
 * Throws, or rejects with, 429.
 */
function takeSeat(
  context: HandlerContext,
  exchange: Exchange,
  info: RequestInfo,
): Returned | Promise<Returned> {
  const { fairness, long, registry } = context;
  const { user, disconnect, query } = exchange;
  if (isLong(info)) return long.enter();
  const seat = fairness.enter({
    user,
    info,
    seats: seatsOf(info, registry, query),
    onGone: (callback) => disconnect.onceHappened(callback),
  });
  return seat instanceof Promise
    ? seat.then((one) => sitDown(one, context, exchange, info))
    : sitDown(seat, context, exchange, info);
}

type Returned = () => void;

function sitDown(seat: Seat, { metrics }: HandlerContext, { fields }: Exchange, info: RequestInfo): Returned {
  fields.set('x-kubernetes-pf-flowschema-uid', seat.schemaUid);
  fields.set('x-kubernetes-pf-prioritylevel-uid', seat.levelUid);
  const kind = READS.has(info.verb) ? 'readOnly' : 'mutating';
  metrics.inflight[kind]++;
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    metrics.inflight[kind]--;
    seat.release();
  };
}

const READS: ReadonlySet<string> = new Set(['get', 'list', 'watch', 'head']);

/** Long lists weigh more than other requests. */
function seatsOf(info: RequestInfo, registry: Registry, query: URLSearchParams): number {
  if (!info.isResource || info.verb !== 'list') return 1;
  const served = registry.find(info)?.served;
  const size = (served && countObjects(served)) ?? 0;
  const limit = Number(query.get('limit') ?? 0);
  const { objectsPerSeat, listSeats } = LIMITS.fairness;
  return Math.min(Math.ceil((limit > 0 ? Math.min(limit, size) : size) / objectsPerSeat) || 1, listSeats);
}

/** The `timeout` of the query, where it is shorter than what any request may take. Throws 400 for what is no duration. */
function askedTimeoutMs(query: URLSearchParams): number | undefined {
  const text = query.size > 0 && query.get('timeout');
  if (!text) return undefined;
  let askedMs: number;
  try {
    askedMs = parseGoDuration(text);
  } catch (cause) {
    throw badRequest(`invalid timeout specified in the request URL - ${(cause as Error).message}`);
  }
  return askedMs > 0 && askedMs < LIMITS.http.requestTimeoutMs ? askedMs : undefined;
}

function startDeadline(
  { clock, deadlines }: HandlerContext,
  allowedMs: number | undefined,
  expire: () => void,
): Timer {
  return allowedMs === undefined ? deadlines.request.start(expire) : clock.setTimer(allowedMs, expire);
}

/** An answer that takes longer than any may: 504 where nothing was said yet, else the connection ends. */
async function timeOut(exchange: Exchange): Promise<void> {
  const text = 'Timeout: request did not complete within requested timeout - context deadline exceeded';
  const { response } = exchange;
  if (response.headersSent) (response.stream ?? response).destroy();
  else await sendError(exchange, apiError('Timeout', text)).catch(() => {});
}

function isLong(info: RequestInfo): boolean {
  return info.isResource && LONG_SUBRESOURCES.has(info.subresource);
}

function count(
  { metrics, registry }: HandlerContext,
  { request, response, query, disconnect, isServed }: Exchange,
  info: RequestInfo | undefined,
  durationMs: number,
): void {
  const { method } = request;
  const known = info?.isResource && !isServed && !registry.find(info) ? undefined : info;
  const contentType = request.headers['content-type'] ?? '';
  const isDryRun = query.has('dryRun');
  metrics.count({ info: known, method, contentType, isDryRun, code: response.statusCode, durationMs });
  if (disconnect.happened) metrics.aborted(known, method, contentType);
}

/** Throws, or rejects with, what is wrong. */
function dispatch(
  context: HandlerContext,
  exchange: { -readonly [K in keyof Exchange]: Exchange[K] },
  info: RequestInfo,
): Promise<void> {
  const remote = context.aggregator.match(exchange.path);
  if (remote) return context.aggregator.serve(exchange, remote);
  if (!info.isResource) {
    const page = context.pages.find(info.path);
    return page ? page(exchange) : sendText(exchange, 404, '404 page not found\n');
  }
  const endpoint = context.registry.find(info);
  if (!endpoint || !fitsScope(info, endpoint.resource.namespaced)) {
    throw apiError('NotFound', 'the server could not find the requested resource', { details: {} });
  }
  exchange.isServed = true;
  if (endpoint.warning !== undefined) exchange.warnings.push(endpoint.warning);
  const { watches, streams, schemas, clock } = context;
  const call: ResourceCall = {
    exchange,
    // `/namespaces/<name>` names a Namespace, which itself lies in none.
    info: endpoint.resource.namespaced ? info : { ...info, namespace: '' },
    endpoint,
    // Streams say in other ways what they speak.
    answer: LONG_SUBRESOURCES.has(info.subresource)
      ? { format: 'json' }
      : negotiate(exchange.request.headers.accept, {
          hasTable: !endpoint.served.definition.virtual,
          isStream: info.verb === 'watch',
        }),
    watches,
    streams,
    schemas,
    clock,
    authorize: (verb) => authorizeVerb(context.authorizer, exchange.user, info, verb),
  };
  return endpoint.open ? endpoint.open().then(() => handleResource(call)) : handleResource(call);
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
