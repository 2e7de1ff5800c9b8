import type { KubeObject } from '../../api/resource.ts';
import { isNotFound } from '../../api/status.ts';
import type { OwnerReference } from '../../api/types.gen.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { setOwners } from '../framework/owners.ts';
import { type ServedResources, servedResources } from '../framework/served-resources.ts';
import type { Controller, ControllerContext } from '../port.ts';
import { type GraphNode, keyOfNode, ObjectGraph } from './object-graph.ts';
import {
  blockingDependents,
  FOREGROUND,
  hasFinalizer,
  isDeletingDependents,
  ORPHAN,
  type OwnerState,
  planCollect,
  unblockedOwners,
} from './plan.ts';

const NAME = 'generic-garbage-collector';

/** Deletes what its owners left behind, in the background, in the foreground, or lets it go free. */
export const garbageCollector: Controller = {
  name: NAME,
  start(context) {
    const served = servedResources(context);
    // Informers that others started long ago tell of their objects before the loop exists.
    const early = new Set<string>();
    const queued = { add: (key: string): void => void early.add(key) };
    const owners = (object: KubeObject): readonly OwnerReference[] => object.metadata.ownerReferences ?? [];
    const wakeOwners = (dependent: KubeObject, references: readonly OwnerReference[]): void => {
      for (const reference of references) {
        const owner = collector.findOwner(dependent, reference);
        if (owner && isDeletingDependents(owner.object)) queued.add(keyOfNode(owner));
      }
    };
    const graph: ObjectGraph = new ObjectGraph({
      context,
      served,
      visitor: {
        present(node, old) {
          const { object } = node;
          // An owner in the foreground does not wait for this one any more.
          if (old) wakeOwners(object, unblockedOwners(old, object));
          const isLeaving = object.metadata.deletionTimestamp !== undefined;
          if (isLeaving && (hasFinalizer(object, FOREGROUND) || hasFinalizer(object, ORPHAN)))
            queued.add(keyOfNode(node));
          if (owners(object).length > 0 && !isLeaving) queued.add(keyOfNode(node));
        },
        gone({ object }) {
          for (const dependent of collector.graph.dependentsOf(object.metadata.uid ?? ''))
            queued.add(keyOfNode(dependent));
          // An owner in the foreground may have waited for this one.
          wakeOwners(object, owners(object));
        },
      },
    });
    const collector = new Collector(context, served, graph);
    const loop = startControlLoop({
      context,
      name: NAME,
      informers: [served, graph],
      concurrency: 5,
      reconcile: (key) => collector.process(key, (dependent) => loop.add(keyOfNode(dependent))),
    });
    queued.add = loop.add;
    for (const key of early) loop.add(key);
    loop.onStop(() => graph.stop());
    return loop.stop;
  },
};

class Collector {
  readonly #context: ControllerContext;
  readonly #served: ServedResources;
  readonly graph: ObjectGraph;

  constructor(context: ControllerContext, served: ServedResources, graph: ObjectGraph) {
    this.#context = context;
    this.#served = served;
    this.graph = graph;
  }

  findOwner(dependent: KubeObject, reference: OwnerReference): GraphNode | undefined {
    const resource = this.#served.find(reference.apiVersion, reference.kind);
    if (!resource) return undefined;
    const namespace = resource.namespaced ? dependent.metadata.namespace : undefined;
    const object = this.graph.find(resource, namespace, reference.name);
    return object?.metadata.uid === reference.uid ? { resource, object } : undefined;
  }

  async process(key: string, requeue: (dependent: GraphNode) => void): Promise<undefined> {
    const node = this.graph.node(key);
    if (!node) return undefined;
    const { object } = node;
    if (object.metadata.deletionTimestamp) {
      if (hasFinalizer(object, ORPHAN)) return await this.#orphanDependents(node);
      if (hasFinalizer(object, FOREGROUND)) return await this.#waitForDependents(node, requeue);
      return undefined;
    }
    return await this.#collect(node);
  }

  /** Cheap where the store knows the owners; where it does not, the server is asked before anything is deleted. */
  async #collect(node: GraphNode): Promise<undefined> {
    const references = node.object.metadata.ownerReferences ?? [];
    const known = references.map((reference) => this.findOwner(node.object, reference));
    if (known.every((owner) => owner !== undefined && !isDeletingDependents(owner.object))) return undefined;
    const fresh = await this.#read(node);
    if (fresh?.metadata.uid !== node.object.metadata.uid || fresh?.metadata.deletionTimestamp)
      return undefined;
    const owners = [];
    for (const reference of fresh?.metadata.ownerReferences ?? [])
      owners.push({ reference, state: await this.#stateOf(fresh as KubeObject, reference) });
    const dependents = this.graph.dependentsOf(fresh?.metadata.uid ?? '').map(({ object }) => object);
    const action = planCollect(fresh as KubeObject, owners, dependents);
    if (action.type === 'keep') return undefined;
    const { client } = this.#context;
    if (action.type === 'dropOwners') {
      const gone = new Set(action.uids);
      await setOwners(client, node.resource, fresh as KubeObject, (all) =>
        all.filter(({ uid }) => !gone.has(uid)),
      );
      return undefined;
    }
    if (action.unblock) {
      // The change brings this object back here; no owner waits for it then.
      const isBlocking = fresh?.metadata.ownerReferences?.some((owner) => owner.blockOwnerDeletion);
      if (isBlocking) {
        await setOwners(client, node.resource, fresh as KubeObject, (all) =>
          all.map((owner) => ({ ...owner, blockOwnerDeletion: false })),
        );
        return undefined;
      }
    }
    const { uid = '', resourceVersion = '' } = fresh?.metadata ?? {};
    const { propagationPolicy } = action;
    await client
      // The revision too: an owner that was added in between must count.
      .delete(node.resource, refOf(node), { propagationPolicy, preconditions: { uid, resourceVersion } })
      .catch(ignoreNotFound);
    return undefined;
  }

  async #stateOf(dependent: KubeObject, reference: OwnerReference): Promise<OwnerState> {
    const resource = this.#served.find(reference.apiVersion, reference.kind);
    // An API that is not served (yet) cannot be asked; what it owns stays.
    if (!resource) return 'solid';
    const { namespace } = dependent.metadata;
    if (resource.namespaced && !namespace) {
      this.#context.events.event(
        dependent,
        'Warning',
        'OwnerRefInvalidNamespace',
        `ownerRef [${reference.apiVersion}/${reference.kind}, namespace: , name: ${reference.name}, uid: ${reference.uid}] does not exist in namespace ""`,
      );
      return 'solid';
    }
    const ref = { name: reference.name, namespace: resource.namespaced ? namespace : undefined };
    const owner = await this.#context.client.get(resource, ref).catch(ignoreNotFound);
    if (owner?.metadata.uid !== reference.uid) return 'absent';
    return isDeletingDependents(owner) ? 'waiting' : 'solid';
  }

  async #waitForDependents(node: GraphNode, requeue: (dependent: GraphNode) => void): Promise<undefined> {
    const dependents = this.graph.dependentsOf(node.object.metadata.uid ?? '');
    const blocking = blockingDependents(
      node.object,
      dependents.map(({ object }) => object),
    );
    if (blocking.length === 0) await this.#removeFinalizer(node, FOREGROUND);
    for (const dependent of dependents) if (!dependent.object.metadata.deletionTimestamp) requeue(dependent);
    return undefined;
  }

  async #orphanDependents(node: GraphNode): Promise<undefined> {
    const { uid = '' } = node.object.metadata;
    for (const { resource, object } of this.graph.dependentsOf(uid)) {
      await setOwners(this.#context.client, resource, object, (all) =>
        all.filter((reference) => reference.uid !== uid),
      );
    }
    await this.#removeFinalizer(node, ORPHAN);
    return undefined;
  }

  async #removeFinalizer(node: GraphNode, finalizer: string): Promise<void> {
    const fresh = await this.#read(node);
    if (!fresh || !hasFinalizer(fresh, finalizer)) return;
    const { uid, resourceVersion } = fresh.metadata;
    const finalizers = fresh.metadata.finalizers?.filter((one) => one !== finalizer) ?? [];
    const body = { metadata: { uid, resourceVersion, finalizers } };
    await this.#context.client
      .patch(node.resource, refOf(node), { type: 'merge', body })
      .catch(ignoreNotFound);
  }

  async #read(node: GraphNode): Promise<KubeObject | undefined> {
    return await this.#context.client.get(node.resource, refOf(node)).catch(ignoreNotFound);
  }
}

function refOf({ object: { metadata } }: GraphNode) {
  return { name: metadata.name ?? '', namespace: metadata.namespace };
}

function ignoreNotFound(error: unknown): undefined {
  if (isNotFound(error)) return undefined;
  throw error;
}
