import { createHash } from 'node:crypto';
import { aggregatedContentType, aggregatedDiscovery } from '../../api/discovery/aggregated.ts';
import { coreVersions, groupDocument, groupList, resourceList } from '../../api/discovery/legacy.ts';
import {
  type Arrangement,
  arrangeGroups,
  type DiscoveredGroup,
  type DiscoveredResource,
  type DiscoveredSubresource,
  groupResources,
} from '../../api/discovery/resource.ts';
import type { KubeObject } from '../../api/resource.ts';
import type { ResourceDefinition, Subresource, Verb } from '../registry/definition.ts';
import type { Endpoint } from '../registry/registry.ts';
import { SCALE_KIND } from '../registry/view.ts';
import { type Exchange, sendBytes, sendHead, sendJson, sendText } from './exchange.ts';
import { negotiate } from './negotiate.ts';
import type { Page } from './path-pages.ts';

const ALL_VERBS: readonly Verb[] = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
];

/** What discovery says of an endpoint. */
function discovered({ served, resource }: Endpoint): DiscoveredResource {
  const { definition } = served;
  return {
    ...resource,
    singular: definition.singular,
    shortNames: definition.shortNames,
    categories: definition.categories,
    verbs: definition.verbs ?? ALL_VERBS,
    subresources: definition.subresources?.map((one) => discoveredSubresource(definition, one)),
    listKind: definition.listKind,
    ...storageOf(served),
    ...(served.custom
      ? {
          custom: {
            stamp: served.custom.stamp,
            selectableFields: Object.keys(definition.selectableFields ?? {}),
          },
        }
      : {}),
  };
}

/** Nothing is stored of what only answers, such as reviews. */
function storageOf({
  definition,
  custom,
}: Endpoint['served']): Pick<DiscoveredResource, 'storageVersion' | 'storageGroup'> {
  if (custom) return { storageVersion: custom.storageVersion };
  if (definition.virtual || definition.verbs?.includes('create') === false) return {};
  return { storageVersion: definition.resource.version, storageGroup: definition.resource.group };
}

const ANY_METHOD = ['create', 'delete', 'get', 'patch', 'update'];
const CONNECTIONS: Readonly<Record<string, { readonly kind?: string; readonly verbs: readonly string[] }>> = {
  'pods/log': { verbs: ['get'] },
  'pods/exec': { kind: 'PodExecOptions', verbs: ['create', 'get'] },
  'pods/attach': { kind: 'PodAttachOptions', verbs: ['create', 'get'] },
  'pods/portforward': { kind: 'PodPortForwardOptions', verbs: ['create', 'get'] },
  'pods/proxy': { kind: 'PodProxyOptions', verbs: ANY_METHOD },
  'services/proxy': { kind: 'ServiceProxyOptions', verbs: ANY_METHOD },
  // Of a kubelet's API only what is read.
  'nodes/proxy': { kind: 'NodeProxyOptions', verbs: ['get'] },
};

function discoveredSubresource(
  { resource }: ResourceDefinition,
  one: Subresource<KubeObject>,
): DiscoveredSubresource {
  if ('kind' in one) return { name: one.name, kind: one.kind, verbs: ['create'] };
  if ('connect' in one) {
    const { kind, verbs = ['get'] } = CONNECTIONS[`${resource.resource}/${one.name}`] ?? {};
    return {
      name: one.name,
      verbs,
      ...(kind === undefined ? {} : { kind: { ...resource, kind } }),
    };
  }
  const verbs = ('verbs' in one && one.verbs) || ['get', 'patch', 'update'];
  return one.name === 'scale' ? { name: one.name, kind: SCALE_KIND, verbs } : { name: one.name, verbs };
}

export interface DiscoveryOptions {
  readonly endpoints: () => readonly Endpoint[];
  /** `host:port` as clients reach the server. */
  readonly serverAddress: () => string;
  /** What other servers have, and the order of all. */
  readonly others: Arrangement & { readonly generation: string };
}

/** `/api`, `/apis` and everything below them that names no resource. */
export class DiscoveryPages {
  readonly #options: DiscoveryOptions;
  #groups: readonly DiscoveredGroup[] | undefined;
  /** Of other servers' versions, when the groups were last put together. */
  #generation: string | undefined;
  readonly #etags = new Map<string, { etag: string; bytes: Buffer }>();

  constructor(options: DiscoveryOptions) {
    this.#options = options;
  }

  /** To be called when what is served changes. */
  changed(): void {
    this.#groups = undefined;
    this.#etags.clear();
  }

  get groups(): readonly DiscoveredGroup[] {
    const { endpoints, others } = this.#options;
    if (this.#generation !== others.generation) this.changed();
    if (!this.#groups) {
      this.#generation = others.generation;
      this.#groups = arrangeGroups(groupResources(endpoints().map(discovered)), others);
    }
    return this.#groups;
  }

  readonly core: Page = (exchange) => this.#root(exchange, true);
  readonly named: Page = (exchange) => this.#root(exchange, false);

  async #root(exchange: Exchange, core: boolean): Promise<void> {
    const { accept } = exchange.request.headers;
    const version = wantsAggregated(accept);
    const groups = this.groups.filter(({ group }) => (group === '') === core);
    if (version) return this.#aggregated(exchange, groups, `${core} ${version}`, version);
    const versions = groups.flatMap((group) => group.versions.map((one) => one.version));
    const document = core ? coreVersions(versions, this.#options.serverAddress()) : groupList(groups);
    return sendJson(exchange, 200, document, negotiate(accept));
  }

  /** Changes only when resources come and go, so a client that knows the hash gets 304. */
  async #aggregated(
    exchange: Exchange,
    groups: readonly DiscoveredGroup[],
    key: string,
    version: 'v2' | 'v2beta1',
  ): Promise<void> {
    let known = this.#etags.get(key);
    if (!known) {
      const bytes = Buffer.from(`${JSON.stringify(aggregatedDiscovery(groups, version))}\n`);
      known = { bytes, etag: `"${createHash('sha512').update(bytes).digest('hex').toUpperCase()}"` };
      this.#etags.set(key, known);
    }
    exchange.fields.set('etag', known.etag);
    exchange.fields.set('vary', 'Accept');
    if (exchange.request.headers['if-none-match'] === known.etag) {
      sendHead(exchange, 304);
      exchange.response.end();
      return;
    }
    return sendBytes(exchange, 200, aggregatedContentType(version), known.bytes);
  }

  /** `/api/v1`, `/apis/<group>` and `/apis/<group>/<version>`. */
  readonly folder: Page = async (exchange) => {
    const answer = negotiate(exchange.request.headers.accept);
    const [root, ...parts] = exchange.path.split('/').filter((part) => part !== '');
    const [group = '', version] = root === 'api' ? ['', parts[0]] : parts;
    const found = this.groups.find((one) => one.group === group);
    const extra = root === 'api' ? parts.length > 1 : parts.length > 2;
    if (!found || extra) return sendText(exchange, 404, '404 page not found\n');
    if (version === undefined) return sendJson(exchange, 200, groupDocument(found), answer);
    const resources = found.versions.find((one) => one.version === version)?.resources;
    if (!resources) return sendText(exchange, 404, '404 page not found\n');
    return sendJson(exchange, 200, resourceList({ group, version }, resources), answer);
  };
}

function wantsAggregated(accept: string | undefined): 'v2' | 'v2beta1' | undefined {
  for (const clause of (accept ?? '').split(',')) {
    if (!clause.includes('as=APIGroupDiscoveryList')) {
      if (/^\s*(application\/json|\*\/\*)\s*(;|$)/.test(clause)) return undefined;
      continue;
    }
    if (clause.includes('v=v2beta1')) return 'v2beta1';
    if (/v=v2(;|\s|$)/.test(clause)) return 'v2';
  }
  return undefined;
}
