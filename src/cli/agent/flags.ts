import type { Flags } from '../flag.ts';
import { GENERAL_FLAGS, NODE_FLAGS } from '../node/flags.ts';

/** Flags of `kedge agent`; names and meanings are K3s' where it has the same. */
export const AGENT_FLAGS = {
  ...GENERAL_FLAGS,

  server: {
    type: 'string',
    alias: 's',
    value: 'url',
    env: 'KEDGE_URL',
    group: 'Cluster',
    describe: 'Server to join, such as https://192.168.1.7:6443; remembered once the board has joined',
  },
  token: {
    type: 'string',
    alias: 't',
    value: 'token',
    group: 'Cluster',
    describe:
      'What to join with: <data-dir>/server/node-token on the server, or a token of kedge token create (visible in the process list: prefer --token-file)',
  },
  'token-file': { type: 'string', value: 'file', group: 'Cluster', describe: 'File holding that token' },

  ...NODE_FLAGS,
  disable: {
    type: 'list',
    value: 'part',
    group: 'Parts',
    describe: 'Parts not to run: dns, service-proxy, network-policy',
  },
} as const satisfies Flags;
