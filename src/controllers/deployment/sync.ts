import { equalJson } from '../../api/json-value.ts';
import type { KubeObject, Resource } from '../../api/resource.ts';
import * as resources from '../../api/resources.gen.ts';
import { isAlreadyExists, isNotFound } from '../../api/status.ts';
import type { Deployment, Pod, ReplicaSet } from '../../api/types.gen.ts';
import type { Store } from '../../client/informer.ts';
import { keyOf } from '../../client/informer.ts';
import { controllerOf } from '../../client/object-store.ts';
import { errorText } from '../../lib/log.ts';
import type { Expectations } from '../framework/expectations.ts';
import { controllerReference } from '../framework/owners.ts';
import { isNamespaceTerminating } from '../framework/pod-control.ts';
import { isTerminal } from '../framework/pods.ts';
import { writeStatus } from '../framework/status-writer.ts';
import type { ControllerContext } from '../port.ts';
import { newReplicaSet, nextRevision, revisionAnnotations, scaleAnnotations } from './plan-revision.ts';
import {
  isScalingEvent,
  planHistory,
  planRollingUpdate,
  planScale,
  type Rollout,
  replicasOfNew,
  type Scaling,
} from './plan-scale.ts';
import { deadlineSeconds, isComplete, planRolloutStatus, planStatus, setCondition } from './plan-status.ts';
import { findNewSet, isRolling, REVISION, replicasOf, templateKey } from './replica-counts.ts';

/** One look at one Deployment. Sets and status are written at most once each; events bring the next look. */
export class DeploymentSync {
  readonly #context: ControllerContext;
  readonly #pods: Store<Pod>;
  readonly #expectations: Expectations<ReplicaSet>;
  #deployment: Deployment;
  #current: ReplicaSet | undefined;
  #old: ReplicaSet[];
  #conditions;
  #collisionCount: number | undefined;

  constructor(options: {
    context: ControllerContext;
    deployment: Deployment;
    sets: readonly ReplicaSet[];
    pods: Store<Pod>;
    expectations: Expectations<ReplicaSet>;
  }) {
    const { context, deployment, sets, pods, expectations } = options;
    this.#context = context;
    this.#deployment = deployment;
    this.#pods = pods;
    this.#expectations = expectations;
    this.#current = findNewSet(deployment, sets);
    this.#old = sets.filter((set) => set !== this.#current);
    this.#conditions = deployment.status?.conditions;
    this.#collisionCount = deployment.status?.collisionCount;
  }

  /** Returns when to look again, or undefined. */
  async run(): Promise<number | undefined> {
    const deployment = this.#deployment;
    if (deployment.metadata.deletionTimestamp) return await this.#plainStatus();
    this.#noteWhetherPaused();
    if (deployment.spec?.paused || isScalingEvent(this.#rollout())) {
      await this.#adoptRevision(false);
      await this.#scale(planScale(this.#rollout()));
      await this.#refreshAnnotations();
      if (deployment.spec?.paused) await this.#trimHistory();
      return await this.#plainStatus();
    }
    return isRolling(deployment) ? await this.#roll() : await this.#recreate();
  }

  async #roll(): Promise<number | undefined> {
    await this.#adoptRevision(true);
    await this.#scale(planRollingUpdate(this.#rollout()));
    return await this.#rolloutStatus();
  }

  async #recreate(): Promise<number | undefined> {
    await this.#adoptRevision(false);
    const down = this.#old.filter((set) => replicasOf(set) > 0).map((set) => ({ set, replicas: 0 }));
    if (down.length > 0) {
      await this.#scale(down);
      return await this.#rolloutStatus();
    }
    const stillThere = this.#old.some(({ metadata: { uid = '' } }) =>
      this.#pods.ownedBy(uid).some((pod) => !isTerminal(pod)),
    );
    if (stillThere) return await this.#rolloutStatus();
    if (!this.#current) await this.#adoptRevision(true);
    const set = this.#current;
    const replicas = replicasOf(this.#deployment);
    if (set && replicasOf(set) !== replicas) await this.#scale([{ set, replicas }]);
    return await this.#rolloutStatus();
  }

  #rollout(): Rollout {
    return { deployment: this.#deployment, current: this.#current, old: this.#old };
  }

  #noteWhetherPaused(): void {
    const { spec } = this.#deployment;
    if (deadlineSeconds(this.#deployment) === undefined) return;
    const known = this.#conditions?.find(({ type }) => type === 'Progressing');
    if (known?.reason === 'ProgressDeadlineExceeded') return;
    const isKnown = known?.reason === 'DeploymentPaused';
    if (spec?.paused && !isKnown) this.#progressing('Unknown', 'DeploymentPaused', 'Deployment is paused');
    if (!spec?.paused && isKnown) this.#progressing('Unknown', 'DeploymentResumed', 'Deployment is resumed');
  }

  #progressing(status: string, reason: string, message: string): void {
    const wanted = { type: 'Progressing', status, reason, message };
    this.#conditions = setCondition(this.#conditions, wanted, this.#context.clock.now());
  }

  /** Gives the current set the revision that is its due, creating it where it is missing and wanted. */
  async #adoptRevision(create: boolean): Promise<void> {
    const revision = nextRevision(this.#old);
    if (!this.#current && create) await this.#create(revision);
    const set = this.#current;
    if (!set) return;
    const annotations = revisionAnnotations(this.#deployment, set, revision);
    const minReadySeconds = this.#deployment.spec?.minReadySeconds ?? 0;
    const isSame =
      equalJson(annotations, set.metadata.annotations ?? {}) &&
      (set.spec?.minReadySeconds ?? 0) === minReadySeconds;
    if (!isSame) {
      await this.#updateSet(set, {
        ...set,
        metadata: { ...set.metadata, annotations },
        spec: { ...set.spec, minReadySeconds } as NonNullable<ReplicaSet['spec']>,
      });
    }
    const hasProgressing = this.#conditions?.some(({ type }) => type === 'Progressing');
    if (!hasProgressing && deadlineSeconds(this.#deployment) !== undefined)
      this.#progressing('True', 'FoundNewReplicaSet', `Found new replica set "${set.metadata.name}"`);
    await this.#writeRevision(annotations[REVISION]);
  }

  async #writeRevision(revision: string | undefined): Promise<void> {
    const { name = '', namespace, annotations, uid } = this.#deployment.metadata;
    if (revision === undefined || annotations?.[REVISION] === revision) return;
    const body = { metadata: { uid, annotations: { [REVISION]: revision } } };
    const { client } = this.#context;
    // With the status, as upstream: there an annotation is no desire of a user, and the generation stays.
    this.#deployment = await client.patch(
      resources.deployments,
      { name, namespace },
      { type: 'merge', body },
      { subresource: 'status' },
    );
  }

  async #create(revision: bigint): Promise<void> {
    const { client, events } = this.#context;
    const deployment = this.#deployment;
    const replicas = replicasOfNew(this.#rollout());
    const wanted = newReplicaSet(deployment, replicas, revision);
    wanted.metadata.ownerReferences = [
      controllerReference(deployment, resources.deployments as Resource<KubeObject>),
    ];
    const hasDeadline = deadlineSeconds(deployment) !== undefined;
    try {
      this.#current = await client.create(resources.replicaSets, wanted);
    } catch (error) {
      if (isAlreadyExists(error)) {
        await this.#resolveCollision(wanted, error);
        return;
      }
      if (isNamespaceTerminating(error)) return;
      const { name } = wanted.metadata;
      const message = `Failed to create new replica set "${name}": ${errorText(error)}`;
      if (hasDeadline) this.#progressing('False', 'ReplicaSetCreateError', message);
      await this.#plainStatus();
      events.event(deployment, 'Warning', 'ReplicaSetCreateError', message);
      throw error;
    }
    const { name } = this.#current.metadata;
    this.#expectations.wrote(keyOf(deployment), this.#current);
    if (replicas > 0) {
      const message = `Scaled up replica set ${name} from 0 to ${replicas}`;
      events.event(deployment, 'Normal', 'ScalingReplicaSet', message);
    }
    if (hasDeadline) this.#progressing('True', 'NewReplicaSetCreated', `Created new replica set "${name}"`);
  }

  /** Ours after all, seen too late; or another template with the same hash, which then gets another one. */
  async #resolveCollision(wanted: ReplicaSet, cause: unknown): Promise<void> {
    const { name = '', namespace } = wanted.metadata;
    const found = await this.#context.client.get(resources.replicaSets, { name, namespace });
    const isOurs = controllerOf(found)?.uid === this.#deployment.metadata.uid;
    if (isOurs && templateKey(found.spec?.template) === templateKey(this.#deployment.spec?.template)) {
      this.#current = found;
      this.#old = this.#old.filter(({ metadata }) => metadata.uid !== found.metadata.uid);
      return;
    }
    this.#collisionCount = (this.#collisionCount ?? 0) + 1;
    await this.#plainStatus();
    throw new Error(`ReplicaSet ${namespace}/${name} belongs to something else; trying another hash`, {
      cause,
    });
  }

  async #scale(scalings: readonly Scaling[]): Promise<void> {
    for (const { set, replicas } of scalings) {
      if (replicas === replicasOf(set)) continue;
      const annotations = { ...set.metadata.annotations, ...scaleAnnotations(this.#deployment) };
      await this.#updateSet(set, {
        ...set,
        metadata: { ...set.metadata, annotations },
        spec: { ...set.spec, replicas } as NonNullable<ReplicaSet['spec']>,
      });
      const direction = replicas > replicasOf(set) ? 'up' : 'down';
      this.#context.events.event(
        this.#deployment,
        'Normal',
        'ScalingReplicaSet',
        `Scaled ${direction} replica set ${set.metadata.name} from ${replicasOf(set)} to ${replicas}`,
      );
    }
  }

  /** Tells sets whose size did not change of the new total, or the same scaling would be found for ever. */
  async #refreshAnnotations(): Promise<void> {
    const wanted = scaleAnnotations(this.#deployment);
    for (const set of this.#current ? [this.#current, ...this.#old] : [...this.#old]) {
      const annotations = { ...set.metadata.annotations, ...wanted };
      if (replicasOf(set) === 0 || equalJson(annotations, set.metadata.annotations ?? {})) continue;
      await this.#updateSet(set, { ...set, metadata: { ...set.metadata, annotations } });
    }
  }

  async #updateSet(set: ReplicaSet, wanted: ReplicaSet): Promise<void> {
    const updated = await this.#context.client.update(resources.replicaSets, wanted);
    this.#expectations.wrote(keyOf(this.#deployment), updated);
    if (set === this.#current) this.#current = updated;
    else this.#old = this.#old.map((one) => (one === set ? updated : one));
  }

  async #trimHistory(): Promise<void> {
    for (const { metadata } of planHistory(this.#rollout())) {
      const { name = '', namespace, uid = '' } = metadata;
      await this.#context.client
        .delete(resources.replicaSets, { name, namespace }, { preconditions: { uid } })
        .catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
    }
  }

  #statusInput() {
    return {
      deployment: this.#deployment,
      current: this.#current,
      old: this.#old,
      conditions: this.#conditions,
      collisionCount: this.#collisionCount,
      nowMs: this.#context.clock.now(),
    };
  }

  async #plainStatus(): Promise<undefined> {
    const status = planStatus(this.#statusInput());
    await writeStatus(this.#context.client, resources.deployments, this.#deployment, status);
    return undefined;
  }

  async #rolloutStatus(): Promise<number | undefined> {
    const { status, againMs } = planRolloutStatus(this.#statusInput());
    if (isComplete(this.#deployment, status)) await this.#trimHistory();
    await writeStatus(this.#context.client, resources.deployments, this.#deployment, status);
    return againMs;
  }
}
