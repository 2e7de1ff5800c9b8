import type { Node } from '../../api/types.gen.ts';
import type { AdmissionPlugin } from './port.ts';

const NOT_READY = 'node.kubernetes.io/not-ready';

/** A node starts as not ready, so that nothing is placed on it before its agent has reported. */
export function taintNodesByCondition(): AdmissionPlugin {
  return {
    name: 'TaintNodesByCondition',
    concerns: ({ operation, resource, subresource }) =>
      operation === 'CREATE' && subresource === '' && resource.group === '' && resource.resource === 'nodes',
    mutate({ object }) {
      const node = object as Node;
      const taints = node.spec?.taints ?? [];
      if (taints.some(({ key, effect }) => key === NOT_READY && effect === 'NoSchedule')) return;
      node.spec = { ...node.spec, taints: [...taints, { key: NOT_READY, effect: 'NoSchedule' }] };
    },
  };
}
