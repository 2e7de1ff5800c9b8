import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import ipaddr from 'ipaddr.js';
import { dns1123SubdomainProblems } from '../../api/names.ts';
import type { Taint } from '../../api/types.gen.ts';
import { parseJoinToken } from '../../lib/join-token.ts';
import { errorText, type LogLevel } from '../../lib/log.ts';
import { isAllowedNodeLabel } from '../../server/admission/node-labels.ts';
import { usageFailure } from '../failure.ts';
import type { FlagValues } from '../flag.ts';
import { defaultAddress } from './default-address.ts';

/** What every command that stays running needs (`GENERAL_FLAGS`). */
export interface GeneralConfig {
  readonly logLevel: LogLevel;
  readonly dataDir: string;
  readonly stateDir: string;
}

/** Where CNI plugins are looked for, in this order. */
export const CNI_BIN_DIRS: readonly string[] = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni'];

/** One board that runs pods, checked: what `kedge server` and `kedge agent` have in common (`NODE_FLAGS`). */
export interface NodeConfig extends GeneralConfig {
  readonly name: string;
  readonly ip: string;
  /** Somebody wants this address; else it is that of the default route, and may change. */
  readonly isIpGiven: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly containerRuntimeEndpoint: string | undefined;
  readonly snapshotter: string;
  readonly cgroupRoot: string;
  /** Parts not to run: `dns`, `service-proxy`, `network-policy`. */
  readonly disabled: ReadonlySet<string>;
}

/** Checks the values and fills in what the machine knows. Throws a `Failure` naming the flag. */
export function nodeConfig(values: FlagValues): NodeConfig {
  return {
    logLevel: textFlag(values, 'log-level') as LogLevel,
    dataDir: textFlag(values, 'data-dir'),
    stateDir: textFlag(values, 'state-dir'),
    name: nodeName(optionalFlag(values, 'node-name') ?? hostname().toLowerCase()),
    ip: addressFlag('node-ip', optionalFlag(values, 'node-ip') ?? defaultAddress()),
    isIpGiven: optionalFlag(values, 'node-ip') !== undefined,
    labels: Object.fromEntries(listFlag(values, 'node-label').map(label)),
    taints: listFlag(values, 'node-taint').map(taint),
    containerRuntimeEndpoint: optionalFlag(values, 'container-runtime-endpoint')?.replace(/^unix:\/\//, ''),
    snapshotter: textFlag(values, 'snapshotter'),
    cgroupRoot: textFlag(values, 'cgroup-root'),
    disabled: new Set([
      ...listFlag(values, 'disable'),
      ...(values['disable-network-policy'] === true ? ['network-policy'] : []),
    ]),
  };
}

export const textFlag = (values: FlagValues, name: string): string => String(values[name] ?? '');
export const optionalFlag = (values: FlagValues, name: string): string | undefined =>
  values[name] === undefined ? undefined : String(values[name]);
export function listFlag(values: FlagValues, name: string): readonly string[] {
  const value = values[name];
  return Array.isArray(value) ? value : [];
}

export function addressFlag(flag: string, value: string): string {
  if (!ipaddr.isValid(value))
    throw usageFailure(`--${flag} must be an IP address, not ${JSON.stringify(value)}`);
  return value;
}

/** The value of `--<flag>`, or what the file of `--<flag>-file` holds: a join token or a secret that can be one. */
export function tokenFlag(values: FlagValues, flag: string): string | undefined {
  const value = optionalFlag(values, flag);
  const file = optionalFlag(values, `${flag}-file`);
  if (value !== undefined && file !== undefined)
    throw usageFailure(`give --${flag} or --${flag}-file, not both`);
  const token = file === undefined ? value : readSecret(`--${flag}-file`, file);
  if (token === undefined) return undefined;
  try {
    parseJoinToken(token);
    return token;
  } catch (cause) {
    throw usageFailure(`--${flag}${file === undefined ? '' : `-file ${file}`} ${errorText(cause)}`);
  }
}

function readSecret(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw usageFailure(`cannot read ${flag} ${file}: ${errorText(cause)}`);
  }
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
