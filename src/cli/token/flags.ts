import type { Flags } from '../flag.ts';

/** Of every subcommand that speaks to the cluster. */
export const CLUSTER_FLAGS = {
  kubeconfig: {
    type: 'string',
    value: 'file',
    group: 'Cluster',
    describe: 'Kubeconfig of an administrator (default: /etc/kedge/kedge.yaml)',
  },
} as const satisfies Flags;

/** Names and meanings are K3s' and kubeadm's. */
export const CREATE_FLAGS = {
  ...CLUSTER_FLAGS,
  description: {
    type: 'string',
    value: 'text',
    group: 'Token',
    describe: 'What the token is for, for people',
  },
  ttl: {
    type: 'string',
    value: 'duration',
    default: '24h',
    group: 'Token',
    describe: 'How long it can be used, such as 30m, 24h or 7d; 0 for ever',
  },
  usages: {
    type: 'list',
    value: 'usage',
    default: ['signing', 'authentication'],
    group: 'Token',
    describe: 'What it can be used for',
  },
  groups: {
    type: 'list',
    value: 'group',
    default: ['system:bootstrappers:kedge:default-node-token'],
    group: 'Token',
    describe: 'Groups that its bearer is in; the default is the one that lets boards join',
  },
  'print-join-command': {
    type: 'boolean',
    default: false,
    group: 'Token',
    describe: 'Print the whole command to run on the board that joins, instead of the token alone',
  },
} as const satisfies Flags;

export const LIST_FLAGS = {
  ...CLUSTER_FLAGS,
  output: {
    type: 'string',
    alias: 'o',
    choices: ['text', 'json'],
    default: 'text',
    group: 'Output',
    describe: 'Form of the list',
  },
} as const satisfies Flags;
