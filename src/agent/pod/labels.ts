import type { Container } from '../../runtime/port.ts';
import type { ObservedContainer } from './state.ts';

/** What a container carries in the runtime, so that a new agent knows it again. */
export const LABEL = {
  namespace: 'io.kubernetes.pod.namespace',
  pod: 'io.kubernetes.pod.name',
  uid: 'io.kubernetes.pod.uid',
  container: 'io.kubernetes.container.name',
  hash: 'kedge.io/container-hash',
  /** The name and digest that the container's status shows. */
  imageName: 'kedge.io/image-name',
  imageDigest: 'kedge.io/image-digest',
  /** Where its termination message is, and what to do without one. */
  messagePath: 'kedge.io/termination-message',
  messagePolicy: 'kedge.io/termination-message-policy',
} as const;

/** A container of the runtime as the pod's state machine sees it. */
export function observed(container: Container, message: string | undefined): ObservedContainer {
  const { labels } = container;
  const imageId = labels[LABEL.imageDigest];
  const startedAtMs = container.startedAtMs ?? container.createdAtMs;
  return {
    id: container.id,
    name: container.name,
    attempt: container.attempt,
    hash: labels[LABEL.hash] ?? '',
    image: labels[LABEL.imageName] ?? container.image,
    ...(imageId === undefined ? {} : { imageId }),
    state: container.state,
    startedAtMs,
    finishedAtMs: container.finishedAtMs ?? startedAtMs,
    exitCode: container.exitCode ?? 255,
    reason: container.reason ?? (container.exitCode === 0 ? 'Completed' : 'Error'),
    ...(message === undefined ? {} : { message }),
  };
}
