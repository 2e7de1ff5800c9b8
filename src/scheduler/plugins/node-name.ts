import { type Plugin, Rejection } from '../plugin.ts';

const OTHER_NODE = new Rejection("node(s) didn't match the requested node name", { isResolvable: false });

/** Honours `spec.nodeName` where it is set before scheduling. */
export const nodeName: Plugin = {
  name: 'NodeName',
  wakesOn: ['NodeAdded'],
  filter: ({ pod }) => {
    const wanted = pod.spec?.nodeName;
    return wanted ? (node) => (node.name === wanted ? undefined : OTHER_NODE) : undefined;
  },
};
