import type { KubeObject } from '../../api/resource.ts';
import { apiError, notFound } from '../../api/status.ts';
import type { Scale } from '../../api/types.gen.ts';
import type { Column } from '../registry/definition.ts';
import { matchName } from '../registry/metadata.ts';
import { patchObject } from '../registry/patch.ts';
import { postSubresource, postToSubresource } from '../registry/post.ts';
import { type Endpoint, inVersion } from '../registry/registry.ts';
import type { ObjectSchema } from '../registry/served-resource.ts';
import { updateObject } from '../registry/update.ts';
import { SCALE_KIND, type View, viewOf } from '../registry/view.ts';
import { ageColumn, integerColumn, nameColumn } from '../resources/columns.ts';
import { CUSTOM_PATCH_TYPES, decodeObject, decodePatch, unsupportedMediaType } from './decode-body.ts';
import { sendJson } from './exchange.ts';
import { writeRequestOf } from './parameters.ts';
import { readBody } from './read-body.ts';
import { methodNotAllowed, noSuchPath, type ResourceCall, sendObject } from './resource-handler.ts';
import { transformOf } from './transform.ts';

/** Routes under an object: views that are read and written, POSTs, streams. */
export async function handleSubresource(call: ResourceCall): Promise<void> {
  const { info, endpoint, streams, exchange } = call;
  const { definition } = endpoint.served;
  const streaming = streams.find(info.resource, info.group, info.subresource);
  if (streaming) return streaming(call);
  const view = viewOf(definition, info.subresource);
  if (view?.verbs && !view.verbs.includes(info.verb)) throw methodNotAllowed();
  if (view && info.verb === 'get') return handleGetView(call, view);
  if (view && info.verb === 'update') return handleUpdateView(call, view);
  if (view && info.verb === 'patch') return handlePatchView(call, view);
  const post = postSubresource(definition, info.subresource);
  if (post && info.verb === 'create') {
    const request = writeRequestOf(exchange, info);
    const schema = call.schemas(post.kind) ?? endpoint.schema;
    const { kind, alsoAccepted } = post;
    const expected = { kind, alsoAccepted, schema, validation: request.fieldValidation };
    const body = decodeObject(exchange, await readBody(exchange), expected);
    schema.applyDefaults(body);
    return sendJson(
      exchange,
      201,
      await postToSubresource(endpoint.served, request, post, body),
      call.answer,
    );
  }
  if (view || post) throw methodNotAllowed();
  throw noSuchPath();
}

async function handleGetView(call: ResourceCall, view: View): Promise<void> {
  const { endpoint, info } = call;
  const found = endpoint.served.cache.get(info.namespace || undefined, info.name);
  if (!found) throw notFound(endpoint.resource, info.name);
  const shown = found.object();
  const scale = endpoint.served.definition.subresources?.find(({ name }) => name === 'scale');
  if (view.name === 'scale' && scale && 'get' in scale && scale.get(shown).spec === undefined) {
    const path = JSON.stringify(scale.replicasPath ?? '');
    throw apiError(
      'InternalError',
      `Internal error occurred: the spec replicas field ${path} does not exist`,
    );
  }
  return sendView(call, view, shown);
}

async function handleUpdateView(call: ResourceCall, view: View): Promise<void> {
  const { endpoint, exchange, info } = call;
  const request = writeRequestOf(exchange, info);
  const body = await readBody(exchange);
  const { kind, schema } = shownKind(call, view);
  const { object } = await updateObject(endpoint.served, request, {
    view: inVersion(endpoint, view),
    compute() {
      const submitted = decodeObject(exchange, body, { kind, schema, validation: request.fieldValidation });
      matchName(submitted.metadata, info.name);
      return submitted;
    },
  });
  return sendView(call, view, object);
}

async function handlePatchView(call: ResourceCall, view: View): Promise<void> {
  const { endpoint, exchange, info } = call;
  const patch = decodePatch(exchange, await readBody(exchange));
  const request = writeRequestOf(exchange, info, patch.type);
  const { schema } = shownKind(call, view);
  if (patch.type === 'strategic' && endpoint.served.custom) throw unsupportedMediaType(CUSTOM_PATCH_TYPES);
  const { object } = await patchObject(endpoint.served, request, patch, {
    view: inVersion(endpoint, view),
    schema,
  });
  return sendView(call, view, object);
}

async function sendView(call: ResourceCall, view: View, stored: KubeObject): Promise<void> {
  if (view.name !== 'scale') return sendObject(call, 200, stored);
  const { endpoint, answer, exchange, clock } = call;
  // A Scale is the same in every version of what it belongs to.
  const { conversion: _, ...plain } = endpoint;
  const now = (): number => clock.now();
  const transform = transformOf({
    endpoint: plain,
    answer,
    query: exchange.query,
    now,
    columns: SCALE_COLUMNS,
  });
  const scale = view.read(stored);
  return sendJson(exchange, 200, transform ? transform(scale) : scale, answer);
}

const SCALE_COLUMNS: readonly Column<KubeObject & Scale>[] = [
  { ...nameColumn, format: '' },
  integerColumn('Desired', 'Replicas wanted.', ({ spec }: Scale) => spec?.replicas),
  integerColumn('Available', 'Replicas there are.', ({ status }: Scale) => status?.replicas),
  ageColumn,
];

/** What the view shows is the object itself in the client's version, or a Scale. */
function shownKind(
  call: ResourceCall,
  view: View,
): { kind: Endpoint['resource'] | typeof SCALE_KIND; schema: ObjectSchema } {
  const { endpoint, schemas } = call;
  if (view.name !== 'scale') return { kind: endpoint.resource, schema: endpoint.schema };
  return { kind: SCALE_KIND, schema: schemas(SCALE_KIND) ?? endpoint.schema };
}
