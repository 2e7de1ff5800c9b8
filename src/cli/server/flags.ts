import { LOG_LEVELS } from '../../lib/log.ts';
import type { Flags } from '../flag.ts';
import { DEFAULT_CONFIG } from '../parse.ts';

/** Flags of `kedge server`; names and meanings are K3s' where it has the same. */
export const SERVER_FLAGS = {
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
  token: {
    type: 'string',
    alias: 't',
    value: 'secret',
    group: 'API server',
    describe:
      'Secret for boards that join; kept in <data-dir>/server/token and made on the first start (visible in the process list: prefer --token-file)',
  },
  'token-file': { type: 'string', value: 'file', group: 'API server', describe: 'File holding that secret' },

  'cluster-cidr': {
    type: 'string',
    value: 'cidr',
    default: '10.42.0.0/16',
    group: 'Networking',
    describe: 'Addresses for pods',
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
  'disable-agent': {
    type: 'boolean',
    default: false,
    group: 'Agent',
    describe: 'Run no pods here: API server, scheduler and controllers only',
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
  disable: {
    type: 'list',
    value: 'part',
    group: 'Parts',
    describe: 'Parts not to run: scheduler, dns, service-proxy, network-policy, or a controller by name',
  },
} as const satisfies Flags;
