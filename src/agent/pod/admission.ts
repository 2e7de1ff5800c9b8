import { hostPortsOf, overlap } from '../../api/host-ports.ts';
import type { Pod } from '../../api/types.gen.ts';

export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

/**
 * Why this node does not take a pod that was bound past the scheduler, in upstream's words; undefined: it does. `others`
 * are the pods that have not ended here. One that has begun is never refused: the agent may just have been restarted.
 */
export function refusal(pod: Pod, others: readonly Pod[]): Refusal | undefined {
  if (pod.status?.startTime !== undefined) return undefined;
  const wanted = hostPortsOf(pod);
  if (wanted.length === 0) return undefined;
  const taken = others.filter(({ metadata }) => metadata.uid !== pod.metadata.uid).flatMap(hostPortsOf);
  if (!wanted.some((port) => taken.some((other) => overlap(port, other)))) return undefined;
  const why = "node(s) didn't have free ports for the requested pod ports";
  return { reason: 'NodePorts', message: `Predicate NodePorts failed: ${why}` };
}
