import type { Pod } from '../../api/types.gen.ts';
import type { Logger } from '../../lib/log.ts';
import type { WatchCache } from '../watchcache/port.ts';
import { followCache } from './follow-cache.ts';
import { podReferences } from './pod-references.ts';

export type ReferencedResource =
  | 'secrets'
  | 'configmaps'
  | 'persistentvolumeclaims'
  | 'serviceaccounts'
  | 'resourceclaims';

/** Which node needs what. */
export interface NodeGraph {
  /** Whether a pod bound to the node uses the object. */
  uses(node: string, resource: ReferencedResource, namespace: string, name: string): boolean;
  /** Names of the claims that pods of the node use, as `namespace/name`. */
  claims(node: string): Iterable<string>;
  /** The node a pod is bound to. */
  nodeOf(namespace: string, pod: string): string | undefined;
}

interface Entry {
  readonly node: string;
  readonly references: ReadonlySet<string>;
}

/** The graph kept in memory, one pod at a time. */
export class PodGraph implements NodeGraph {
  readonly #pods = new Map<string, Entry>();
  readonly #byNode = new Map<string, Map<string, Entry>>();

  put(pod: Pod): void {
    const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
    const node = pod.spec?.nodeName ?? '';
    this.#delete(key);
    if (node === '') return;
    const entry: Entry = { node, references: podReferences(pod) };
    this.#pods.set(key, entry);
    const pods = this.#byNode.get(node) ?? new Map<string, Entry>();
    pods.set(key, entry);
    this.#byNode.set(node, pods);
  }
  delete(namespace: string, name: string): void {
    this.#delete(`${namespace}/${name}`);
  }
  clear(): void {
    this.#pods.clear();
    this.#byNode.clear();
  }
  uses(node: string, resource: ReferencedResource, namespace: string, name: string): boolean {
    const reference = `${resource}/${namespace}/${name}`;
    for (const { references } of this.#byNode.get(node)?.values() ?? [])
      if (references.has(reference)) return true;
    return false;
  }
  *claims(node: string): Iterable<string> {
    const prefix = 'persistentvolumeclaims/';
    for (const { references } of this.#byNode.get(node)?.values() ?? [])
      for (const reference of references)
        if (reference.startsWith(prefix)) yield reference.slice(prefix.length);
  }
  nodeOf(namespace: string, pod: string): string | undefined {
    return this.#pods.get(`${namespace}/${pod}`)?.node;
  }
  #delete(key: string): void {
    const entry = this.#pods.get(key);
    if (!entry) return;
    this.#pods.delete(key);
    const pods = this.#byNode.get(entry.node);
    pods?.delete(key);
    if (pods?.size === 0) this.#byNode.delete(entry.node);
  }
}

/** A graph that follows the pods' watch cache. */
export function createNodeGraph(
  pods: Pick<WatchCache, 'list' | 'watch' | 'revision'>,
  log: Logger,
): NodeGraph & { close(): void } {
  const graph = new PodGraph();
  const stop = followCache({
    cache: pods,
    log,
    name: 'pods',
    clear: () => graph.clear(),
    put: (object) => graph.put(object as Pod),
    remove: (namespace, name) => graph.delete(namespace, name),
  });
  return {
    uses: graph.uses.bind(graph),
    claims: graph.claims.bind(graph),
    nodeOf: graph.nodeOf.bind(graph),
    close: stop,
  };
}
