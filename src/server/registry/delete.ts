import { invalidValue, notSupported } from '../../api/field-errors.ts';
import { copyJson, equalJson } from '../../api/json-value.ts';
import type { KubeObject } from '../../api/resource.ts';
import { conflict, type FieldError, invalid, isNotFound, notFound } from '../../api/status.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { CachedObject } from '../watchcache/port.ts';
import { admitMutating, admitValidating, strategyContext } from './admit.ts';
import { commitDelete, commitObject } from './commit.ts';
import type { ServedResource, WriteRequest } from './served-resource.ts';

export type PropagationPolicy = 'Orphan' | 'Background' | 'Foreground';

/** `metav1.DeleteOptions`, as far as they matter. */
export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: PropagationPolicy;
  /** Deprecated; upstream still honours it. */
  readonly orphanDependents?: boolean;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

export interface Deleted {
  /** The last state. */
  readonly object: KubeObject;
  /** False: marked only; finalizers or a grace period keep it for now. */
  readonly gone: boolean;
}

const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';
const POLICIES = ['Foreground', 'Background', 'Orphan'] as const;

/**
 * Deletes one object, or marks it where a grace period or finalizers keep it (upstream's Store.Delete).
 * Throws 404, 409 for a precondition that does not hold, and whatever admission says.
 */
export async function deleteObject(
  served: ServedResource,
  request: WriteRequest,
  options: DeleteOptions,
): Promise<Deleted> {
  const { definition } = served;
  const isSilent = options.propagationPolicy === undefined && options.orphanDependents === undefined;
  const { deleteWarning } = definition.strategy ?? {};
  if (isSilent && deleteWarning !== undefined) request.warn(deleteWarning);
  for (let attempt = 1; ; attempt++) {
    if (attempt > 1) await served.settled?.();
    const cached = served.cache.get(request.namespace || undefined, request.name);
    if (!cached) throw notFound(definition.resource, request.name);
    const outcome = await tryDelete(served, request, options, cached);
    if (outcome) return outcome;
    if (attempt >= LIMITS.registry.updateAttempts) {
      throw conflict(definition.resource, request.name, 'too many writers at once; please try again');
    }
  }
}

async function tryDelete(
  served: ServedResource,
  request: WriteRequest,
  options: DeleteOptions,
  cached: CachedObject,
): Promise<Deleted | undefined> {
  const { definition } = served;
  const old = cached.object();
  checkPreconditions(served, options, old);
  const admission = { operation: 'DELETE', subresource: '', oldObject: old, deleteOptions: options } as const;
  await admitMutating(served, request, admission);
  await admitValidating(served, request, admission);
  const nowMs = served.engine.clock.now();
  const object = copyJson(old);
  const context = strategyContext(served, request);
  await definition.strategy?.prepareDelete?.(object, context);
  const requested = options.gracePeriodSeconds;
  const graceSeconds = definition.strategy?.gracePeriodSeconds?.(
    old,
    requested !== undefined && requested < 0 ? 1 : requested,
  );
  const strategyFinalizers = definition.strategy?.finalizers?.(object) ?? [];
  const dependents = definition.strategy?.dependents;
  const plan = planDelete({
    ...{ object, options, graceSeconds, requested, nowMs, strategyFinalizers },
    ...(dependents && { dependents }),
  });
  // Whoever deletes again what finalizers keep must not cause a write, and an event that makes him try once more.
  const isMarked = plan === 'mark' && equalJson(object, old);
  if (plan === 'pending' || isMarked) return { object: old, gone: false };
  if (request.dryRun) return { object, gone: plan === 'remove' };
  const result =
    plan === 'remove'
      ? await commitDelete(served, object, cached.revision)
      : await commitObject(served, object, cached.revision);
  if (!result.ok) {
    if (!result.current) throw notFound(definition.resource, request.name);
    return undefined;
  }
  if (plan === 'remove') {
    object.metadata.resourceVersion = String(result.revisions[0] ?? result.revision);
    definition.strategy?.afterDelete?.(object, context);
  }
  return { object, gone: plan === 'remove' };
}

/**
 * Decides what a delete means and marks `object` accordingly, in place: `mark` it and keep it, `remove` it, or do
 * nothing because a deletion with no longer grace is `pending` already.
 */
function planDelete(input: {
  object: KubeObject;
  options: DeleteOptions;
  /** What the strategy grants; `undefined`: the kind knows no grace. */
  graceSeconds: number | undefined;
  /** What the caller asked for. */
  requested: number | undefined;
  nowMs: number;
  /** What keeps the object besides `metadata.finalizers`. */
  strategyFinalizers?: readonly string[];
  dependents?: 'orphan' | 'none';
}): 'mark' | 'remove' | 'pending' {
  const { object, options, nowMs } = input;
  const grace = graceOf(input);
  if (grace === 'pending') return 'pending';
  setGarbageCollectionFinalizers(object, options, input.dependents);
  const pendingFinalizers =
    (object.metadata.finalizers?.length ?? 0) + (input.strategyFinalizers?.length ?? 0) > 0;
  if (grace > 0) return 'mark';
  if (!pendingFinalizers) return 'remove';
  markDeleted(object, 0, nowMs);
  return 'mark';
}

/** Seconds of grace that now hold, 0 for none; sets the timestamps that go with them (upstream's BeforeDelete). */
function graceOf(input: {
  object: KubeObject;
  graceSeconds: number | undefined;
  requested: number | undefined;
  nowMs: number;
}): number | 'pending' {
  const { object, graceSeconds, requested, nowMs } = input;
  const { metadata } = object;
  if (graceSeconds === undefined) return 0;
  if (!metadata.deletionTimestamp) {
    if (graceSeconds > 0) markDeleted(object, graceSeconds, nowMs);
    return graceSeconds;
  }
  const present = Math.abs(metadata.deletionGracePeriodSeconds ?? 0);
  if (present === 0) return 0;
  if (requested === undefined || requested >= present) return 'pending';
  // Only ever shorter: the deadline moves back by what the grace lost, but not into the past.
  const seconds = Math.max(0, requested);
  const deadlineMs = Date.parse(metadata.deletionTimestamp) - (present - seconds) * 1000;
  metadata.deletionTimestamp = rfc3339(Math.max(deadlineMs, nowMs));
  metadata.deletionGracePeriodSeconds = deadlineMs < nowMs && seconds !== 0 ? 1 : seconds;
  return metadata.deletionGracePeriodSeconds;
}

function markDeleted(object: KubeObject, graceSeconds: number, nowMs: number): void {
  const { metadata } = object;
  const deadline = rfc3339(nowMs + graceSeconds * 1000);
  if (!metadata.deletionTimestamp && (metadata.generation ?? 0) > 0)
    metadata.generation = (metadata.generation ?? 0) + 1;
  if (!metadata.deletionTimestamp || Date.parse(metadata.deletionTimestamp) > Date.parse(deadline))
    metadata.deletionTimestamp = deadline;
  metadata.deletionGracePeriodSeconds = graceSeconds;
}

/** The two finalizers that speak to the garbage collector follow the policy, then what is set already, then the kind. */
function setGarbageCollectionFinalizers(
  object: KubeObject,
  options: DeleteOptions,
  dependents: 'orphan' | 'none' | undefined,
): void {
  const finalizers = object.metadata.finalizers ?? [];
  const wanted = dependents === 'none' ? undefined : wantedFinalizer(finalizers, options, dependents);
  const kept = finalizers.filter((one) => one !== ORPHAN && one !== FOREGROUND);
  if (wanted !== undefined) kept.push(wanted);
  if (equalJson([...kept].sort(), [...finalizers].sort())) return;
  if (kept.length > 0) object.metadata.finalizers = kept;
  else delete object.metadata.finalizers;
}

function wantedFinalizer(
  finalizers: readonly string[],
  { orphanDependents, propagationPolicy }: DeleteOptions,
  dependents: 'orphan' | undefined,
): string | undefined {
  if (orphanDependents !== undefined) return orphanDependents ? ORPHAN : undefined;
  if (propagationPolicy === 'Orphan') return ORPHAN;
  if (propagationPolicy === 'Foreground') return FOREGROUND;
  if (propagationPolicy !== undefined) return undefined;
  const present = finalizers.find((one) => one === ORPHAN || one === FOREGROUND);
  return present ?? (dependents === 'orphan' ? ORPHAN : undefined);
}

function checkPreconditions(served: ServedResource, { preconditions }: DeleteOptions, old: KubeObject): void {
  const { resource } = served.definition;
  const { uid, resourceVersion, name = '' } = old.metadata;
  if (preconditions?.uid && preconditions.uid !== uid) {
    const why = `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`;
    throw conflict({ group: resource.group, resource: resource.kind }, name, why);
  }
  if (preconditions?.resourceVersion && preconditions.resourceVersion !== resourceVersion) {
    const why = `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`;
    throw conflict({ group: resource.group, resource: resource.kind }, name, why);
  }
}

/** Throws 422 for options that upstream refuses. */
export function validateDeleteOptions(options: DeleteOptions): void {
  const { propagationPolicy, orphanDependents } = options;
  const errors: FieldError[] = [];
  if (orphanDependents !== undefined && propagationPolicy !== undefined) {
    const why = 'orphanDependents and deletionPropagation cannot be both set';
    errors.push(invalidValue('propagationPolicy', propagationPolicy, why));
  }
  if (propagationPolicy !== undefined && !POLICIES.includes(propagationPolicy))
    errors.push(notSupported('propagationPolicy', propagationPolicy, [...POLICIES, 'nil']));
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors);
}

/** Deletes every object given, one after another; one that is already gone is fine. */
export async function deleteEach(
  served: ServedResource,
  request: WriteRequest,
  options: DeleteOptions,
  objects: Iterable<Pick<CachedObject, 'name' | 'namespace'>>,
): Promise<Deleted[]> {
  const deleted: Deleted[] = [];
  for (const { name, namespace = '' } of objects) {
    try {
      deleted.push(await deleteObject(served, { ...request, name, namespace }, options));
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  return deleted;
}

/** Upstream's answer to a successful delete. */
export function deletedStatus(served: ServedResource, object: KubeObject) {
  const { resource } = served.definition;
  const { name = '', uid = '' } = object.metadata;
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name,
      ...(resource.group === '' ? {} : { group: resource.group }),
      kind: resource.resource,
      uid,
    },
  };
}
