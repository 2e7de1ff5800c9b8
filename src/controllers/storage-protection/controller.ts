import type { KubeObject, Resource } from '../../api/resource.ts';
import * as resources from '../../api/resources.gen.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/types.gen.ts';
import { type Informer, keyOf, splitKey } from '../../client/informer.ts';
import type { Client } from '../../client/port.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { isTerminal } from '../framework/pods.ts';
import type { Controller } from '../port.ts';

/** Admission puts these on every new object (StorageObjectInUseProtection). */
const CLAIM = 'kubernetes.io/pvc-protection';
const VOLUME = 'kubernetes.io/pv-protection';
const CLASS = 'kubernetes.io/vac-protection';

const awaits = ({ metadata }: KubeObject, finalizer: string): boolean =>
  metadata.deletionTimestamp !== undefined && metadata.finalizers?.includes(finalizer) === true;

/** Claims a scheduled pod holds; those of generic ephemeral volumes only until it is over. */
export function claimsOf(pod: Pod): string[] {
  if (!pod.spec?.nodeName) return [];
  return (pod.spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim) return [persistentVolumeClaim.claimName];
    return ephemeral && !isTerminal(pod) ? [`${pod.metadata.name}-${name}`] : [];
  });
}

/** Whether a volume attributes class is the wish, or the state, of a claim or volume. */
export function usesClass(object: PersistentVolumeClaim | PersistentVolume, name: string): boolean {
  const { spec, status } = object as PersistentVolumeClaim;
  return spec?.volumeAttributesClassName === name || status?.currentVolumeAttributesClassName === name;
}

/** Lets go of an object as of the revision that was looked at. */
async function release(
  client: Client,
  resource: Resource,
  object: KubeObject,
  finalizer: string,
): Promise<void> {
  const { name = '', namespace, finalizers = [], resourceVersion } = object.metadata;
  const left = finalizers.filter((one) => one !== finalizer);
  const body = { metadata: { resourceVersion, finalizers: left.length > 0 ? left : null } };
  await client.patch(resource, { name, namespace }, { type: 'merge', body });
}

/** Deleted claims go once no pod uses them. */
export const claimProtectionController: Controller = {
  name: 'persistentvolumeclaim-protection-controller',
  start(context) {
    const { client, informers } = context;
    const claims = informers.for(resources.persistentVolumeClaims);
    const pods = informers.for(resources.pods);
    const loop = startControlLoop({
      context,
      name: 'persistentvolumeclaim-protection-controller',
      informers: [claims, pods],
      reconcile: async (key) => {
        const { namespace = '', name } = splitKey(key);
        const claim = claims.store.get(namespace, name);
        if (!claim || !awaits(claim, CLAIM)) return undefined;
        const isUsed = (all: readonly Pod[]): boolean => all.some((pod) => claimsOf(pod).includes(name));
        if (isUsed(pods.store.list(namespace))) return undefined;
        // The store may be behind; data is at stake, so the server is asked.
        if (isUsed((await client.list(resources.pods, { namespace })).items)) return undefined;
        await release(client, resources.persistentVolumeClaims, claim, CLAIM);
        return undefined;
      },
    });
    loop.enqueueAll(claims);
    loop.onAny(pods, (pod, old) => {
      if (old !== undefined && isTerminal(old) === isTerminal(pod) && old.metadata.uid === pod.metadata.uid)
        return;
      for (const name of [...claimsOf(old ?? pod), ...claimsOf(pod)]) {
        const claim = claims.store.get(pod.metadata.namespace, name);
        if (claim && awaits(claim, CLAIM)) loop.add(keyOf(claim));
      }
    });
    return loop.stop;
  },
};

/** Deleted volumes go once no claim is bound to them. */
export const volumeProtectionController: Controller = {
  name: 'persistentvolume-protection-controller',
  start(context) {
    const { client, informers } = context;
    const volumes = informers.for(resources.persistentVolumes);
    const loop = startControlLoop({
      context,
      name: 'persistentvolume-protection-controller',
      informers: [volumes],
      reconcile: async (key) => {
        const volume = volumes.store.get(undefined, key);
        if (volume && awaits(volume, VOLUME) && volume.status?.phase !== 'Bound')
          await release(client, resources.persistentVolumes, volume, VOLUME);
        return undefined;
      },
    });
    loop.enqueueAll(volumes);
    return loop.stop;
  },
};

/** Deleted volume attributes classes go once no claim and no volume has them. */
export const volumeAttributesClassProtectionController: Controller = {
  name: 'volumeattributesclass-protection-controller',
  start(context) {
    const { client, informers } = context;
    const classes = informers.for(resources.volumeAttributesClasses);
    const users = [
      informers.for(resources.persistentVolumeClaims) as Informer<PersistentVolumeClaim | PersistentVolume>,
      informers.for(resources.persistentVolumes) as Informer<PersistentVolumeClaim | PersistentVolume>,
    ];
    const loop = startControlLoop({
      context,
      name: 'volumeattributesclass-protection-controller',
      informers: [classes, ...users],
      reconcile: async (key) => {
        const found = classes.store.get(undefined, key);
        if (!found || !awaits(found, CLASS)) return undefined;
        if (users.some(({ store }) => store.list().some((object) => usesClass(object, key))))
          return undefined;
        await release(client, resources.volumeAttributesClasses, found, CLASS);
        return undefined;
      },
    });
    loop.enqueueAll(classes);
    for (const informer of users)
      loop.onAny(informer, () => {
        for (const one of classes.store.list()) if (awaits(one, CLASS)) loop.add(keyOf(one));
      });
    return loop.stop;
  },
};
