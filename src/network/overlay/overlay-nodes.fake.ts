import type { Node } from '../../api/types.gen.ts';
import { MODE_ANNOTATION } from './plan.ts';

/** A Node as the overlay reads it. */
export function overlayNode(
  name: string,
  address: string | undefined,
  podCIDR: string | undefined,
  mode?: string,
): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, ...(mode === undefined ? {} : { annotations: { [MODE_ANNOTATION]: mode } }) },
    spec: podCIDR === undefined ? {} : { podCIDR, podCIDRs: [podCIDR] },
    status: {
      addresses: [
        { type: 'Hostname', address: name },
        ...(address === undefined ? [] : [{ type: 'InternalIP', address }]),
      ],
    },
  };
}
