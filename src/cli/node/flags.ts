import { LOG_LEVELS } from '../../lib/log.ts';
import type { Flags } from '../flag.ts';
import { DEFAULT_CONFIG } from '../parse.ts';

/** Flags of everything that stays running; names and meanings are K3s' where it has the same. */
export const GENERAL_FLAGS = {
  config: {
    type: 'string',
    alias: 'c',
    value: 'file',
    default: DEFAULT_CONFIG,
    group: 'General',
    describe:
      'Configuration file; its keys are these flags, and config.yaml.d/*.yaml beside it is read after it',
  },
  'log-level': {
    type: 'string',
    choices: LOG_LEVELS,
    default: 'info',
    group: 'General',
    describe: 'How much to log to standard error',
  },
  'data-dir': {
    type: 'string',
    alias: 'd',
    value: 'dir',
    default: '/var/lib/kedge',
    group: 'General',
    describe: 'Where everything that must survive a reboot lives',
  },
  'state-dir': {
    type: 'string',
    value: 'dir',
    default: '/run/kedge',
    group: 'General',
    describe: 'Where sockets and pinned namespaces live; gone after a reboot',
  },
} as const satisfies Flags;

/** Flags of a board that runs pods, whether `kedge server` or `kedge agent` runs there. */
export const NODE_FLAGS = {
  'node-name': {
    type: 'string',
    value: 'name',
    group: 'Agent',
    describe: 'Name of this node (default: the host name)',
  },
  'node-ip': {
    type: 'string',
    alias: 'i',
    value: 'ip',
    group: 'Agent',
    describe: 'Address of this node (default: that of the default route)',
  },
  'node-label': {
    type: 'list',
    value: 'key=value',
    group: 'Agent',
    describe: 'Labels to register this node with',
  },
  'node-taint': {
    type: 'list',
    value: 'key=value:effect',
    group: 'Agent',
    describe: 'Taints to register this node with',
  },
  'container-runtime-endpoint': {
    type: 'string',
    value: 'socket',
    group: 'Agent',
    describe: 'Use the containerd behind this socket instead of starting one',
  },
  snapshotter: {
    type: 'string',
    value: 'name',
    default: 'overlayfs',
    group: 'Agent',
    describe: 'containerd snapshotter',
  },
  'cgroup-root': {
    type: 'string',
    value: 'name',
    default: 'kedge',
    group: 'Agent',
    describe: 'Control group under which pods run',
  },
  'disable-network-policy': {
    type: 'boolean',
    default: false,
    group: 'Parts',
    describe: 'Enforce no NetworkPolicies; the same as --disable network-policy',
  },
} as const satisfies Flags;
