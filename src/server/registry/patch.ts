import { copyJson } from '../../api/json-value.ts';
import type { KubeObject } from '../../api/resource.ts';
import { badRequest } from '../../api/status.ts';
import type { Patch } from '../../client/port.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { hasStatus } from './create.ts';
import { matchName, matchNamespace } from './metadata.ts';
import type { ObjectSchema, ServedResource, WriteRequest, Written } from './served-resource.ts';
import { type Change, updateObject } from './update.ts';
import { MAIN, type View } from './view.ts';

export interface PatchOptions {
  readonly view?: View;
  /** Of what the view shows; the resource's own by default (`scale` shows another kind). */
  readonly schema?: ObjectSchema;
  readonly authorizeCreate?: () => void;
}

/** Applies a patch to the stored state, again after each lost race, and stores the result like an update. */
export function patchObject(
  served: ServedResource,
  request: WriteRequest,
  patch: Patch,
  options: PatchOptions = {},
): Promise<Written> {
  const { view = MAIN, schema = served.schema, authorizeCreate } = options;
  const change: Change =
    patch.type === 'apply'
      ? applyChange({ served, schema, request, patch, view })
      : { onlyExisting: true, compute: (old) => patched(schema, request, patch, old!) };
  return updateObject(served, request, {
    ...change,
    view,
    ...(authorizeCreate === undefined ? {} : { authorizeCreate }),
  });
}

function patched(
  schema: ObjectSchema,
  request: WriteRequest,
  patch: Exclude<Patch, { type: 'apply' }>,
  old: KubeObject,
): KubeObject {
  const { object, warnings } = schema.conform(schema.patch(old, patch), request.fieldValidation);
  for (const text of warnings) request.warn(text);
  matchName(object.metadata, request.name);
  return object;
}

function applyChange(input: {
  served: ServedResource;
  schema: ObjectSchema;
  request: WriteRequest;
  patch: Extract<Patch, { type: 'apply' }>;
  view: View;
}): Change {
  const { served, schema, request, patch, view } = input;
  const { object: config, warnings } = schema.conformApplied(copyJson(patch.body), request.fieldValidation);
  for (const text of warnings) request.warn(text);
  if (config.metadata.managedFields?.length) throw badRequest('metadata.managedFields must be nil');
  config.metadata.name ??= request.name;
  matchName(config.metadata, request.name);
  matchNamespace(config.metadata, request.namespace !== '', request.namespace);
  return {
    createMissing: true,
    managed: true,
    compute: (old) =>
      schema.apply(old, {
        config,
        manager: request.fieldManager,
        force: patch.force === true,
        subresource: view.name,
        now: rfc3339(served.engine.clock.now()),
        ignored: view.ignored(old ?? config, hasStatus(served)),
      }),
  };
}
