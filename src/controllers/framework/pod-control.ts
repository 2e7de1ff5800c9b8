import type { KubeObject } from '../../api/resource.ts';
import * as resources from '../../api/resources.gen.ts';
import { ApiError, isNotFound } from '../../api/status.ts';
import type { Pod } from '../../api/types.gen.ts';
import { errorText } from '../../lib/log.ts';
import type { ControllerContext } from '../port.ts';

type Effects = Pick<ControllerContext, 'client' | 'events'>;

/** Creates a pod for `owner` and tells so in an Event, as upstream's RealPodControl. */
export async function createPod({ client, events }: Effects, owner: KubeObject, pod: Pod): Promise<Pod> {
  try {
    const created = await client.create(resources.pods, pod);
    events.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata.name}`);
    return created;
  } catch (error) {
    if (!isNamespaceTerminating(error))
      events.event(owner, 'Warning', 'FailedCreate', `Error creating: ${errorText(error)}`);
    throw error;
  }
}

/** Deletes exactly this pod; one that is gone already is fine and makes no Event. */
export async function deletePod({ client, events }: Effects, owner: KubeObject, pod: Pod): Promise<void> {
  const { name = '', namespace, uid } = pod.metadata;
  try {
    const preconditions = uid === undefined ? {} : { preconditions: { uid } };
    await client.delete(resources.pods, { name, namespace }, preconditions);
    events.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
  } catch (error) {
    if (isNotFound(error)) return;
    events.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${errorText(error)}`);
    throw error;
  }
}

/** Nothing can be created in a namespace that is going; trying again is no use. */
export function isNamespaceTerminating(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    (error.status.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating')
  );
}
