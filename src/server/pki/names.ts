import { isIP } from 'node:net';
import type { AlternativeNames } from '../../lib/pki/names.ts';
import { ipBytes, ipText } from '../../lib/pki/names.ts';

export interface ServingNameOptions {
  readonly hostname: string;
  /** Addresses of this host. */
  readonly addresses: readonly string[];
  /** `--tls-san`: names and addresses. */
  readonly extra: readonly string[];
  readonly clusterDomain: string;
  /** Address of the `kubernetes` Service, such as 10.43.0.1. */
  readonly serviceIps: readonly string[];
}

/** Everything the API server may be called, sorted, without repetitions. */
export function servingNames(options: ServingNameOptions): AlternativeNames {
  const all = [
    'localhost',
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    `kubernetes.default.svc.${options.clusterDomain}`,
    options.hostname,
    '127.0.0.1',
    '::1',
    ...options.serviceIps,
    ...options.addresses,
    ...options.extra,
  ].filter((name) => name !== '');
  const isAddress = (name: string): boolean => isIP(name) !== 0;
  const ips = all.filter(isAddress).map((ip) => ipText(ipBytes(ip)));
  const dnsNames = all
    .filter((name) => !isAddress(name) && isDnsName(name))
    .map((name) => name.toLowerCase());
  return { dnsNames: [...new Set(dnsNames)].sort(), ips: [...new Set(ips)].sort() };
}

/** What may stand in a certificate; anything else (a host name with `_`) is left out rather than making it unusable. */
const isDnsName = (name: string): boolean =>
  name.length <= 253 &&
  /^(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/.test(name);
