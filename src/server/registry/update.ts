import { invalidValue } from '../../api/field-errors.ts';
import { copyJson, equalJson, type JsonObject, own } from '../../api/json-value.ts';
import { apiVersionOf, type KubeObject } from '../../api/resource.ts';
import { conflict, invalid, MODIFIED, notFound } from '../../api/status.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { type Admission, admitMutating, admitValidating, strategyContext } from './admit.ts';
import { tidyAfterAdmission, warnOfRepeatedOwners } from './after-admission.ts';
import { commitDelete, commitObject, encodeForStorage } from './commit.ts';
import { admitAndStoreNew, applyDefaults, hasGeneration, hasStatus, takesAnyFinalizer } from './create.ts';
import { carrySystemFields, matchNamespace, wipeSystemFields } from './metadata.ts';
import { validateFinalizerNames, validateMetadataUpdate } from './metadata-validation.ts';
import type { ServedResource, WriteRequest, Written } from './served-resource.ts';
import { MAIN, type View } from './view.ts';

export interface Change {
  /** Which part of the object is written. The object itself by default. */
  readonly view?: View;
  /**
   * The new state as the view shows it, from what the view shows of the stored state. Runs again after each lost
   * race, so it must not keep anything. Its result belongs to the engine; its arguments are read-only.
   */
  readonly compute: (old: KubeObject | undefined, stored?: KubeObject) => KubeObject | Promise<KubeObject>;
  /** Server-side apply creates what is missing. */
  readonly createMissing?: boolean;
  /** A patch has nothing to start from where nothing is stored, whatever the kind allows. */
  readonly onlyExisting?: boolean;
  /** Throws unless the user may create; asked only when the update turns out to create. */
  readonly authorizeCreate?: () => void;
  /** `compute` has brought `managedFields` up to date itself (apply). */
  readonly managed?: boolean;
}

/** Reads, computes, checks and stores, again and again until nobody else was faster (upstream's GuaranteedUpdate). */
export async function updateObject(
  served: ServedResource,
  request: WriteRequest,
  change: Change,
): Promise<Written> {
  const { definition } = served;
  for (let attempt = 1; ; attempt++) {
    if (attempt > 1) await served.settled?.();
    const cached = served.cache.get(request.namespace || undefined, request.name);
    if (!cached) {
      const mayCreate =
        change.createMissing || (definition.strategy?.allowCreateOnUpdate && !change.onlyExisting);
      if (!mayCreate || (change.view ?? MAIN).name !== '') throw notFound(definition.resource, request.name);
      return createByUpdate(served, request, change);
    }
    const old = cached.object();
    const outcome = await tryUpdate(served, request, change, old, cached.revision);
    if (outcome) return outcome;
    if (attempt >= LIMITS.registry.updateAttempts)
      throw conflict(definition.resource, request.name, MODIFIED);
  }
}

async function createByUpdate(
  served: ServedResource,
  request: WriteRequest,
  change: Change,
): Promise<Written> {
  change.authorizeCreate?.();
  const object = await change.compute(undefined);
  if (object.metadata.resourceVersion && object.metadata.resourceVersion !== '0')
    throw conflict(served.definition.resource, request.name, MODIFIED);
  wipeSystemFields(object.metadata);
  matchNamespace(object.metadata, served.definition.resource.namespaced, request.namespace);
  applyDefaults(served, object);
  if (!change.managed) recordManager(served, request, undefined, object, MAIN);
  return admitAndStoreNew(served, request, object);
}

/** `undefined`: somebody else wrote first; try again. */
async function tryUpdate(
  served: ServedResource,
  request: WriteRequest,
  change: Change,
  old: KubeObject,
  revision: number,
): Promise<Written | undefined> {
  const view = change.view ?? MAIN;
  const { definition } = served;
  const submitted = await change.compute(view.read(old), old);
  checkVersion(served, view, submitted, old);
  const object = view.write(submitted, old);
  matchNamespace(object.metadata, definition.resource.namespaced, request.namespace);
  // Of patches only what admission leaves is looked at.
  if (!change.managed && !change.onlyExisting) warnOfRepeatedOwners(object, request);
  const taken = { prepared: false, stored: false };
  try {
    await prepare(served, request, { object, old, view, managed: change.managed === true, taken });
    const admitted = admitValidating(served, request, admissionOf(view, object, old));
    if (admitted) await admitted;
    if (isLastFinalizerGone(served, object, old))
      return await deleteDuringUpdate(served, request, { object, old, revision });
    if (isUnchanged(object, old) && !(await isStale(served, request, old)))
      return { object: old, created: false };
    if (request.dryRun) {
      encodeForStorage(object, { forgets: !request.applies });
      object.metadata.resourceVersion = old.metadata.resourceVersion ?? '';
      return { object, created: false };
    }
    const result = await commitObject(served, object, revision, { old, forgets: !request.applies });
    taken.stored = result.ok;
    if (result.ok) return { object, created: false };
    if (!result.current) throw notFound(definition.resource, request.name);
    // A caller that named a version finds out when what it sent is held against the newer object.
    return undefined;
  } finally {
    const context = strategyContext(served, request);
    if (taken.prepared) definition.strategy?.afterUpdate?.({ object, old, stored: taken.stored, context });
  }
}

/** Everything between what the caller sent and what may be stored: admission, strategy, defaults, validation. */
async function prepare(
  served: ServedResource,
  request: WriteRequest,
  update: { object: KubeObject; old: KubeObject; view: View; managed: boolean; taken: { prepared: boolean } },
): Promise<void> {
  const { object, old, view } = update;
  const { definition, schema } = served;
  const { strategy, resource } = definition;
  object.apiVersion = apiVersionOf(resource);
  object.kind = resource.kind;
  applyDefaults(served, object);
  if (view.name === '' && hasStatus(served)) keepStatus(object, old);
  carrySystemFields(object.metadata, old.metadata);
  if (!update.managed) recordManager(served, request, old, object, view);
  const { managedFields } = object.metadata;
  const admitted = admitMutating(served, request, admissionOf(view, object, old));
  if (typeof admitted !== 'boolean') await admitted;
  matchNamespace(object.metadata, resource.namespaced, request.namespace);
  tidyAfterAdmission(object, request, managedFields);
  if (view.prepare) {
    // What the view does not write stays as it was, without defaults that were declared since.
    applyDefaults(served, object);
    view.prepare(object, old, () => strategyContext(served, request));
  } else if (view.name === '') {
    if (strategy?.prepareUpdate) await strategy.prepareUpdate(object, old, strategyContext(served, request));
    // From here on what it took (addresses, ports) has to be given back if nothing comes of the update.
    update.taken.prepared = true;
  }
  if (!view.prepare) applyDefaults(served, object);
  carrySystemFields(object.metadata, old.metadata);
  if (!view.keepsGeneration && hasGeneration(served, object) && !sameDesire(served, object, old))
    object.metadata.generation = (old.metadata.generation ?? 0) + 1;
  const errors = [
    ...validateMetadataUpdate(object.metadata, old.metadata),
    ...(takesAnyFinalizer(served) ? [] : validateFinalizerNames(object.metadata, old.metadata)),
    ...schema.validate(object),
    ...(view.validate ? view.validate(object, old) : validateWhole(served, object, old)),
  ];
  if (errors.length > 0) throw invalid(resource, request.name, errors);
  if (view.name === '') for (const text of strategy?.warnings?.(object, old) ?? []) request.warn(text);
}

function admissionOf(view: View, object: KubeObject, oldObject: KubeObject): Admission {
  const shown = view.name === 'scale' ? { shown: view } : {};
  return { operation: 'UPDATE', subresource: view.name, object, oldObject, ...shown };
}

function validateWhole({ definition: { strategy } }: ServedResource, object: KubeObject, old: KubeObject) {
  return [...(strategy?.validate?.(object) ?? []), ...(strategy?.validateUpdate?.(object, old) ?? [])];
}

/** Refuses a stale or missing resourceVersion and another uid. */
function checkVersion(served: ServedResource, view: View, submitted: KubeObject, old: KubeObject): void {
  const { resource, strategy } = served.definition;
  const { resourceVersion, uid, name = '' } = submitted.metadata;
  if (uid && uid !== old.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`;
    throw conflict(resource, name, why);
  }
  const version = resourceVersion === '0' ? '' : (resourceVersion ?? '');
  // A scale is no whole object that could bring back what somebody else has changed.
  if (version === '' && strategy?.allowUnconditionalUpdate === false && view.name !== 'scale') {
    const error = invalidValue('metadata.resourceVersion', 0, 'must be specified for an update');
    throw invalid({ group: resource.group, kind: resource.resource }, name, [error]);
  }
  if (version !== '' && version !== old.metadata.resourceVersion) throw conflict(resource, name, MODIFIED);
}

function recordManager(
  served: ServedResource,
  request: WriteRequest,
  old: KubeObject | undefined,
  object: KubeObject,
  view: View,
): void {
  served.schema.recordUpdate(old, object, {
    manager: request.fieldManager,
    subresource: view.name,
    now: rfc3339(served.engine.clock.now()),
    ignored: view.ignored(object, hasStatus(served)),
  });
}

function keepStatus(object: KubeObject, old: KubeObject): void {
  const target = object as { status?: unknown };
  const { status } = old as { status?: unknown };
  if (status === undefined) delete target.status;
  else target.status = copyJson(status);
}

/** Whether nothing but metadata and status differs. */
function sameDesire({ definition }: ServedResource, object: KubeObject, old: KubeObject): boolean {
  const more = definition.strategy?.generationIncludes;
  if (more && !equalJson(more(object), more(old))) return false;
  return equalJson({ ...object, metadata: null, status: null }, { ...old, metadata: null, status: null });
}

/** A write that changes nothing, times of managed fields aside, is not stored. */
function isUnchanged(object: KubeObject, old: KubeObject): boolean {
  const [now, before] = [object, old] as unknown as [JsonObject, JsonObject];
  // Most changes show here already, without a copy.
  for (const key of Object.keys(now))
    if (key !== 'metadata' && !equalJson(now[key], own(before, key))) return false;
  return equalJson(withoutTimes(object), withoutTimes(old));
}

/** Stored in an older version than it would be now: then even a write that changes nothing is one (upstream, too). */
async function isStale(
  { storage }: ServedResource,
  { dryRun }: WriteRequest,
  { metadata }: KubeObject,
): Promise<boolean> {
  return (
    !dryRun && storage !== undefined && (await storage.isStale(metadata.namespace ?? '', metadata.name ?? ''))
  );
}

function withoutTimes(object: KubeObject): object {
  const managedFields = object.metadata.managedFields?.map((entry) => ({ ...entry, time: undefined }));
  return { ...object, metadata: { ...object.metadata, resourceVersion: undefined, managedFields } };
}

/** Upstream's ShouldDeleteDuringUpdate. */
function isLastFinalizerGone(
  { definition }: ServedResource,
  object: KubeObject,
  { metadata: old }: KubeObject,
): boolean {
  const { metadata } = object;
  if ((definition.strategy?.finalizers?.(object).length ?? 0) > 0) return false;
  if ((metadata.finalizers?.length ?? 0) > 0 || !old.deletionTimestamp) return false;
  return (old.deletionGracePeriodSeconds ?? 0) === 0;
}

async function deleteDuringUpdate(
  served: ServedResource,
  request: WriteRequest,
  { object, old, revision }: { object: KubeObject; old: KubeObject; revision: number },
): Promise<Written | undefined> {
  if (request.dryRun) return { object, created: false };
  const result = await commitDelete(served, old, revision);
  if (!result.ok && result.current) return undefined;
  served.definition.strategy?.afterDelete?.(object, strategyContext(served, request));
  return { object, created: false };
}
