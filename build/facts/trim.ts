/**
 * Trims a dump of Kubernetes interface facts (fields, types, list semantics, protobuf numbers, routes) to
 * the API versions Kedge serves, and writes `kubernetes-facts.json` beside this file. Run only when the
 * Kubernetes version moves: `node build/facts/trim.ts <facts.json>`.
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

const isServed = (name: string): boolean => !/\.v\d+(alpha|beta)\d+\./.test(name);
const isServedRoute = (route: string): boolean => !/\/v\d+(alpha|beta)\d+\//.test(route);
const filter = <T>(table: Record<string, T>, keep: (key: string) => boolean): Record<string, T> =>
  Object.fromEntries(Object.entries(table).filter(([key]) => keep(key)));

const trimmed = {
  version: facts.version,
  definitions: filter(facts.definitions, isServed),
  resources: filter(facts.resources, isServedRoute),
  protobuf: filter(facts.protobuf, isServed),
};
const lines = Object.entries(trimmed).map(([section, table]) =>
  typeof table === 'string'
    ? `${JSON.stringify(section)}:${JSON.stringify(table)}`
    : `${JSON.stringify(section)}:{\n${Object.entries(table)
        .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
        .join(',\n')}\n}`,
);
writeFileSync(new URL('./kubernetes-facts.json', import.meta.url), `{${lines.join(',\n')}}\n`);
