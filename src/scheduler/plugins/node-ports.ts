import { type Plugin, Rejection } from '../plugin.ts';

const TAKEN = new Rejection("node(s) didn't have free ports for the requested pod ports", {
  isResolvable: true,
});

/** Host ports are taken once per node, protocol and address. */
export const nodePorts: Plugin = {
  name: 'NodePorts',
  wakesOn: ['NodeAdded', 'PodRemoved'],
  filter: ({ hostPorts }) =>
    hostPorts.length === 0
      ? undefined
      : (node) => (hostPorts.some((port) => node.isPortTaken(port)) ? TAKEN : undefined),
};
