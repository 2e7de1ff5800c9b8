import type { Command } from '../command.ts';
import type { Flags } from '../flag.ts';

const DATA_DIR = {
  'data-dir': {
    type: 'string',
    alias: 'd',
    value: 'dir',
    default: '/var/lib/kedge',
    group: 'General',
    describe: "The server's folder",
  },
} as const satisfies Flags;

export const backupCommand: Command = {
  name: 'backup',
  describe: 'Write the whole state of this server into one file',
  about:
    'Packs a checked snapshot of the datastore, the certificate authorities, keys and tokens. The server may run: it is\n' +
    'asked for the snapshot, which holds everything acknowledged by then. Volumes of pods are not part of it, nor is\n' +
    '/etc/kedge. Whoever reads the file owns the cluster.',
  examples: [['kedge backup /media/stick/kedge.tar.gz', 'to keep somewhere else']],
  flags: {
    ...DATA_DIR,
    kubeconfig: {
      type: 'string',
      value: 'file',
      group: 'General',
      describe:
        "The administrator's kubeconfig of this server, where it runs (default: that of KUBECONFIG, or /etc/kedge/kedge.yaml)",
    },
    force: { type: 'boolean', default: false, group: 'General', describe: 'Write over a file that is there' },
  },
  operands: { usage: '<file>', atLeast: 1, atMost: 1 },
  run: async (values, [file = '']) => (await import('./backup.ts')).backup(values, file),
};

export const restoreCommand: Command = {
  name: 'restore',
  describe: 'Replace the state of a stopped server by a backup',
  about:
    'Puts what kedge backup wrote in the place of the present state, which is kept beside it. The server must not run.\n' +
    'Changes made after the backup are lost; agents and kubeconfigs of the time of the backup go on working.',
  examples: [['kedge restore /media/stick/kedge.tar.gz', 'then: systemctl start kedge']],
  flags: DATA_DIR,
  operands: { usage: '<file>', atLeast: 1, atMost: 1 },
  run: async (values, [file = '']) => (await import('./restore.ts')).restore(values, file),
};
