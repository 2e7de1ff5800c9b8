import type { KubeObject } from '../../api/resource.ts';
import { ApiError, apiError, notFound } from '../../api/status.ts';
import type { Clock } from '../../lib/clock.ts';
import { createObject } from '../registry/create.ts';
import { deletedStatus, deleteEach, deleteObject, validateDeleteOptions } from '../registry/delete.ts';
import { listObjects, validateListQuery } from '../registry/list.ts';
import { matchName } from '../registry/metadata.ts';
import { patchObject } from '../registry/patch.ts';
import { type Endpoint, inVersion, toStored } from '../registry/registry.ts';
import type { ObjectSchema, WriteRequest } from '../registry/served-resource.ts';
import { updateObject } from '../registry/update.ts';
import { MAIN } from '../registry/view.ts';
import { answerVirtual } from '../registry/virtual.ts';
import { decodeDeleteOptions, decodeObject, decodePatch, type Expected } from './decode-body.ts';
import { type Exchange, isPretty, sendJson } from './exchange.ts';
import { listJson, objectList, sendList } from './list-response.ts';
import type { Answer } from './negotiate.ts';
import { deleteQueryOf, listQueryOf, numberOf, watchQueryOf, writeRequestOf } from './parameters.ts';
import { readBody } from './read-body.ts';
import type { ResourceRequest } from './request-info.ts';
import { handleSubresource } from './subresource-handler.ts';
import { listShape, transformOf } from './transform.ts';
import type { Watches } from './watch-response.ts';

/** What a handler needs to know besides the exchange. */
export interface ResourceCall {
  readonly exchange: Exchange;
  readonly info: ResourceRequest;
  readonly endpoint: Endpoint;
  readonly answer: Answer;
  readonly watches: Watches;
  /** Throws 403 unless the user may do `verb` to the same object. */
  readonly authorize: (verb: string) => void;
  /** Schemas of kinds that are not resources of their own: Scale, Binding, Eviction, TokenRequest. */
  readonly schemas: (kind: { group: string; version: string; kind: string }) => ObjectSchema | undefined;
  readonly streams: StreamHandlers;
  readonly clock: Clock;
}

/** Subresources that stream: log, exec, attach, port-forward, proxy. */
export interface StreamHandlers {
  find(
    resource: string,
    group: string,
    subresource: string,
  ): ((call: ResourceCall) => Promise<void>) | undefined;
}

/** These act on one object, which the URL names; create must not name one; lists may select one by name. */
const NAMED_VERBS = new Set(['get', 'update', 'patch', 'delete']);
const WRITES_IN_NAMESPACE = new Set(['create', 'deletecollection']);
const READS_ACROSS = new Set(['list', 'watch']);
const LISTING_VERBS = new Set(['list', 'watch', 'deletecollection']);

/** Dispatches on the verb; authorization has already said yes. Throws, or rejects with, what is wrong. */
export function handleResource(call: ResourceCall): Promise<void> {
  const { info, endpoint } = call;
  if (info.subresource !== '') return handleSubresource(call);
  const { verbs, virtual } = endpoint.served.definition;
  const verb = info.verb;
  // Upstream has no such path for custom resources; the others have one that is only read.
  const isElsewhere = endpoint.resource.namespaced && info.namespace === '' && !READS_ACROSS.has(verb);
  if (isElsewhere && endpoint.served.custom) throw noSuchPath();
  if (verbs && !(verbs as readonly string[]).includes(verb)) throw methodNotAllowed();
  if (NAMED_VERBS.has(verb) !== (info.name !== '') && !LISTING_VERBS.has(verb)) throw methodNotAllowed();
  // Writes happen in a namespace; only reads span them all.
  if (WRITES_IN_NAMESPACE.has(verb) && isElsewhere) throw methodNotAllowed();
  if (virtual) return handleVirtual(call);
  switch (verb) {
    case 'get':
      return handleGet(call);
    case 'list':
      return handleList(call);
    case 'watch':
      return handleWatch(call);
    case 'create':
      return handleCreate(call);
    case 'update':
      return handleUpdate(call);
    case 'patch':
      return handlePatch(call);
    case 'delete':
      return handleDelete(call);
    case 'deletecollection':
      return handleDeleteCollection(call);
    default:
      throw methodNotAllowed();
  }
}

/** 405 as upstream words it. */
export function methodNotAllowed(): ApiError {
  return apiError('MethodNotAllowed', 'the server does not allow this method on the requested resource', {
    details: {},
  });
}

/** 404 for a path that leads nowhere. */
export function noSuchPath(): ApiError {
  return apiError('NotFound', 'the server could not find the requested resource', { details: {} });
}

/** The newest bytes of what was just written or read, or another form of it. What a dry run made is nowhere stored. */
export function sendObject(
  call: ResourceCall,
  code: number,
  object: KubeObject,
  isDryRun = call.exchange.query.has('dryRun'),
): Promise<void> {
  const { endpoint, exchange, answer } = call;
  const transform = objectTransform(call);
  if (transform) return sendJson(exchange, code, transform(object), answer);
  const { namespace, name = '', resourceVersion } = object.metadata;
  const cached = endpoint.served.cache.get(namespace, name);
  const isNewest = !isDryRun && cached !== undefined && String(cached.revision) === resourceVersion;
  return sendJson(exchange, code, isNewest ? cached.json() : object, answer);
}

async function handleGet(call: ResourceCall): Promise<void> {
  const { endpoint, info, exchange, answer } = call;
  const { served } = endpoint;
  const found = served.cache.get(info.namespace || undefined, info.name);
  if (!found) throw notFound(endpoint.resource, info.name);
  const transform = objectTransform(call);
  return sendJson(exchange, 200, transform ? transform(found.object()) : found.json(), answer);
}

function objectTransform({ endpoint, answer, exchange, clock }: ResourceCall, columnsOnce = false) {
  return transformOf({ endpoint, answer, query: exchange.query, now: () => clock.now(), columnsOnce });
}

async function handleList(call: ResourceCall): Promise<void> {
  const { endpoint, info, exchange, answer, clock } = call;
  const page = await listObjects(endpoint.served, listQueryOf(exchange.query, info, endpoint));
  const shape = listShape(page, { endpoint, answer, query: exchange.query, now: () => clock.now() });
  if (answer.format === 'json' && !isPretty(exchange)) return sendList(exchange, page, shape);
  return sendJson(exchange, 200, listJson(page, shape), answer);
}

async function handleWatch(call: ResourceCall): Promise<void> {
  const { endpoint, info, exchange, watches } = call;
  await watches.serve(exchange, {
    endpoint,
    query: watchQueryOf(exchange.query, info, endpoint),
    timeoutSeconds: numberOf(exchange.query, 'timeoutSeconds'),
    transform: objectTransform(call, true),
  });
}

function expectedOf({ resource, schema }: Endpoint, { fieldValidation }: WriteRequest): Expected {
  return { kind: resource, schema, validation: fieldValidation };
}

async function handleCreate(call: ResourceCall): Promise<void> {
  const { endpoint, exchange, info } = call;
  const request = writeRequestOf(exchange, info);
  const object = decodeObject(exchange, await readBody(exchange), expectedOf(endpoint, request));
  const { resourceVersion = '0' } = object.metadata;
  if (resourceVersion !== '' && resourceVersion !== '0' && !request.dryRun) throw hasVersion();
  const { object: stored } = await createObject(endpoint.served, request, toStored(endpoint, object));
  return sendObject(call, 201, stored);
}

/** What comes from somewhere else is not new. Upstream's datastore says so, without a reason of the API's. */
function hasVersion(): ApiError {
  const message = 'resourceVersion should not be set on objects to be created';
  return new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    code: 500,
  });
}

async function handleUpdate(call: ResourceCall): Promise<void> {
  const { endpoint, exchange, info, authorize } = call;
  const request = writeRequestOf(exchange, info);
  const body = await readBody(exchange);
  // Decoded anew for each attempt only where there is a second one: the engine keeps what it is given.
  let submitted: KubeObject | undefined = toStored(
    endpoint,
    decodeObject(exchange, body, expectedOf(endpoint, request)),
  );
  matchName(submitted.metadata, info.name);
  const { object, created } = await updateObject(endpoint.served, request, {
    compute() {
      const object =
        submitted ?? toStored(endpoint, decodeObject(exchange, body, expectedOf(endpoint, request)));
      submitted = undefined;
      return object;
    },
    authorizeCreate: () => authorize('create'),
  });
  return sendObject(call, created ? 201 : 200, object);
}

async function handlePatch(call: ResourceCall): Promise<void> {
  const { endpoint, exchange, info, authorize } = call;
  const patch = decodePatch(exchange, await readBody(exchange));
  const request = writeRequestOf(exchange, info, patch.type);
  const { object, created } = await patchObject(endpoint.served, request, patch, {
    view: inVersion(endpoint, MAIN),
    schema: endpoint.schema,
    authorizeCreate: () => authorize('create'),
  });
  return sendObject(call, created ? 201 : 200, object);
}

async function handleDelete(call: ResourceCall): Promise<void> {
  const { endpoint, exchange, info } = call;
  const options = decodeDeleteOptions(exchange, await readBody(exchange)) ?? deleteQueryOf(exchange.query);
  validateDeleteOptions(options);
  const request = { ...writeRequestOf(exchange, info), dryRun: options.dryRun };
  const { object, gone } = await deleteObject(endpoint.served, request, options);
  const code = !gone && options.orphanDependents === false ? 202 : 200;
  if (gone && !endpoint.served.definition.returnsDeleted)
    return sendJson(exchange, code, deletedStatus(endpoint.served, object), call.answer);
  return sendObject(call, code, object, options.dryRun);
}

async function handleDeleteCollection(call: ResourceCall): Promise<void> {
  const { endpoint, exchange, info } = call;
  const query = listQueryOf(exchange.query, info, endpoint);
  validateListQuery(query);
  const options = decodeDeleteOptions(exchange, await readBody(exchange)) ?? deleteQueryOf(exchange.query);
  validateDeleteOptions(options);
  const page = await listObjects(endpoint.served, query);
  const request = { ...writeRequestOf(exchange, info), dryRun: options.dryRun };
  await deleteEach(endpoint.served, request, options, page.items);
  return sendList(exchange, page, objectList(endpoint, page));
}

async function handleVirtual(call: ResourceCall): Promise<void> {
  const { endpoint, exchange, info } = call;
  const request: WriteRequest = writeRequestOf(exchange, info);
  const body = decodeObject(exchange, await readBody(exchange), expectedOf(endpoint, request));
  return sendJson(exchange, 201, await answerVirtual(endpoint.served, request, body), call.answer);
}
