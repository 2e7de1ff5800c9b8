/**
 * Trims a dump of Kubernetes interface facts (fields, types, list semantics, protobuf numbers, routes) to
 * the API versions Kedge serves, and writes `kubernetes-facts.json` beside this file, and the protobuf messages of all
 * other versions to `other-protobuf.json`. Run only when the Kubernetes version moves:
 * `node build/facts/trim.ts <facts.json>`, then `npm run format`.
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface Facts {
  version: string;
  definitions: Record<string, { fields?: Record<string, { type: string }> }>;
  protobuf: Record<string, unknown>;
  resources: Record<string, unknown>;
}

const source = process.argv[2];
if (source === undefined) throw new Error('usage: node build/facts/trim.ts <facts.json>');
const facts = JSON.parse(readFileSync(source, 'utf8')) as Facts;

/** Beta versions of kinds that have no other: group (as packages name it), version, kinds. */
const BETA = [
  ['certificates', 'v1beta1', ['ClusterTrustBundle', 'PodCertificateRequest']],
  ['resource', 'v1beta2', ['DeviceTaint', 'DeviceTaintRule', 'DeviceTaintSelector']],
  ['storagemigration', 'v1beta1', ['StorageVersionMigration']],
] as const;
/** Fields of theirs that v1 no longer has. */
const DROPPED = ['pkixPublicKey', 'proofOfPossession'];

const isStable = (name: string): boolean => !/[./]v\d+(alpha|beta)\d+[./]/.test(name);
const betaOf = (name: string): (typeof BETA)[number] | undefined =>
  BETA.find(([group, version, kinds]) => {
    const rest = name.split(`.${group}.${version}.`)[1];
    return rest !== undefined && kinds.some((kind) => new RegExp(`^${kind}(List|Spec|Status)?$`).test(rest));
  });
const isServed = (name: string): boolean => isStable(name) || betaOf(name) !== undefined;
const isServedRoute = (route: string): boolean =>
  isStable(route) ||
  BETA.some(([group, version, kinds]) =>
    kinds.some((kind) => new RegExp(`^${group}\\.k8s\\.io/${version}/${kind}s(/|$)`, 'i').test(route)),
  );

/** The v1 that Kubernetes 1.37 makes of a beta version, by the same fields and numbers. */
function withStable<T>(table: Record<string, T>): Record<string, T> {
  const copies = Object.entries(table).flatMap(([name, value]): [string, T][] => {
    const beta =
      betaOf(name) ?? BETA.find(([group, version]) => name.startsWith(`${group}.k8s.io/${version}/`));
    if (!beta) return [];
    const [group, version] = beta;
    const stable = (text: string): string =>
      text
        .replaceAll(`.${group}.${version}.`, `.${group}.v1.`)
        .replaceAll(`${group}.k8s.io/${version}/`, `${group}.k8s.io/v1/`)
        .replaceAll(`"${group}.k8s.io","${version}"`, `"${group}.k8s.io","v1"`);
    if (stable(name) in table) return [];
    return [[stable(name), withoutDropped(JSON.parse(stable(JSON.stringify(value))) as T)]];
  });
  return Object.fromEntries([...Object.entries(table), ...copies].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function withoutDropped<T>(value: T): T {
  const fields = (value as { fields?: Record<string, unknown> }).fields ?? (value as Record<string, unknown>);
  for (const name of DROPPED) delete fields[name];
  return value;
}

const filter = <T>(table: Record<string, T>, keep: (key: string) => boolean): Record<string, T> =>
  Object.fromEntries(Object.entries(table).filter(([key]) => keep(key)));

const trimmed = {
  version: facts.version,
  definitions: withStable(filter(facts.definitions, isServed)),
  resources: withStable(filter(facts.resources, isServedRoute)),
  protobuf: withStable(filter(facts.protobuf, isServed)),
};
const lines = Object.entries(trimmed).map(([section, table]) =>
  typeof table === 'string'
    ? `${JSON.stringify(section)}:${JSON.stringify(table)}`
    : `${JSON.stringify(section)}:{\n${Object.entries(table)
        .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
        .join(',\n')}\n}`,
);
writeFileSync(new URL('./kubernetes-facts.json', import.meta.url), `{${lines.join(',\n')}}\n`);

const others = Object.entries(filter(facts.protobuf, (name) => !(name in trimmed.protobuf)));
writeFileSync(
  new URL('./other-protobuf.json', import.meta.url),
  `{\n${others.map(([name, fields]) => `${JSON.stringify(name)}:${JSON.stringify(fields)}`).join(',\n')}\n}\n`,
);
