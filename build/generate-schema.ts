/**
 * Writes `src/api/schema/definitions.gen.ts`: what every built-in type consists of, one line of JSON for each, so
 * that the server decodes only the types it meets. Run: `npm run generate`.
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface Field {
  type: string;
  pb?: number;
  values?: string[];
  default?: unknown;
  'list-type'?: string;
  'list-map-keys'?: string[];
  'map-type'?: string;
  'patch-merge-key'?: string;
  'patch-strategy'?: string;
}
interface Definition {
  type?: string;
  format?: string;
  fields?: Record<string, Field>;
  required?: string[];
  gvk?: [group: string, version: string, kind: string][];
  'map-type'?: string;
  unions?: unknown;
}
interface Facts {
  definitions: Record<string, Definition>;
}

const facts = JSON.parse(
  readFileSync(new URL('./facts/kubernetes-facts.json', import.meta.url), 'utf8'),
) as Facts;

/**
 * Optional scalars whose zero value means something else than absence (pointers in upstream's types): `replicas: 0`,
 * `storageClassName: ""`. Every other optional zero is left out when an object is written, as upstream does.
 */
const optionalScalars = JSON.parse(
  readFileSync(new URL('./facts/optional-scalars.json', import.meta.url), 'utf8'),
) as Record<string, string[]>;

const names = Object.keys(facts.definitions).sort();
const indexOf = new Map(names.map((name, index) => [name, index]));

/** Value lists that only name the well-known values: others are accepted, or refused by a rule with its own words. */
const OPEN_ENUMS: readonly RegExp[] = [
  /Condition\.type$/,
  /\.(Node|Label)SelectorRequirement\.operator$/,
  /\.FieldSelectorRequirement\.operator$/,
  /\.PodReadinessGate\.conditionType$/,
  /\.Secret\.type$/,
  /\.EmptyDirVolumeSource\.medium$/,
  /\.ContainerResizePolicy\.resourceName$/,
  /\.ResourceStatus\.name$/,
  /\.NodeAddress\.type$/,
  /\.LimitRangeItem\.type$/,
  /\.Status(Cause)?\.reason$/,
  /\.ResourceQuotaSpec\.scopes$/,
  /\.ScopedResourceSelectorRequirement\./,
];

/** Defaults that equal Go's zero value of a field that is then left out: published, but nothing to fill in. */
const ZERO_DEFAULTS = new Set([
  'io.k8s.api.core.v1.LocalObjectReference.name',
  'io.k8s.api.core.v1.ReplicationControllerSpec.minReadySeconds',
  'io.k8s.api.autoscaling.v1.ScaleSpec.replicas',
]);

function compactType(type: string): string {
  return type.replace(/#(.+)$/, (_, name: string) => {
    const index = indexOf.get(name);
    if (index === undefined) throw new Error(`unknown reference ${name}`);
    return `#${index}`;
  });
}

/** Required, yet pointers upstream: absence stays absence, for validation to complain about. */
const REQUIRED_POINTERS = new Set([
  'admissionregistration.v1.MutatingWebhook.sideEffects',
  'admissionregistration.v1.ValidatingWebhook.sideEffects',
  'apps.v1.DaemonSetSpec.selector',
  'apps.v1.DeploymentSpec.selector',
  'apps.v1.ReplicaSetSpec.selector',
  'apps.v1.StatefulSetSpec.selector',
  'core.v1.ReplicationControllerSpec.template',
  'core.v1.ScaleIOPersistentVolumeSource.secretRef',
  'core.v1.ScaleIOVolumeSource.secretRef',
  'networking.v1.HTTPIngressPath.pathType',
  'networking.v1.IPAddressSpec.parentRef',
  'resource.v1.CapacityRequestPolicyRange.min',
]);
/** Optional by the facts, but plain structs upstream: they are always there. */
const ALWAYS_THERE = new Set(['metadata', 'spec', 'template', 'jobTemplate']);

/** Optional by the facts, but numbers and texts that upstream writes even when they are zero. */
const WRITTEN_ZEROS = new Set([
  'apps.v1.StatefulSetOrdinals.start',
  'apps.v1.StatefulSetSpec.serviceName',
  'apps.v1.StatefulSetStatus.availableReplicas',
  'policy.v1.PodDisruptionBudgetStatus.currentHealthy',
  'policy.v1.PodDisruptionBudgetStatus.desiredHealthy',
  'policy.v1.PodDisruptionBudgetStatus.disruptionsAllowed',
  'policy.v1.PodDisruptionBudgetStatus.expectedPods',
  'scheduling.v1.PriorityClass.value',
]);
const shortPath = (owner: string, name: string): string => `${owner.split('.').slice(-3).join('.')}.${name}`;

/** Whether an absent field holds its zero value, as in a Go struct. */
function isFilled(owner: string, name: string, field: Field): boolean {
  if (REQUIRED_POINTERS.has(shortPath(owner, name))) return false;
  if (WRITTEN_ZEROS.has(shortPath(owner, name))) return true;
  const isStruct = field.type.startsWith('#') && ALWAYS_THERE.has(name) && !field.type.endsWith('ListMeta');
  return isStruct || (facts.definitions[owner]?.required?.includes(name) ?? false);
}

function omitsZero(owner: string, name: string, field: Field): boolean {
  const definition = facts.definitions[owner];
  // Of other packages it is not known which fields are pointers.
  if (!/^io\.k8s\.api(machinery|extensions-apiserver)?\./.test(owner) || field.type.startsWith('#'))
    return false;
  // An empty list of these says something: it forgets who owns what.
  if (name === 'managedFields' || WRITTEN_ZEROS.has(shortPath(owner, name))) return false;
  return !(definition?.required?.includes(name) || optionalScalars[owner]?.includes(name));
}

function compactField(owner: string, name: string, field: Field): unknown[] {
  const path = `${owner}.${name}`;
  const attributes = {
    ...(field['list-type'] === undefined ? {} : { lt: field['list-type'] }),
    ...(field['list-map-keys'] === undefined ? {} : { lk: field['list-map-keys'] }),
    ...(field['map-type'] === undefined ? {} : { mt: field['map-type'] }),
    ...(field['patch-merge-key'] === undefined ? {} : { mk: field['patch-merge-key'] }),
    ...(field['patch-strategy'] === undefined ? {} : { ps: field['patch-strategy'].split(',') }),
    ...(field.values === undefined ? {} : { e: field.values }),
    ...(OPEN_ENUMS.some((pattern) => field.values !== undefined && pattern.test(path)) ? { oe: 1 } : {}),
    ...(field.default === undefined ? {} : { d: field.default }),
    ...(ZERO_DEFAULTS.has(path) ? { dz: 1 } : {}),
    ...(omitsZero(owner, name, field) ? { oz: 1 } : {}),
    ...(isFilled(owner, name, field) ? { fz: 1 } : {}),
  };
  const row: unknown[] = [compactType(field.type), field.pb ?? 0];
  if (Object.keys(attributes).length > 0) row.push(attributes);
  return row;
}

function line(name: string): string {
  const definition = facts.definitions[name] ?? {};
  return JSON.stringify({
    n: name,
    ...(definition.type === undefined ? {} : { t: definition.type }),
    ...(definition.format === undefined ? {} : { o: definition.format }),
    ...(definition['map-type'] === undefined ? {} : { m: definition['map-type'] }),
    ...(definition.required === undefined ? {} : { r: definition.required }),
    ...(definition.unions === undefined ? {} : { u: definition.unions }),
    ...(definition.fields === undefined
      ? {}
      : {
          f: Object.fromEntries(
            Object.entries(definition.fields).map(([key, field]) => [key, compactField(name, key, field)]),
          ),
        }),
  });
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** DeleteOptions and WatchEvent belong to every group; they are listed once, under the core group. */
const kinds = names.flatMap((name, index) => {
  const gvks = facts.definitions[name]?.gvk ?? [];
  const listed = gvks.length > 1 ? gvks.filter(([group, version]) => group === '' && version === 'v1') : gvks;
  return listed.map(([group, version, kind]) => ({ key: `${group}/${version}/${kind}`, index }));
});

writeFileSync(
  new URL('../src/api/schema/definitions.gen.ts', import.meta.url),
  `// Generated by build/generate-schema.ts from build/facts. Do not edit.
/** Index into DEFINITION_LINES by \`group/version/Kind\`. */
export const KIND_INDEX: Readonly<Record<string, number>> = {
${kinds.map(({ key, index }) => `  '${key}': ${index},`).join('\n')}
};
/** One definition a line, sorted by name; the letters are explained in built-in.ts. */
export const DEFINITION_LINES: readonly string[] = [
${names.map((name) => `  ${quoted(line(name))},`).join('\n')}
];
`,
);
