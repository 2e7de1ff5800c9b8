import { isObject } from '../../api/json-value.ts';
import type { RemoteService } from './api-services.ts';
import type { RemoteAnswer, RemoteClient } from './remote-client.ts';

/** The resources of one version as aggregated discovery writes them. */
export interface RemoteResources {
  readonly entries: readonly object[];
  /** Whether the backend answered when it was last asked. */
  readonly isFresh: boolean;
}

interface Document {
  readonly etag: string | undefined;
  /** By `group/version`. */
  readonly versions: ReadonlyMap<string, readonly object[]>;
}

const TYPE = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** What aggregated API servers say they serve, as of the last time they were asked. */
export class RemoteDiscovery {
  readonly #client: RemoteClient;
  /** One for each Service: it may answer for several versions. */
  readonly #documents = new Map<string, Document>();
  readonly #resources = new Map<string, RemoteResources>();
  generation = 0;

  constructor(client: RemoteClient) {
    this.#client = client;
  }

  find({ name }: Pick<RemoteService, 'name'>): RemoteResources | undefined {
    return this.#resources.get(name);
  }

  /** Asks anew. `list` is the old-style document of the version, for backends that know no other. */
  async refresh(remote: RemoteService, list: RemoteAnswer): Promise<void> {
    const entries = await this.#ask(remote, list);
    this.#set(remote.name, { entries, isFresh: true });
  }

  /** The backend does not answer; what it said before is still what is known. */
  lost({ name }: Pick<RemoteService, 'name'>): void {
    this.#set(name, { entries: this.#resources.get(name)?.entries ?? [], isFresh: false });
  }

  /** Forgets what no APIService leads to any more. */
  keep(remotes: readonly RemoteService[]): void {
    const names = new Set(remotes.map(({ name }) => name));
    for (const name of this.#resources.keys())
      if (!names.has(name) && this.#resources.delete(name)) this.generation++;
    const services = new Set(remotes.map(serviceKey));
    for (const key of this.#documents.keys()) if (!services.has(key)) this.#documents.delete(key);
  }

  async #ask(remote: RemoteService, list: RemoteAnswer): Promise<readonly object[]> {
    const key = serviceKey(remote);
    const known = this.#documents.get(key);
    const version = `${remote.group}/${remote.version}`;
    const answer = await this.#client.get(remote, '/apis', {
      accept: TYPE,
      ...(known?.etag === undefined ? {} : { 'if-none-match': known.etag }),
    });
    if (answer.statusCode === 304 && known) return known.versions.get(version) ?? [];
    if (answer.statusCode !== 200 || !isAggregated(answer)) return oldEntries(list.text, remote);
    const document = { etag: answer.headers.etag, versions: versionsIn(answer.text) };
    this.#documents.set(key, document);
    return document.versions.get(version) ?? [];
  }

  #set(name: string, resources: RemoteResources): void {
    const before = this.#resources.get(name);
    const isSame =
      before?.isFresh === resources.isFresh &&
      JSON.stringify(before.entries) === JSON.stringify(resources.entries);
    if (isSame) return;
    this.#resources.set(name, resources);
    this.generation++;
  }
}

const serviceKey = ({ service }: RemoteService): string =>
  `${service.namespace}/${service.name}:${service.port}`;

function isAggregated({ headers }: RemoteAnswer): boolean {
  const type = (headers['content-type'] ?? '').replaceAll(' ', '');
  return ['g=apidiscovery.k8s.io', 'v=v2', 'as=APIGroupDiscoveryList'].every((part) =>
    type.split(';').includes(part),
  );
}

function listOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function versionsIn(text: string): Map<string, readonly object[]> {
  const found = new Map<string, readonly object[]>();
  const document: unknown = JSON.parse(text);
  for (const { metadata, versions } of listOf(isObject(document) ? document['items'] : [])) {
    const group = isObject(metadata) && typeof metadata['name'] === 'string' ? metadata['name'] : '';
    for (const { version, resources } of listOf(versions))
      found.set(`${group}/${String(version)}`, listOf(resources).map(withKinds));
  }
  return found;
}

/** Clients of 1.26 stumble over entries that do not say what kind they are. */
function withKinds(entry: Record<string, unknown>): object {
  const none = { group: '', version: '', kind: '' };
  const subresources = listOf(entry['subresources']).map((one) => ({ responseKind: none, ...one }));
  return { responseKind: none, ...entry, ...(subresources.length > 0 ? { subresources } : {}) };
}

/** The entries of an `APIResourceList` in the form of aggregated discovery. */
export function oldEntries(text: string, remote: { group: string; version: string }): object[] {
  const document: unknown = JSON.parse(text);
  const resources = listOf(isObject(document) ? document['resources'] : []);
  const kindOf = ({ group, version, kind }: Record<string, unknown>): object => ({
    group: group || remote.group,
    version: version || remote.version,
    kind,
  });
  const main: Record<string, unknown>[] = [];
  const below = new Map<string, Record<string, unknown>[]>();
  for (const one of resources) {
    const [parent = '', ...rest] = String(one['name']).split('/');
    const siblings = below.get(parent);
    if (rest.length === 0) main.push(one);
    else if (siblings) siblings.push(one);
    else below.set(parent, [one]);
  }
  return main.map((one) => {
    const { name, namespaced, singularName, shortNames, categories, verbs } = one;
    const subresources = (below.get(String(name)) ?? []).map((other) => ({
      subresource: String(other['name']).slice(String(name).length + 1),
      responseKind: kindOf(other),
      verbs: other['verbs'],
    }));
    return {
      resource: name,
      responseKind: kindOf(one),
      scope: namespaced === true ? 'Namespaced' : 'Cluster',
      singularResource: singularName,
      verbs,
      ...(shortNames ? { shortNames } : {}),
      ...(categories ? { categories } : {}),
      ...(subresources.length > 0 ? { subresources } : {}),
    };
  });
}
