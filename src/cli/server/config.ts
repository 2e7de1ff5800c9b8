import { join } from 'node:path';
import ipaddr from 'ipaddr.js';
import type { OverlayMode } from '../../network/overlay/plan.ts';
import type { AuditConfig } from '../../server/audit/open-audit.ts';
import { usageFailure } from '../failure.ts';
import type { FlagValue, FlagValues } from '../flag.ts';
import type { ClusterSettings } from '../node/cluster-settings.ts';
import {
  addressFlag,
  type GeneralConfig,
  listFlag,
  type NodeConfig,
  nodeConfig,
  optionalFlag,
  textFlag,
  tokenFlag,
} from '../node/config.ts';

/** What `kedge server` runs with, checked. */
export interface ServerConfig extends GeneralConfig {
  readonly bindAddress: string;
  readonly port: number;
  readonly advertiseAddress: string;
  readonly tlsSans: readonly string[];
  readonly kubeconfig: { readonly path: string; readonly mode: number };
  /** Secrets or whole tokens, for servers and agents that join; those on disk count where none was given. */
  readonly token: string | undefined;
  readonly agentToken: string | undefined;
  readonly cluster: ClusterSettings;
  readonly nodePorts: { readonly from: number; readonly to: number };
  /** This board, also where it runs no pods. */
  readonly node: NodeConfig;
  readonly disableAgent: boolean;
  /** Undefined: nothing is written down. */
  readonly audit: AuditConfig | undefined;
}

/** Checks the values against each other and fills in what the machine knows. Throws a `Failure` naming the flag. */
export function serverConfig(values: FlagValues): ServerConfig {
  const node = nodeConfig(values);
  const { logLevel, dataDir, stateDir } = node;
  const advertise = optionalFlag(values, 'advertise-address') ?? node.ip;
  const mode = textFlag(values, 'write-kubeconfig-mode');
  return {
    ...{ logLevel, dataDir, stateDir },
    bindAddress: addressFlag('bind-address', textFlag(values, 'bind-address')),
    port: port('https-listen-port', values['https-listen-port']),
    advertiseAddress: addressFlag('advertise-address', advertise),
    tlsSans: listFlag(values, 'tls-san'),
    kubeconfig: {
      path: textFlag(values, 'write-kubeconfig'),
      mode: octal('write-kubeconfig-mode', mode),
    },
    token: tokenFlag(values, 'token'),
    agentToken: tokenFlag(values, 'agent-token'),
    cluster: clusterSettings(values),
    nodePorts: portRange('service-node-port-range', textFlag(values, 'service-node-port-range')),
    node,
    disableAgent: values['disable-agent'] === true,
    audit: auditConfig(values, dataDir),
  };
}

function auditConfig(values: FlagValues, dataDir: string): AuditConfig | undefined {
  const policyFile = optionalFlag(values, 'audit-policy-file');
  if (policyFile === undefined) return undefined;
  return {
    policyFile,
    logPath: optionalFlag(values, 'audit-log-path') ?? join(dataDir, 'server/logs/audit.log'),
    maxAgeDays: count('audit-log-maxage', values['audit-log-maxage'], 0),
    maxBackups: count('audit-log-maxbackup', values['audit-log-maxbackup'], 0),
    maxSizeMiB: count('audit-log-maxsize', values['audit-log-maxsize'], 1),
  };
}

function count(flag: string, value: FlagValue, least: number): number {
  if (typeof value !== 'number' || value < least)
    throw usageFailure(`--${flag} must be ${least} or more, not ${String(value)}`);
  return value;
}

function clusterSettings(values: FlagValues): ClusterSettings {
  const serviceCIDR = cidr('service-cidr', textFlag(values, 'service-cidr'));
  const clusterCIDR = cidr('cluster-cidr', textFlag(values, 'cluster-cidr'));
  const clusterDNS = addressFlag('cluster-dns', textFlag(values, 'cluster-dns'));
  if (!within(clusterDNS, serviceCIDR)) {
    throw usageFailure(`--cluster-dns ${clusterDNS} does not lie in --service-cidr ${serviceCIDR}`);
  }
  return {
    ...{ clusterCIDR, serviceCIDR, clusterDNS },
    clusterDomain: textFlag(values, 'cluster-domain'),
    overlay: textFlag(values, 'overlay') as OverlayMode,
  };
}

function cidr(flag: string, value: string): string {
  if (!ipaddr.isValidCIDR(value))
    throw usageFailure(`--${flag} must be a CIDR such as 10.42.0.0/16, not ${JSON.stringify(value)}`);
  return value;
}

function within(ip: string, block: string): boolean {
  const parsed = ipaddr.parse(ip);
  const [base, bits] = ipaddr.parseCIDR(block);
  return parsed.kind() === base.kind() && parsed.match(base, bits);
}

function port(flag: string, value: unknown): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1 || number > 65_535)
    throw usageFailure(`--${flag} must be a port from 1 to 65535, not ${value}`);
  return number;
}

function portRange(flag: string, value: string): { from: number; to: number } {
  const match = /^(\d+)-(\d+)$/.exec(value);
  const range = { from: Number(match?.[1]), to: Number(match?.[2]) };
  if (match === null || range.from < 1 || range.to > 65_535 || range.from > range.to) {
    throw usageFailure(`--${flag} must be two ports such as 30000-32767, not ${JSON.stringify(value)}`);
  }
  return range;
}

function octal(flag: string, value: string): number {
  if (!/^0?[0-7]{3}$/.test(value))
    throw usageFailure(`--${flag} must be an octal mode such as 0600, not ${JSON.stringify(value)}`);
  return Number.parseInt(value, 8);
}
