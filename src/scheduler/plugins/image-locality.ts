import type { NodeInfo } from '../node-info.ts';
import { type Cluster, MAX_SCORE, type Plugin } from '../plugin.ts';

const MIB = 1024 * 1024;
/** Images smaller than this are quickly pulled; more than the maximum per container says nothing more. */
const MIN_BYTES = 23 * MIB;
const MAX_CONTAINER_BYTES = 1000 * MIB;

/** Prefers nodes that have the pod's images, the more so the more of the cluster has them. */
export const imageLocality: Plugin = {
  name: 'ImageLocality',
  wakesOn: [],
  weight: 1,
  score: ({ pod }, cluster, nodes) => {
    const { containers = [], initContainers = [] } = pod.spec ?? {};
    const images = [...initContainers, ...containers].map(({ image = '' }) => withTag(image));
    if (!nodes.some((node) => images.some((image) => node.images.has(image)))) return undefined;
    const maxBytes = MAX_CONTAINER_BYTES * images.length;
    return {
      of: (node) => {
        const bytes = images.reduce((sum, image) => sum + spreadBytes(image, node, cluster), 0);
        const bounded = Math.min(Math.max(bytes, MIN_BYTES), maxBytes);
        return Math.trunc((MAX_SCORE * (bounded - MIN_BYTES)) / (maxBytes - MIN_BYTES));
      },
    };
  },
};

/** An image on few nodes counts for less, or all pods would follow the first. */
function spreadBytes(image: string, node: NodeInfo, cluster: Cluster): number {
  const bytes = node.images.get(image);
  return bytes ? Math.trunc((bytes * cluster.imageSpread(image)) / cluster.nodes.length) : 0;
}

function withTag(image: string): string {
  return image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image;
}
