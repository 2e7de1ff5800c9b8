import { milliValue, wholeValue } from '../../api/quantity.ts';
import type { Container, Pod } from '../../api/types.gen.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

/** Upstream's quality of service class: from cpu and memory of all containers, init containers included. */
export function qosClass(pod: Pod): QosClass {
  const containers: Container[] = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  let any = false;
  let guaranteed = true;
  for (const { resources } of containers) {
    for (const name of ['cpu', 'memory'] as const) {
      const limit = milliValue(resources?.limits?.[name]);
      const request = milliValue(resources?.requests?.[name] ?? resources?.limits?.[name]);
      if (limit > 0 || request > 0) any = true;
      if (limit <= 0 || request !== limit) guaranteed = false;
    }
  }
  if (!any) return 'BestEffort';
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

/** Whom the kernel kills first (upstream's qos.GetContainerOOMScoreAdjust). */
export function oomScoreAdj(pod: Pod, container: Container, memoryCapacityBytes: number): number {
  if ((pod.spec?.priority ?? 0) >= 2_000_000_000) return -997;
  const qos = qosClass(pod);
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const request = wholeValue(
    container.resources?.requests?.['memory'] ?? container.resources?.limits?.['memory'],
  );
  const score = 1000 - Math.floor((1000 * request) / Math.max(1, memoryCapacityBytes));
  return Math.min(999, Math.max(3, score));
}

/** `kedge/pods/burstable/pod<uid>` below the root `kedge`; guaranteed pods sit directly below `kedge/pods`. */
export function podCgroup(pod: Pod, root: string): string {
  const qos = qosClass(pod);
  const level = qos === 'Guaranteed' ? '' : `${qos.toLowerCase()}/`;
  return `${root}/pods/${level}pod${pod.metadata.uid}`;
}
