import { Failure } from '../failure.ts';
import { nearest } from '../nearest.ts';
import type { Connection } from './connection.ts';

/** One resource type as discovery lists it. */
export interface ApiResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

interface Aggregated {
  items?: {
    metadata: { name?: string };
    versions?: {
      version: string;
      resources?: {
        resource: string;
        responseKind?: { kind: string };
        scope: string;
        singularResource?: string;
        verbs: string[];
        shortNames?: string[];
        categories?: string[];
      }[];
    }[];
  }[];
}

const ACCEPT = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';

/** Every resource the server offers, preferred versions first (two requests). */
export async function discover(connection: Connection): Promise<readonly ApiResource[]> {
  const documents = await Promise.all(
    ['/api', '/apis'].map((path) => connection.json<Aggregated>('GET', path, { accept: ACCEPT })),
  );
  return documents.flatMap(({ items = [] }) =>
    items.flatMap(({ metadata, versions = [] }) =>
      versions.flatMap(({ version, resources = [] }) =>
        resources.map((one) => ({
          group: metadata.name ?? '',
          version,
          resource: one.resource,
          kind: one.responseKind?.kind ?? '',
          singular: one.singularResource ?? '',
          shortNames: one.shortNames ?? [],
          categories: one.categories ?? [],
          namespaced: one.scope === 'Namespaced',
          verbs: one.verbs,
        })),
      ),
    ),
  );
}

/** The types `deploy,svc`, `deployments.apps`, `all` … name. */
export function findResources(all: readonly ApiResource[], text: string): ApiResource[] {
  return text.split(',').flatMap((name) => {
    const inCategory = all.filter(({ categories }) => categories.includes(name));
    return inCategory.length > 0 ? inCategory : [findResource(all, name)];
  });
}

export function findResource(all: readonly ApiResource[], text: string): ApiResource {
  const lower = text.toLowerCase();
  const at = lower.indexOf('.');
  const [name, group] = at < 0 ? [lower, undefined] : [lower.slice(0, at), lower.slice(at + 1)];
  const matches = (one: ApiResource): boolean =>
    one.resource === name ||
    one.singular === name ||
    one.kind.toLowerCase() === name ||
    one.shortNames.includes(name);
  const inGroup = (one: ApiResource): boolean =>
    group === undefined || one.group === group || `${one.version}.${one.group}` === group;
  const found = all.find((one) => matches(one) && inGroup(one));
  if (found !== undefined) return found;
  const near = nearest(
    name,
    all.flatMap((one) => [one.resource, one.singular]),
  );
  throw new Failure(
    `the server doesn't have a resource type ${JSON.stringify(text)}${near === undefined ? '' : `; did you mean ${near}?`}`,
  );
}

/** The type of a manifest's `apiVersion` and `kind`. */
export function findKind(all: readonly ApiResource[], apiVersion: string, kind: string): ApiResource {
  const found = all.find((one) => apiVersionOf(one) === apiVersion && one.kind === kind);
  if (found === undefined)
    throw new Failure(`no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}`);
  return found;
}

export function apiVersionOf(one: ApiResource): string {
  return one.group === '' ? one.version : `${one.group}/${one.version}`;
}

/** URL path of a collection, or of one object of it. */
export function pathOf(one: ApiResource, namespace: string | undefined, name?: string): string {
  const base = one.group === '' ? `/api/${one.version}` : `/apis/${one.group}/${one.version}`;
  const scope =
    one.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${base}${scope}/${one.resource}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
}

/** `deployment.apps`, as kubectl prints types. */
export function typeName(one: ApiResource): string {
  const singular = one.singular === '' ? one.kind.toLowerCase() : one.singular;
  return one.group === '' ? singular : `${singular}.${one.group}`;
}
