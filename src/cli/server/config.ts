import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import ipaddr from 'ipaddr.js';
import { dns1123SubdomainProblems } from '../../api/names.ts';
import type { Taint } from '../../api/types.gen.ts';
import type { LogLevel } from '../../lib/log.ts';
import { isAllowedNodeLabel } from '../../server/admission/node-labels.ts';
import { usageFailure } from '../failure.ts';
import type { FlagValues } from '../flag.ts';
import { defaultAddress } from './default-address.ts';

/** What `kedge server` runs with, checked. */
export interface ServerConfig {
  readonly logLevel: LogLevel;
  readonly dataDir: string;
  readonly stateDir: string;
  readonly bindAddress: string;
  readonly port: number;
  readonly advertiseAddress: string;
  readonly tlsSans: readonly string[];
  readonly kubeconfig: { readonly path: string; readonly mode: number };
  readonly token: string | undefined;
  readonly clusterCIDR: string;
  readonly serviceCIDR: string;
  readonly nodePorts: { readonly from: number; readonly to: number };
  readonly clusterDNS: string;
  readonly clusterDomain: string;
  readonly node: {
    readonly name: string;
    readonly ip: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly taints: readonly Taint[];
  };
  readonly disableAgent: boolean;
  readonly containerRuntimeEndpoint: string | undefined;
  readonly snapshotter: string;
  readonly cgroupRoot: string;
  readonly disabled: ReadonlySet<string>;
}

/** Checks the values against each other and fills in what the machine knows. Throws a `Failure` naming the flag. */
export function serverConfig(values: FlagValues): ServerConfig {
  const text = (name: string): string => String(values[name] ?? '');
  const optional = (name: string): string | undefined =>
    values[name] === undefined ? undefined : String(values[name]);
  const list = (name: string): readonly string[] => (Array.isArray(values[name]) ? values[name] : []);
  const serviceCIDR = cidr('service-cidr', text('service-cidr'));
  const clusterCIDR = cidr('cluster-cidr', text('cluster-cidr'));
  const clusterDNS = address('cluster-dns', text('cluster-dns'));
  if (!within(clusterDNS, serviceCIDR)) {
    throw usageFailure(`--cluster-dns ${clusterDNS} does not lie in --service-cidr ${serviceCIDR}`);
  }
  const nodeIp = address('node-ip', optional('node-ip') ?? defaultAddress());
  return {
    logLevel: text('log-level') as LogLevel,
    dataDir: text('data-dir'),
    stateDir: text('state-dir'),
    bindAddress: address('bind-address', text('bind-address')),
    port: port('https-listen-port', values['https-listen-port']),
    advertiseAddress: address('advertise-address', optional('advertise-address') ?? nodeIp),
    tlsSans: list('tls-san'),
    kubeconfig: {
      path: text('write-kubeconfig'),
      mode: octal('write-kubeconfig-mode', text('write-kubeconfig-mode')),
    },
    token: token(optional('token'), optional('token-file')),
    clusterCIDR,
    serviceCIDR,
    nodePorts: portRange('service-node-port-range', text('service-node-port-range')),
    clusterDNS,
    clusterDomain: text('cluster-domain'),
    node: {
      name: nodeName(optional('node-name') ?? hostname().toLowerCase()),
      ip: nodeIp,
      labels: Object.fromEntries(list('node-label').map(label)),
      taints: list('node-taint').map(taint),
    },
    disableAgent: values['disable-agent'] === true,
    containerRuntimeEndpoint: optional('container-runtime-endpoint')?.replace(/^unix:\/\//, ''),
    snapshotter: text('snapshotter'),
    cgroupRoot: text('cgroup-root'),
    disabled: new Set([
      ...list('disable'),
      ...(values['disable-network-policy'] === true ? ['network-policy'] : []),
    ]),
  };
}

function address(flag: string, value: string): string {
  if (!ipaddr.isValid(value))
    throw usageFailure(`--${flag} must be an IP address, not ${JSON.stringify(value)}`);
  return value;
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

function nodeName(value: string): string {
  const wrong = dns1123SubdomainProblems(value);
  if (wrong.length > 0)
    throw usageFailure(`--node-name ${JSON.stringify(value)} is not a valid node name: ${wrong[0]}`);
  return value;
}

function label(value: string): [string, string] {
  const at = value.indexOf('=');
  if (at < 1) throw usageFailure(`--node-label must be key=value, not ${JSON.stringify(value)}`);
  const key = value.slice(0, at);
  // The server would refuse the node that gives itself one, and pods would wait for a node that never comes.
  if (!isAllowedNodeLabel(key))
    throw usageFailure(
      `--node-label ${key}: a node may not give itself labels of kubernetes.io or k8s.io; set it with kubectl label node`,
    );
  return [key, value.slice(at + 1)];
}

function taint(value: string): Taint {
  const match = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(value);
  if (match?.[1] === undefined) {
    throw usageFailure(
      `--node-taint must be key=value:NoSchedule, :PreferNoSchedule or :NoExecute, not ${JSON.stringify(value)}`,
    );
  }
  return { key: match[1], ...(match[2] ? { value: match[2] } : {}), effect: match[3] as Taint['effect'] };
}

function token(value: string | undefined, file: string | undefined): string | undefined {
  if (value !== undefined && file !== undefined) throw usageFailure('give --token or --token-file, not both');
  if (file === undefined) return value;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw usageFailure(`cannot read --token-file ${file}: ${cause instanceof Error ? cause.message : cause}`);
  }
}
