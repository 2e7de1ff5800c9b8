import { tolerates } from '../../api/tolerations.ts';
import { type Plugin, Rejection } from '../plugin.ts';

const CORDONED = new Rejection('node(s) were unschedulable', { isResolvable: false });
const TAINT = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

/** Keeps pods off cordoned nodes unless they tolerate that. */
export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  wakesOn: ['NodeAdded', 'NodeTaints'],
  filter: ({ pod }) => {
    const { tolerations = [] } = pod.spec ?? {};
    if (tolerations.some((toleration) => tolerates(toleration, TAINT))) return undefined;
    return (node) => (node.node.spec?.unschedulable ? CORDONED : undefined);
  },
};
