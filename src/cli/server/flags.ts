import { OVERLAY_MODES } from '../../network/overlay/plan.ts';
import type { Flags } from '../flag.ts';
import { GENERAL_FLAGS, NODE_FLAGS } from '../node/flags.ts';

/** Flags of `kedge server`; names and meanings are K3s' where it has the same. */
export const SERVER_FLAGS = {
  ...GENERAL_FLAGS,

  'bind-address': {
    type: 'string',
    value: 'ip',
    default: '0.0.0.0',
    group: 'API server',
    describe: 'Address the API server listens on',
  },
  'https-listen-port': {
    type: 'number',
    value: 'port',
    default: 6443,
    group: 'API server',
    describe: 'Port the API server listens on',
  },
  'advertise-address': {
    type: 'string',
    value: 'ip',
    group: 'API server',
    describe: 'Address that pods and other boards reach the API server at (default: node-ip)',
  },
  'tls-san': {
    type: 'list',
    value: 'name',
    group: 'API server',
    describe: "More names or addresses for the API server's certificate",
  },
  'write-kubeconfig': {
    type: 'string',
    alias: 'o',
    value: 'file',
    default: '/etc/kedge/kedge.yaml',
    group: 'API server',
    describe: "Where to write the administrator's kubeconfig",
  },
  'write-kubeconfig-mode': {
    type: 'string',
    value: 'mode',
    default: '0600',
    group: 'API server',
    describe: 'Permissions of that file, octal',
  },
  'audit-policy-file': {
    type: 'string',
    value: 'file',
    group: 'API server',
    describe: 'audit.k8s.io/v1 Policy that says what to write down of requests (default: nothing)',
  },
  'audit-log-path': {
    type: 'string',
    value: 'file',
    group: 'API server',
    describe: 'Where audit events go (default: <data-dir>/server/logs/audit.log; - is standard output)',
  },
  'audit-log-maxage': {
    type: 'number',
    value: 'days',
    default: 0,
    group: 'API server',
    describe: 'Days that rotated audit logs are kept; 0: for ever',
  },
  'audit-log-maxbackup': {
    type: 'number',
    value: 'count',
    default: 10,
    group: 'API server',
    describe: 'Rotated audit logs that are kept; 0: all',
  },
  'audit-log-maxsize': {
    type: 'number',
    value: 'MiB',
    default: 10,
    group: 'API server',
    describe: 'Size at which an audit log is rotated',
  },
  'audit-log-format': {
    type: 'string',
    value: 'format',
    default: 'json',
    choices: ['json'],
    group: 'API server',
    describe: 'Format of audit events',
  },
  token: {
    type: 'string',
    alias: 't',
    value: 'secret',
    group: 'Joining',
    describe:
      'Secret for servers and boards that join; kept in <data-dir>/server/token and made on the first start (visible in the process list: prefer --token-file)',
  },
  'token-file': { type: 'string', value: 'file', group: 'Joining', describe: 'File holding that secret' },
  'agent-token': {
    type: 'string',
    value: 'secret',
    group: 'Joining',
    describe: 'Secret for boards that join as agents; kept in <data-dir>/server/node-token and made likewise',
  },
  'agent-token-file': {
    type: 'string',
    value: 'file',
    group: 'Joining',
    describe: 'File holding that secret',
  },

  'cluster-cidr': {
    type: 'string',
    value: 'cidr',
    default: '10.42.0.0/16',
    group: 'Networking',
    describe: 'Addresses for pods',
  },
  overlay: {
    type: 'string',
    alias: 'flannel-backend',
    choices: OVERLAY_MODES,
    default: 'vxlan',
    group: 'Networking',
    describe:
      'How pods of different boards reach each other: in UDP, by routes between boards on one network, or by a network of your own',
  },
  'service-cidr': {
    type: 'string',
    value: 'cidr',
    default: '10.43.0.0/16',
    group: 'Networking',
    describe: 'Addresses for Services',
  },
  'service-node-port-range': {
    type: 'string',
    value: 'range',
    default: '30000-32767',
    group: 'Networking',
    describe: 'Ports for NodePort Services',
  },
  'cluster-dns': {
    type: 'string',
    value: 'ip',
    default: '10.43.0.10',
    group: 'Networking',
    describe: "Address of the cluster's resolver; must lie in service-cidr",
  },
  'cluster-domain': {
    type: 'string',
    value: 'domain',
    default: 'cluster.local',
    group: 'Networking',
    describe: 'Domain of Service names',
  },

  'disable-agent': {
    type: 'boolean',
    default: false,
    group: 'Agent',
    describe: 'Run no pods here: API server, scheduler and controllers only',
  },
  ...NODE_FLAGS,
  disable: {
    type: 'list',
    value: 'part',
    group: 'Parts',
    describe: 'Parts not to run: scheduler, dns, service-proxy, network-policy, or a controller by name',
  },
} as const satisfies Flags;
