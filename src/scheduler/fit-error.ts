/** Upstream's sentence for a pod that no node takes: `0/3 nodes are available: 1 Insufficient cpu, 2 …. preemption: …`. */
export function unschedulableMessage(options: {
  readonly nodes: number;
  /** Reasons of every node; a node may have several. */
  readonly reasons: Iterable<readonly string[]>;
  /** Instead of nodes' reasons: why the pod fits nowhere. */
  readonly pod?: string | undefined;
  readonly after?: string;
}): string {
  const { nodes, reasons, pod, after = '' } = options;
  let text = `0/${nodes} nodes are available:`;
  const details = pod ?? tally(reasons);
  if (details !== '') text += ` ${details}.`;
  return after === '' ? text : `${text} ${after}`;
}

function tally(reasons: Iterable<readonly string[]>): string {
  const counts = new Map<string, number>();
  for (const list of reasons) for (const reason of list) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(', ');
}

export const NO_NODES = 'no nodes available to schedule pods';
