import { type KubeObject, qualifiedResource, type Resource } from '../../api/resource.ts';
import type { Informer } from '../../client/informer.ts';
import type { ServedResources } from '../framework/served-resources.ts';
import { metadataInformer } from '../framework/whole-or-metadata.ts';
import type { ControllerContext } from '../port.ts';

/** Names one object of any resource. */
export interface GraphNode {
  readonly resource: Resource<KubeObject>;
  readonly object: KubeObject;
}

export interface GraphVisitor {
  /** `old`: the same object before it changed. */
  present(node: GraphNode, old?: KubeObject): void;
  gone(node: GraphNode): void;
}

/** Not worth watching for: nobody owns through them, and they come and go by the second (upstream ignores them too). */
const IGNORED = new Set(['events', 'events.events.k8s.io']);

/**
 * Metadata of every object there is, by resource and by owner. Resources that other controllers read whole come from
 * their informers; of the others only what collection needs is kept.
 */
export class ObjectGraph {
  readonly #context: ControllerContext;
  readonly #visitor: GraphVisitor;
  readonly #watched = new Map<
    string,
    { resource: Resource<KubeObject>; informer: Informer<KubeObject>; end: () => void; own: boolean }
  >();
  readonly #endServed: () => void;

  constructor(options: {
    context: ControllerContext;
    served: ServedResources;
    visitor: GraphVisitor;
  }) {
    this.#context = options.context;
    this.#visitor = options.visitor;
    for (const resource of options.context.cluster.resources) this.#watch(resource);
    this.#endServed = options.served.onChange((resource, served) => {
      if (served) this.#watch(resource);
      else this.#unwatch(resource);
    });
  }

  async synced(): Promise<void> {
    await Promise.all([...this.#watched.values()].map(({ informer }) => informer.synced()));
  }

  dependentsOf(uid: string): GraphNode[] {
    const found: GraphNode[] = [];
    for (const { resource, informer } of this.#watched.values())
      for (const object of informer.store.ownedBy(uid)) found.push({ resource, object });
    return found;
  }

  find(resource: Resource, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#watched.get(qualifiedResource(resource))?.informer.store.get(namespace, name);
  }

  node(key: string): GraphNode | undefined {
    const [qualified = '', namespace = '', name = ''] = key.split('|');
    const watched = this.#watched.get(qualified);
    const object = watched?.informer.store.get(namespace, name);
    return watched && object ? { resource: watched.resource, object } : undefined;
  }

  stop(): void {
    this.#endServed();
    for (const { end } of this.#watched.values()) end();
  }

  #watch(resource: Resource<KubeObject>): void {
    const key = qualifiedResource(resource);
    if (this.#watched.has(key) || IGNORED.has(key)) return;
    const { informer, own } = metadataInformer(this.#context, resource);
    const end = informer.onChange({
      add: (object) => this.#visitor.present({ resource, object }),
      update: (object, old) => {
        const isSame = object.metadata.uid === old.metadata.uid;
        if (!isSame) this.#visitor.gone({ resource, object: old });
        this.#visitor.present({ resource, object }, isSame ? old : undefined);
      },
      delete: (object) => this.#visitor.gone({ resource, object }),
    });
    this.#watched.set(key, { resource, informer, end, own });
  }

  #unwatch(resource: Resource<KubeObject>): void {
    const key = qualifiedResource(resource);
    const watched = this.#watched.get(key);
    if (!watched) return;
    this.#watched.delete(key);
    watched.end();
    if (watched.own) void watched.informer.stop();
  }
}

export function keyOfNode({ resource, object }: GraphNode): string {
  return [qualifiedResource(resource), object.metadata.namespace ?? '', object.metadata.name ?? ''].join('|');
}
