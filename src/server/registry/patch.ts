import { TypeMismatchError } from '../../api/decode/conform.ts';
import { checkPatchedKind } from '../../api/decode/decode-body.ts';
import { unknownField } from '../../api/decode/strict-errors.ts';
import { invalidValue } from '../../api/field-errors.ts';
import { goText } from '../../api/go-text.ts';
import type { KubeObject } from '../../api/resource.ts';
import { type ApiError, badRequest, conflict, invalid } from '../../api/status.ts';
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

/** A patch, with what strict validation finds in the text it was read from. */
export type ReadPatch = Patch & { readonly strictErrors?: readonly string[] };
type Merging = Exclude<ReadPatch, { type: 'apply' }>;

/** Applies a patch to the stored state, again after each lost race, and stores the result like an update. */
export function patchObject(
  served: ServedResource,
  request: WriteRequest,
  patch: ReadPatch,
  options: PatchOptions = {},
): Promise<Written> {
  const { view = MAIN, schema = served.schema, authorizeCreate } = options;
  const change: Change =
    patch.type === 'apply'
      ? applyChange({ served, schema, request, patch, view })
      : { onlyExisting: true, compute: (old) => patched(schema, request, patch, old!) };
  const applies = patch.type === 'apply' ? ({ applies: true } as const) : {};
  return updateObject(
    served,
    { ...request, ...applies },
    {
      ...change,
      view,
      ...(authorizeCreate === undefined ? {} : { authorizeCreate }),
    },
  );
}

function patched(schema: ObjectSchema, request: WriteRequest, patch: Merging, old: KubeObject): KubeObject {
  const object = fitted(schema, request, patch, old);
  matchName(object.metadata, request.name);
  return object;
}

/** Throws 422, as upstream, for wrong types, and for what strict validation refuses in the patch or in its result. */
function fitted(schema: ObjectSchema, request: WriteRequest, patch: Merging, old: KubeObject): KubeObject {
  // What was patched is shown; fitting it to the schema changes it, so a refusal makes it again.
  const refused = (why: string): ApiError =>
    refusedPatch(patch.type === 'strategic' ? goText(patch.body) : jsonText(schema.patch(old, patch)), why);
  const data = schema.patch(old, patch);
  // Fields that name the kind mean nothing to a strategic merge, which patches an object, not its text.
  const { apiVersion = '', kind = '' } = old;
  if (patch.type !== 'strategic') checkPatchedKind(data, { apiVersion, kind }, refused);
  try {
    const { object, unknownFields } = schema.shape(data);
    if (request.fieldValidation !== 'Ignore') {
      const problems = [...(patch.strictErrors ?? []), ...unknownFields.map(unknownField)];
      if (problems.length > 0 && request.fieldValidation === 'Strict')
        throw refused(`strict decoding error: ${problems.join(', ')}`);
      for (const text of problems) request.warn(text);
    }
    object['metadata'] ??= {};
    return object as unknown as KubeObject;
  } catch (error) {
    if (error instanceof TypeMismatchError)
      throw refused(patch.type === 'strategic' ? error.restoring : error.message);
    throw error;
  }
}

function refusedPatch(value: string, why: string): ApiError {
  return invalid({ group: '', kind: '' }, '', [invalidValue('patch', value, why)]);
}

/** Integers that no number holds exactly are bigints here. */
const jsonText = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? Number(one) : one));

function applyChange(input: {
  served: ServedResource;
  schema: ObjectSchema;
  request: WriteRequest;
  patch: Extract<Patch, { type: 'apply' }>;
  view: View;
}): Change {
  const { served, schema, request, patch, view } = input;
  const { object: config, warnings } = schema.conformApplied(patch.body, request.fieldValidation);
  for (const text of warnings) request.warn(text);
  if (config.metadata.managedFields?.length) throw badRequest('metadata.managedFields must be nil');
  config.metadata.name ??= request.name;
  matchName(config.metadata, request.name);
  matchNamespace(config.metadata, request.namespace !== '', request.namespace);
  return {
    createMissing: true,
    managed: true,
    compute: (old, stored) => {
      if (old === undefined) refuseUid(served, request, config);
      const options = {
        manager: request.fieldManager,
        force: patch.force === true,
        subresource: view.name,
        now: rfc3339(served.engine.clock.now()),
        ignored: view.ignored(old ?? config, hasStatus(served)),
      };
      if (!view.applied || !stored) return schema.apply(old, { ...options, config });
      // Owners are those of the object's own fields, whatever kind the view shows them as.
      const whole = served.schema.apply(stored, { ...options, config: view.applied(config, stored) });
      return shownApplied(view, config, whole);
    },
  };
}

/** What the view shows of the object that was applied to, with its owners, and the preconditions of who applied. */
function shownApplied(view: View, { metadata }: KubeObject, whole: KubeObject): KubeObject {
  const shown = view.read(whole);
  const { managedFields } = whole.metadata;
  const { uid, resourceVersion } = metadata;
  return {
    ...shown,
    metadata: {
      ...shown.metadata,
      ...(managedFields === undefined ? {} : { managedFields }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
  };
}

/** Who names a uid means an object that is there. */
function refuseUid(served: ServedResource, { name }: WriteRequest, { metadata: { uid } }: KubeObject): void {
  if (!uid) return;
  const why = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;
  throw conflict(served.definition.resource, name, why);
}
