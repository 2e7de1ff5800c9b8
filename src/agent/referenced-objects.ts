import type { KubeObject, Resource } from '../api/resource.ts';
import {
  clusterTrustBundles,
  configMaps,
  persistentVolumeClaims,
  persistentVolumes,
  secrets,
} from '../api/resources.gen.ts';
import { apiError } from '../api/status.ts';
import type {
  ClusterTrustBundle,
  ConfigMap,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  Secret,
} from '../api/types.gen.ts';
import type { Informer, InformerFactory } from '../client/informer.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import { LIMITS } from '../lib/limits.ts';
import type { Checkpoint } from './checkpoint/checkpoint.ts';
import type { VolumeObjects } from './volumes/volume.ts';

interface Watched {
  readonly informer: Informer<KubeObject>;
  readonly pods: Set<string>;
  stop: () => void;
}

export interface ReferencedObjectsOptions {
  readonly informers: InformerFactory;
  readonly checkpoint: Checkpoint;
  readonly clock: Clock;
  /** An object that these pods use was added, changed or removed. */
  readonly onChange: (podUid: string) => void;
}

/**
 * The ConfigMaps, Secrets and claims that pods of this node name, each followed by a watch of its own while a pod uses
 * it, as upstream's watching managers: an agent may see these objects and no others. While the API is away the copies
 * on the disk stand in.
 */
export class ReferencedObjects implements VolumeObjects {
  readonly #options: ReferencedObjectsOptions;
  readonly #watched = new Map<string, Watched>();

  constructor(options: ReferencedObjectsOptions) {
    this.#options = options;
  }

  configMap(namespace: string, name: string): Promise<ConfigMap | undefined> {
    return this.#find(configMaps, namespace, name);
  }
  secret(namespace: string, name: string): Promise<Secret | undefined> {
    return this.#find(secrets, namespace, name);
  }
  claim(namespace: string, name: string): Promise<PersistentVolumeClaim | undefined> {
    return this.#find(persistentVolumeClaims, namespace, name);
  }
  volume(name: string): Promise<PersistentVolume | undefined> {
    return this.#find(persistentVolumes, undefined, name);
  }

  /** All of them, for a label decides which ones a pod sees; they are followed while a pod uses any. */
  async trustBundles(): Promise<readonly ClusterTrustBundle[]> {
    const { informer } = this.#watch(clusterTrustBundles, undefined, ALL, '');
    if (!informer.hasSynced) await this.#patience(informer);
    if (informer.hasSynced) return informer.store.list() as readonly ClusterTrustBundle[];
    throw unanswered('clustertrustbundles cannot be read');
  }

  /** Follows what the pod names; what it no longer names is let go. */
  follow(pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    const namespace = pod.metadata.namespace ?? '';
    const wanted = new Set<string>();
    for (const { resource, name } of references(pod)) {
      this.#watch(resource, namespace, name, uid);
      wanted.add(keyFor(resource, namespace, name));
    }
    for (const [key, watched] of this.#watched)
      if (watched.pods.has(uid) && !wanted.has(key) && !key.startsWith('persistentvolumes|'))
        this.#release(key, watched, uid);
  }

  forget(podUid: string): void {
    for (const [key, watched] of this.#watched)
      if (watched.pods.has(podUid)) this.#release(key, watched, podUid);
  }

  stop(): void {
    for (const watched of this.#watched.values()) watched.stop();
    this.#watched.clear();
  }

  #release(key: string, watched: Watched, podUid: string): void {
    watched.pods.delete(podUid);
    if (watched.pods.size > 0) return;
    watched.stop();
    this.#watched.delete(key);
    void this.#options.checkpoint.removeObject(key);
  }

  #watch<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    podUid: string,
  ): Watched {
    const key = keyFor(resource, namespace, name);
    const known = this.#watched.get(key);
    if (known !== undefined) {
      if (podUid !== '') known.pods.add(podUid);
      return known;
    }
    const informer = this.#options.informers.for(
      resource,
      name === ALL
        ? { keep: { as: resource.resource } }
        : {
            ...(namespace === undefined ? {} : { namespace }),
            fieldSelector: `metadata.name=${name}`,
          },
    );
    const watched: Watched = {
      informer: informer as unknown as Informer<KubeObject>,
      pods: new Set(podUid === '' ? [] : [podUid]),
      stop: () => {},
    };
    const changed = (object: T | undefined): void => {
      if (object !== undefined && name !== ALL) void this.#options.checkpoint.saveObject(key, object);
      for (const uid of watched.pods) this.#options.onChange(uid);
    };
    const off = informer.onChange({
      add: changed,
      update: changed,
      delete: () => changed(undefined),
    });
    watched.stop = () => {
      off();
      void informer.stop();
    };
    this.#watched.set(key, watched);
    return watched;
  }

  /** Until the informer has a list, or the API has not answered for a while. */
  async #patience(informer: Informer<KubeObject>): Promise<void> {
    const abort = new AbortController();
    await Promise.race([
      informer.synced().catch(() => {}),
      sleep(this.#options.clock, LIMITS.agent.offlineAfterMs, abort.signal).catch(() => {}),
    ]);
    abort.abort();
  }

  async #find<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
  ): Promise<T | undefined> {
    const { informer } = this.#watch(resource, namespace, name, '');
    if (!informer.hasSynced) await this.#patience(informer);
    if (informer.hasSynced) return informer.store.get(namespace, name) as T | undefined;
    const saved = await this.#options.checkpoint.object(keyFor(resource, namespace, name));
    if (saved !== undefined) return saved as T;
    throw unanswered(`${resource.resource} "${name}" cannot be read`);
  }
}

/** In place of a name: every object of the resource. */
const ALL = '';

function unanswered(what: string): Error {
  return apiError('ServiceUnavailable', `${what}: the API server does not answer`);
}

function keyFor(resource: Resource, namespace: string | undefined, name: string): string {
  return `${resource.resource}|${name === ALL ? '' : (namespace ?? '')}|${name}`;
}

interface Reference {
  readonly resource: Resource;
  readonly name: string;
}

/** Every object that the spec names. */
function references(pod: Pod): readonly Reference[] {
  const found = new Map<string, Reference>();
  const add = (resource: Resource, name: string | undefined): void => {
    if (name !== undefined && name !== '') found.set(`${resource.resource}/${name}`, { resource, name });
  };
  const all = (resource: Resource): void => {
    found.set(resource.resource, { resource, name: ALL });
  };
  const maps = configMaps as Resource;
  const keys = secrets as Resource;
  const { spec } = pod;
  for (const { name } of spec?.imagePullSecrets ?? []) add(keys, name);
  const containers = [
    ...(spec?.initContainers ?? []),
    ...(spec?.containers ?? []),
    ...(spec?.ephemeralContainers ?? []),
  ];
  for (const { env, envFrom } of containers) {
    for (const { configMapRef, secretRef } of envFrom ?? []) {
      add(maps, configMapRef?.name);
      add(keys, secretRef?.name);
    }
    for (const { valueFrom } of env ?? []) {
      add(maps, valueFrom?.configMapKeyRef?.name);
      add(keys, valueFrom?.secretKeyRef?.name);
    }
  }
  for (const volume of spec?.volumes ?? []) {
    add(maps, volume.configMap?.name);
    add(keys, volume.secret?.secretName);
    add(persistentVolumeClaims as Resource, volume.persistentVolumeClaim?.claimName);
    for (const source of volume.projected?.sources ?? []) {
      add(maps, source.configMap?.name);
      add(keys, source.secret?.name);
      if (source.clusterTrustBundle) all(clusterTrustBundles as Resource);
    }
  }
  return [...found.values()];
}
