import { invalidValue } from '../../api/field-errors.ts';
import { copyJson, equalJson, type JsonObject, own } from '../../api/json-value.ts';
import type { KubeObject } from '../../api/resource.ts';
import { badRequest, type FieldError, invalid } from '../../api/status.ts';
import type { ObjectMeta, Scale } from '../../api/types.gen.ts';
import type { KeptByStatus, ResourceDefinition, StrategyContext, Subresource } from './definition.ts';

/**
 * The part of an object that one route reads and writes: the whole, its status, its scale, or what a subresource
 * of its own makes of it. Patches apply to what `read` shows.
 */
export interface View {
  /** Name of the subresource; empty for the object itself. */
  readonly name: string;
  /** Get, patch and update where it does not say. */
  readonly verbs?: readonly string[];
  /** Never changes its argument; may share parts with it. */
  read(stored: KubeObject): KubeObject;
  /** The whole new object, not shared with `old`. */
  write(submitted: KubeObject, old: KubeObject): KubeObject;
  /** Of a view of another kind: what an applied configuration says of the whole object, whose fields are owned. */
  applied?(config: KubeObject, stored: KubeObject): KubeObject;
  /** Instead of the strategy's. */
  readonly prepare?: (object: KubeObject, old: KubeObject, context: () => StrategyContext) => void;
  /** Instead of the strategy's. */
  readonly validate?: (object: KubeObject, old: KubeObject) => readonly FieldError[];
  /** What it writes is no desire of a user: `metadata.generation` stays. */
  readonly keepsGeneration?: true;
  /** Fields the route does not write, as paths such as `status` or `metadata.labels`; see ManagerOptions. */
  ignored(object: KubeObject, hasStatus: boolean): readonly string[];
}

export const MAIN: View = {
  name: '',
  read: (stored) => stored,
  write: (submitted) => submitted,
  ignored: (_object, hasStatus) => (hasStatus ? ['status'] : []),
};

/** The view a subresource gives, `undefined` where it is none (streams, POSTs) or unknown. */
export function viewOf(definition: ResourceDefinition, name: string): View | undefined {
  if (name === '') return MAIN;
  const found = definition.subresources?.find((one) => one.name === name);
  if (!found) return undefined;
  if (isScale(found)) return scaleView(found);
  if ('update' in found) return customView(found);
  return found.name === 'status' ? statusView(found) : undefined;
}

type Found = Subresource<KubeObject>;
type ScaleSubresource = Extract<Found, { set: unknown }>;
type CustomSubresource = Extract<Found, { update: unknown }>;

function isScale(found: Found): found is ScaleSubresource {
  return 'set' in found;
}

const notMetadata = (object: KubeObject): string[] =>
  Object.keys(object).filter((key) => !['apiVersion', 'kind', 'metadata'].includes(key));

function statusView(found: Found): View {
  const { keeps, prepareUpdate, validateUpdate } = found as {
    keeps?: KeptByStatus;
    prepareUpdate?: NonNullable<View['prepare']>;
    validateUpdate?: (object: KubeObject, old: KubeObject) => readonly FieldError[];
  };
  return {
    name: 'status',
    read: (stored) => stored,
    write(submitted, old) {
      const { status } = submitted as { status?: unknown };
      const object: KubeObject & { status?: unknown } = copyJson(old);
      object.metadata = statusMetadata(submitted.metadata, object.metadata, keeps);
      if (status === undefined) delete object.status;
      else object.status = status;
      return object;
    },
    prepare(object, old, context) {
      keepAllButStatus(object, old);
      prepareUpdate?.(object, old, context);
    },
    validate: (object, old) => validateUpdate?.(object, old) ?? [],
    keepsGeneration: true,
    ignored: (object) => [
      ...notMetadata(object).filter((key) => key !== 'status'),
      ...(keeps === undefined ? [] : [keeps === 'metadata' ? keeps : `metadata.${keeps}`]),
    ],
  };
}

/** What a write of the status makes of the metadata. Who manages what, and the version it was read at, always count. */
function statusMetadata(submitted: ObjectMeta, old: ObjectMeta, keeps: KeptByStatus | undefined): ObjectMeta {
  if (keeps === undefined) return submitted;
  if (keeps !== 'metadata') return withField({ ...submitted }, keeps, old[keeps]);
  withField(old, 'managedFields', submitted.managedFields);
  return withField(old, 'resourceVersion', submitted.resourceVersion);
}

function withField<K extends keyof ObjectMeta>(
  metadata: ObjectMeta,
  key: K,
  value: ObjectMeta[K],
): ObjectMeta {
  if (value === undefined) delete metadata[key];
  else metadata[key] = value;
  return metadata;
}

/** Neither defaults nor admission change through its status what else an object says. */
function keepAllButStatus(object: KubeObject, old: KubeObject): void {
  const [now, before] = [object, old] as unknown as [JsonObject, JsonObject];
  for (const key of new Set([...notMetadata(object), ...notMetadata(old)])) {
    if (key === 'status' || equalJson(now[key], own(before, key))) continue;
    if (Object.hasOwn(before, key)) now[key] = copyJson(before[key]);
    else delete now[key];
  }
}

function customView(found: CustomSubresource): View {
  return {
    name: found.name,
    ...(found.verbs && { verbs: found.verbs }),
    read: (stored) => stored,
    write: (submitted, old) => found.update(submitted, copyJson(old)),
    prepare: (object, old, context) => found.prepareUpdate?.(object, old, context),
    validate: (object, old) => found.validateUpdate?.(object, old) ?? [],
    ignored: () => ['status'],
  };
}

export const SCALE_KIND = { group: 'autoscaling', version: 'v1', kind: 'Scale' } as const;

function scaleView(found: ScaleSubresource): View {
  const { replicasPath } = found;
  return {
    name: 'scale',
    read(stored) {
      const { spec, status, selector } = found.get(stored);
      const { name, namespace, uid, resourceVersion, creationTimestamp } = stored.metadata;
      const scale: Scale & KubeObject = {
        kind: 'Scale',
        apiVersion: 'autoscaling/v1',
        metadata: {
          ...(name === undefined ? {} : { name }),
          ...(namespace === undefined ? {} : { namespace }),
          ...(uid === undefined ? {} : { uid }),
          ...(resourceVersion === undefined ? {} : { resourceVersion }),
          ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
        },
        spec: spec === undefined ? {} : { replicas: spec },
        status: { replicas: status, ...(selector === '' ? {} : { selector }) },
      };
      return scale;
    },
    write(submitted, old) {
      const { replicas: given } = (submitted as { spec?: { replicas?: number } }).spec ?? {};
      if (given === undefined && found.get(old).spec === undefined && replicasPath !== undefined) {
        const quoted = JSON.stringify(replicasPath);
        throw badRequest(`the spec replicas field ${quoted} cannot be empty`);
      }
      const replicas = given ?? 0;
      if (replicas < 0 && replicasPath === undefined) {
        const why = invalidValue('spec.replicas', replicas, 'must be greater than or equal to 0');
        throw invalid(SCALE_KIND, old.metadata.name ?? '', [why]);
      }
      const object = copyJson(old);
      if (submitted.metadata.resourceVersion)
        object.metadata.resourceVersion = submitted.metadata.resourceVersion;
      found.set(object, replicas);
      if (submitted.metadata.managedFields) object.metadata.managedFields = submitted.metadata.managedFields;
      return object;
    },
    applied(config, { apiVersion, kind, metadata: { name, namespace } }) {
      const { replicas } = (config as { spec?: { replicas?: number } }).spec ?? {};
      const metadata: ObjectMeta = {};
      withField(metadata, 'name', name);
      withField(metadata, 'namespace', namespace);
      const object = { apiVersion, kind, metadata } as KubeObject;
      if (replicas !== undefined) found.set(object, replicas);
      return object;
    },
    ...(replicasPath === undefined ? { prepare: () => {}, validate: () => [] } : {}),
    ignored: () => ['status'],
  };
}
