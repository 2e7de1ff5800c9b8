import { nodes } from '../../api/resources.gen.ts';
import { WorkQueue } from '../../lib/work-queue.ts';
import type { Controller } from '../port.ts';
import { planPodCidrs } from './plan.ts';

/** Bits of one node's block of pod addresses, as upstream's default for IPv4. */
const NODE_MASK_SIZE = 24;

/** Gives every node its `spec.podCIDR`. */
export function nodeIpamController(clusterCIDR: string): Controller {
  return {
    name: 'node-ipam-controller',
    start({ client, informers, events, clock, log }) {
      const informer = informers.for(nodes);
      const queue = new WorkQueue({
        clock,
        onError: (_key, error) => log.warn('cannot assign pod addresses', { error }),
        async work() {
          const { assignments, exhausted } = planPodCidrs(informer.store.list(), clusterCIDR, NODE_MASK_SIZE);
          for (const { node, podCIDR } of assignments) {
            const current = informer.store.get(undefined, node);
            await client.patch(
              nodes,
              { name: node },
              {
                type: 'merge',
                body: {
                  // Only the very node that was looked at; an address range set meanwhile cannot be changed.
                  metadata: { uid: current?.metadata.uid },
                  spec: { podCIDR, podCIDRs: [podCIDR] },
                },
              },
            );
          }
          for (const name of exhausted) {
            const node = informer.store.get(undefined, name);
            if (node)
              events.event(
                node,
                'Normal',
                'CIDRNotAvailable',
                `Node ${name} status is now: CIDRNotAvailable`,
              );
          }
          return undefined;
        },
      });
      // One key for all nodes: two of them must never be given the same block at once.
      const remove = informer.onChange({
        add: (node) => void (node.spec?.podCIDR ? undefined : queue.add('nodes')),
        update: (node) => void (node.spec?.podCIDR ? undefined : queue.add('nodes')),
        delete: () => queue.add('nodes'),
      });
      return async () => {
        remove();
        await queue.stop();
      };
    },
  };
}
