import { copyJson } from '../../api/json-value.ts';
import { dns1123SubdomainProblems } from '../../api/names.ts';
import { apiVersionOf, type KubeObject } from '../../api/resource.ts';
import {
  type ApiError,
  alreadyExists,
  apiError,
  type FieldError,
  forbidden,
  invalid,
  isAlreadyExists,
} from '../../api/status.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { admitMutating, admitValidating, strategyContext } from './admit.ts';
import { tidyAfterAdmission, warnOfRepeatedOwners } from './after-admission.ts';
import { commitObject, encodeForStorage } from './commit.ts';
import { fillSystemFields, matchNamespace, wipeSystemFields } from './metadata.ts';
import { validateFinalizerNames, validateMetadata } from './metadata-validation.ts';
import type { ServedResource, WriteRequest, Written } from './served-resource.ts';

/**
 * Stores a new object. `object` belongs to the engine from here on and ends as what was stored. Throws or rejects.
 * default → mutating admission → prepare → default → validate → validating admission → commit.
 */
export function createObject(
  served: ServedResource,
  request: WriteRequest,
  object: KubeObject,
): Promise<Written> {
  const { definition, engine } = served;
  wipeSystemFields(object.metadata);
  matchNamespace(object.metadata, definition.resource.namespaced, request.namespace);
  warnOfRepeatedOwners(object, request);
  applyDefaults(served, object);
  served.schema.recordUpdate(undefined, object, {
    manager: request.fieldManager,
    subresource: '',
    now: rfc3339(engine.clock.now()),
    ignored: hasStatus(served) ? ['status'] : [],
  });
  return admitAndStoreNew(served, request, object);
}

/** The half of a create that create-by-update and create-by-apply share. Throws or rejects. */
export function admitAndStoreNew(
  served: ServedResource,
  request: WriteRequest,
  object: KubeObject,
): Promise<Written> {
  const { name = '', managedFields } = object.metadata;
  if (served.custom?.isTerminating()) {
    const why = 'create not allowed while custom resource definition is terminating';
    throw forbidden(served.definition.resource, name, why);
  }
  const store = (touched: boolean): Promise<Written> => {
    matchNamespace(object.metadata, served.definition.resource.namespaced, request.namespace);
    tidyAfterAdmission(object, request, managedFields);
    const isGenerated = name === '' && Boolean(object.metadata.generateName);
    return isGenerated
      ? storeGenerated(served, request, object, touched)
      : storeNew(served, request, object, touched);
  };
  const touched = admitMutating(served, request, { operation: 'CREATE', subresource: '', object, name });
  return typeof touched === 'boolean' ? store(touched) : touched.then(store);
}

/** Tries other names while the one made up is taken. */
async function storeGenerated(
  served: ServedResource,
  request: WriteRequest,
  object: KubeObject,
  touched: boolean,
): Promise<Written> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await storeNew(served, request, copyJson(object), touched);
    } catch (error) {
      if (!isAlreadyExists(error) || attempt >= LIMITS.registry.generateNameAttempts) throw error;
    }
  }
}

async function storeNew(
  served: ServedResource,
  request: WriteRequest,
  object: KubeObject,
  defaultAgain: boolean,
): Promise<Written> {
  const { definition, engine } = served;
  const { strategy } = definition;
  fillSystemFields(object.metadata, engine.clock);
  if (hasStatus(served) && !strategy?.keepsStatusOnCreate) delete (object as { status?: unknown }).status;
  if (hasGeneration(served, object)) object.metadata.generation = 1;
  object.apiVersion = apiVersionOf(definition.resource);
  object.kind = definition.resource.kind;
  if (strategy?.prepareCreate) await strategy.prepareCreate(object, strategyContext(served, request));
  let stored = false;
  try {
    if (defaultAgain || strategy?.prepareCreate) applyDefaults(served, object);
    validateNew(served, object);
    if (strategy?.warnings) for (const text of strategy.warnings(object, undefined)) request.warn(text);
    const { name = '' } = object.metadata;
    const admitted = admitValidating(served, request, { operation: 'CREATE', subresource: '', object, name });
    // Each await costs a turn.
    if (admitted) await admitted;
    if (request.dryRun) pretendToCommit(served, request, object);
    else {
      const result = await commitObject(served, object, 0, { forgets: !request.applies });
      if (!result.ok) throw existsError(served, object);
      stored = true;
    }
    return { object, created: true };
  } finally {
    // What `prepareCreate` took (addresses, ports) goes back when nothing came of it.
    if (!stored) strategy?.afterDelete?.(object, strategyContext(served, request));
  }
}

function pretendToCommit(served: ServedResource, { applies }: WriteRequest, object: KubeObject): void {
  const { namespace, name = '' } = object.metadata;
  encodeForStorage(object, { forgets: !applies });
  if (served.cache.get(namespace, name)) throw existsError(served, object);
}

function existsError(served: ServedResource, object: KubeObject): ApiError {
  const { resource } = served.definition;
  const { namespace, name = '', generateName } = object.metadata;
  const error = alreadyExists(resource, name);
  if (generateName) {
    const text = `${error.message}, the server was not able to generate a unique name for the object`;
    return apiError('AlreadyExists', text, { details: { ...error.status.details, retryAfterSeconds: 1 } });
  }
  const present = served.cache.get(namespace, name)?.object();
  if (!present?.metadata.deletionTimestamp) return error;
  return apiError('AlreadyExists', `object is being deleted: ${error.message}`, {
    details: error.status.details,
  });
}

const NO_ERRORS: readonly FieldError[] = [];

export const takesAnyFinalizer = ({ custom, definition }: ServedResource): boolean =>
  custom !== undefined || definition.anyFinalizer === true;

/** Throws 422 with everything that is wrong with a new object. */
function validateNew(served: ServedResource, object: KubeObject): void {
  const { definition, schema } = served;
  const { resource, strategy, validateName = dns1123SubdomainProblems } = definition;
  const inMetadata = [
    ...validateMetadata(object.metadata, resource.namespaced, validateName),
    ...(takesAnyFinalizer(served) ? NO_ERRORS : validateFinalizerNames(object.metadata)),
  ];
  const inSchema = schema.validate(object);
  const own = strategy?.validate?.(object) ?? NO_ERRORS;
  const ofNew = strategy?.validateNew?.(object) ?? NO_ERRORS;
  if (inMetadata.length + inSchema.length + own.length + ofNew.length === 0) return;
  const errors = [...inMetadata, ...inSchema, ...own, ...ofNew];
  throw invalid(resource, object.metadata.name ?? '', errors);
}

/** Defaults that are constant, then those that depend on other fields. */
export function applyDefaults(served: ServedResource, object: KubeObject): void {
  served.schema.applyDefaults(object);
  served.definition.strategy?.default?.(object);
}

export function hasStatus(served: ServedResource): boolean {
  return served.definition.subresources?.some(({ name }) => name === 'status') ?? false;
}

export function hasGeneration(served: ServedResource, object: KubeObject): boolean {
  return served.definition.strategy?.hasGeneration ?? 'spec' in object;
}
