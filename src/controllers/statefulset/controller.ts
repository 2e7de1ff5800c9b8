import { selectorFromObject } from '../../api/labels.ts';
import type { KubeObject, Resource } from '../../api/resource.ts';
import * as resources from '../../api/resources.gen.ts';
import { isAlreadyExists, isNotFound } from '../../api/status.ts';
import type { PersistentVolumeClaim, Pod, PodTemplateSpec, StatefulSet } from '../../api/types.gen.ts';
import { splitKey } from '../../client/informer.ts';
import { controllerOf } from '../../client/object-store.ts';
import { errorText } from '../../lib/log.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { Expectations, STALE_STORE_MS } from '../framework/expectations.ts';
import { claim, controllerReference, planClaims } from '../framework/owners.ts';
import { isNamespaceTerminating } from '../framework/pod-control.ts';
import { nextAvailableMs, podFromTemplate } from '../framework/pods.ts';
import { currentRevision, templateOf, trimRevisions } from '../framework/revisions.ts';
import { writeStatus } from '../framework/status-writer.ts';
import type { Controller, ControllerContext } from '../port.ts';
import { ordinalOf, planStatefulSet, planStatefulStatus, REVISION_LABEL } from './plan.ts';

/** Pods with names and volumes of their own, in order. */
export const statefulSetController: Controller = {
  name: 'statefulset-controller',
  start(context) {
    const { client, clock } = context;
    const sets = context.informers.for(resources.statefulSets);
    const pods = context.informers.for(resources.pods);
    const claims = context.informers.for(resources.persistentVolumeClaims);
    const revisions = context.informers.for(resources.controllerRevisions);
    const expectations = new Expectations(pods.store);
    const remembered = new Expectations(revisions.store);
    const own = { ...context, events: context.events.for('statefulset-controller') };
    const loop = startControlLoop({
      context,
      name: 'statefulset-controller',
      informers: [sets, pods, claims, revisions],
      concurrency: 5,
      reconcile: async (key) => {
        const { namespace = '', name } = splitKey(key);
        const set = sets.store.get(namespace, name);
        if (!set) {
          expectations.forget(key);
          remembered.forget(key);
          return undefined;
        }
        if (!expectations.met(key) || !remembered.met(key)) return STALE_STORE_MS;
        const candidates = [
          ...pods.store.ownedBy(set.metadata.uid ?? ''),
          ...pods.store.uncontrolled(namespace),
        ];
        const mine = await claim({
          client,
          owner: set,
          ownerResource: resources.statefulSets,
          resource: resources.pods,
          claims: planClaims(
            set,
            selectorFromObject(set.spec?.selector),
            candidates.filter((pod) => ordinalOf(set, pod) !== undefined),
          ),
        });
        const { current: update, all } = await currentRevision(
          client,
          revisions.store,
          set,
          resources.statefulSets,
        );
        remembered.wrote(key, update);
        const before = all.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? update;
        const state = {
          set,
          pods: mine,
          currentRevision: before.metadata.name ?? '',
          updateRevision: update.metadata.name ?? '',
          nowMs: clock.now(),
        };
        const plan = planStatefulSet(state);
        await writeStatus(client, resources.statefulSets, set, planStatefulStatus(state));
        for (const { ordinal, revision } of plan.create) {
          const from = all.find(({ metadata }) => metadata.name === revision) ?? update;
          const pod = await createOrdinal(own, set, ordinal, revision, templateOf(from));
          if (pod) expectations.wrote(key, pod);
        }
        for (const pod of plan.delete) {
          await deleteOrdinal(own, set, pod);
          expectations.deleted(key, pod);
        }
        const inUse = new Set(mine.map(({ metadata }) => metadata.labels?.[REVISION_LABEL] ?? ''));
        inUse.add(state.currentRevision).add(state.updateRevision);
        await trimRevisions(client, all, inUse, set.spec?.revisionHistoryLimit);
        return nextAvailableMs(mine, set.spec?.minReadySeconds ?? 0, state.nowMs);
      },
    });
    loop.enqueueAll(sets);
    loop.onAny(pods, (pod, old) => {
      for (const one of old ? [pod, old] : [pod]) {
        const owner = controllerOf(one);
        if (owner?.kind === 'StatefulSet') loop.add(`${one.metadata.namespace}/${owner.name}`);
      }
    });
    return loop.stop;
  },
};

/** The pod of one ordinal: its name, host name, identity labels, and the claims behind its volumes. Pure. */
function statefulPod(set: StatefulSet, ordinal: number, revision: string, template: PodTemplateSpec): Pod {
  const pod = podFromTemplate(template, set.metadata.namespace);
  const name = `${set.metadata.name}-${ordinal}`;
  pod.metadata.name = name;
  pod.metadata.labels = {
    ...pod.metadata.labels,
    [REVISION_LABEL]: revision,
    'statefulset.kubernetes.io/pod-name': name,
    'apps.kubernetes.io/pod-index': String(ordinal),
  };
  pod.metadata.ownerReferences = [controllerReference(set, resources.statefulSets as Resource<KubeObject>)];
  if (!pod.spec) return pod;
  pod.spec.hostname = name;
  if (set.spec?.serviceName) pod.spec.subdomain = set.spec.serviceName;
  const templates = set.spec?.volumeClaimTemplates ?? [];
  const replaced = new Set(templates.map(({ metadata }) => metadata.name));
  pod.spec.volumes = [
    ...templates.map(({ metadata }) => ({
      name: metadata.name ?? '',
      persistentVolumeClaim: { claimName: `${metadata.name}-${name}` },
    })),
    ...(pod.spec.volumes ?? []).filter((volume) => !replaced.has(volume.name)),
  ];
  return pod;
}

async function createOrdinal(
  context: ControllerContext,
  set: StatefulSet,
  ordinal: number,
  revision: string,
  template: PodTemplateSpec,
): Promise<Pod | undefined> {
  const { client, events } = context;
  const pod = statefulPod(set, ordinal, revision, template);
  const { name } = pod.metadata;
  try {
    for (const claimTemplate of set.spec?.volumeClaimTemplates ?? [])
      await createClaim(context, set, claimTemplate, `${claimTemplate.metadata.name}-${name}`);
    const created = await client.create(resources.pods, pod);
    const message = `create Pod ${name} in StatefulSet ${set.metadata.name} successful`;
    events.event(set, 'Normal', 'SuccessfulCreate', message);
    return created;
  } catch (error) {
    if (isNamespaceTerminating(error)) return undefined;
    const message = `create Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${errorText(error)}`;
    events.event(set, 'Warning', 'FailedCreate', message);
    throw error;
  }
}

async function createClaim(
  { client, events }: ControllerContext,
  set: StatefulSet,
  template: PersistentVolumeClaim,
  name: string,
): Promise<void> {
  const { labels, annotations } = template.metadata;
  const { namespace } = set.metadata;
  const policy = set.spec?.persistentVolumeClaimRetentionPolicy;
  const claimed: PersistentVolumeClaim = {
    ...template,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...labels, ...set.spec?.selector.matchLabels },
      ...(annotations === undefined ? {} : { annotations }),
      ...(policy?.whenDeleted === 'Delete'
        ? { ownerReferences: [controllerReference(set, resources.statefulSets as Resource<KubeObject>)] }
        : {}),
    },
  };
  try {
    await client.create(resources.persistentVolumeClaims, claimed);
  } catch (error) {
    // The claim of an earlier pod of this ordinal: its data is the point.
    if (isAlreadyExists(error)) return;
    throw error;
  }
  const message = `create Claim ${name} Pod ${name.slice((template.metadata.name ?? '').length + 1)} in StatefulSet ${set.metadata.name} success`;
  events.event(set, 'Normal', 'SuccessfulCreate', message);
}

async function deleteOrdinal(
  { client, events }: ControllerContext,
  set: StatefulSet,
  pod: Pod,
): Promise<void> {
  const { name = '', namespace, uid = '' } = pod.metadata;
  try {
    await client.delete(resources.pods, { name, namespace }, { preconditions: { uid } });
  } catch (error) {
    if (isNotFound(error)) return;
    throw error;
  }
  const message = `delete Pod ${name} in StatefulSet ${set.metadata.name} successful`;
  events.event(set, 'Normal', 'SuccessfulDelete', message);
  await deleteClaimsOf({ client }, set, pod);
}

/** Volumes of ordinals that were scaled away go where the policy says so. */
async function deleteClaimsOf(
  { client }: Pick<ControllerContext, 'client'>,
  set: StatefulSet,
  pod: Pod,
): Promise<void> {
  if (set.spec?.persistentVolumeClaimRetentionPolicy?.whenScaled !== 'Delete') return;
  const ordinal = ordinalOf(set, pod) ?? 0;
  const start = set.spec.ordinals?.start ?? 0;
  if (ordinal >= start && ordinal < start + (set.spec.replicas ?? 1)) return;
  for (const { metadata } of set.spec.volumeClaimTemplates ?? []) {
    const ref = { namespace: pod.metadata.namespace, name: `${metadata.name}-${pod.metadata.name}` };
    await client.delete(resources.persistentVolumeClaims, ref).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
}
