import { copyJson } from '../../api/json-value.ts';
import { dns1123SubdomainProblems } from '../../api/names.ts';
import { apiVersionOf, type KubeObject } from '../../api/resource.ts';
import {
  type ApiError,
  alreadyExists,
  apiError,
  forbidden,
  invalid,
  isAlreadyExists,
} from '../../api/status.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { admitMutating, admitValidating, strategyContext } from './admit.ts';
import { commitObject, encodeForStorage } from './commit.ts';
import { dedupeOwners, fillSystemFields, matchNamespace, wipeSystemFields } from './metadata.ts';
import { validateMetadata } from './metadata-validation.ts';
import type { ServedResource, WriteRequest, Written } from './served-resource.ts';

/**
 * Stores a new object. `object` belongs to the engine from here on and ends as what was stored.
 * default → mutating admission → prepare → default → validate → validating admission → commit.
 */
export async function createObject(
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

/** The half of a create that create-by-update and create-by-apply share. */
export async function admitAndStoreNew(
  served: ServedResource,
  request: WriteRequest,
  object: KubeObject,
): Promise<Written> {
  const { name = '' } = object.metadata;
  if (served.custom?.isTerminating()) {
    const why = 'create not allowed while custom resource definition is terminating';
    throw forbidden(served.definition.resource, name, why);
  }
  const touched = await admitMutating(served, request, {
    operation: 'CREATE',
    subresource: '',
    object,
    name,
  });
  matchNamespace(object.metadata, served.definition.resource.namespaced, request.namespace);
  dedupeOwners(object.metadata);
  const generated = name === '' && Boolean(object.metadata.generateName);
  for (let attempt = 1; ; attempt++) {
    const candidate = generated ? copyJson(object) : object;
    try {
      return { object: await storeNew(served, request, candidate, touched), created: true };
    } catch (error) {
      if (!generated || !isAlreadyExists(error) || attempt >= LIMITS.registry.generateNameAttempts)
        throw error;
    }
  }
}

async function storeNew(
  served: ServedResource,
  request: WriteRequest,
  object: KubeObject,
  defaultAgain: boolean,
): Promise<KubeObject> {
  const { definition, engine } = served;
  const { strategy } = definition;
  const context = strategyContext(served, request);
  fillSystemFields(object.metadata, engine.clock);
  if (hasStatus(served) && !strategy?.keepsStatusOnCreate) delete (object as { status?: unknown }).status;
  if (hasGeneration(served, object)) object.metadata.generation = 1;
  object.apiVersion = apiVersionOf(definition.resource);
  object.kind = definition.resource.kind;
  await strategy?.prepareCreate?.(object, context);
  let stored = false;
  try {
    if (defaultAgain || strategy?.prepareCreate) applyDefaults(served, object);
    validateNew(served, object);
    for (const text of strategy?.warnings?.(object, undefined) ?? []) request.warn(text);
    await admitValidating(served, request, {
      operation: 'CREATE',
      subresource: '',
      object,
      name: object.metadata.name ?? '',
    });
    await commitNew(served, request, object);
    stored = !request.dryRun;
    return object;
  } finally {
    // What `prepareCreate` took (addresses, ports) goes back when nothing came of it.
    if (!stored) strategy?.afterDelete?.(object, context);
  }
}

async function commitNew(served: ServedResource, request: WriteRequest, object: KubeObject): Promise<void> {
  const { cache } = served;
  const { namespace, name = '' } = object.metadata;
  if (request.dryRun) {
    encodeForStorage(object);
    if (cache.get(namespace, name)) throw existsError(served, object);
    return;
  }
  const result = await commitObject(served, object, 0);
  if (!result.ok) throw existsError(served, object);
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

/** Throws 422 with everything that is wrong with a new object. */
function validateNew(served: ServedResource, object: KubeObject): void {
  const { definition, schema } = served;
  const { resource, strategy, validateName = dns1123SubdomainProblems } = definition;
  const errors = [
    ...validateMetadata(object.metadata, resource.namespaced, validateName),
    ...schema.validate(object),
    ...(strategy?.validate?.(object) ?? []),
    ...(strategy?.validateNew?.(object) ?? []),
  ];
  if (errors.length > 0) throw invalid(resource, object.metadata.name ?? '', errors);
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

export function warnOfRepeatedOwners(object: KubeObject, request: WriteRequest): void {
  if (dedupeOwners(object.metadata)) {
    request.warn(
      '.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests',
    );
  }
}
