import { forbiddenField, invalidValue, notSupported, required } from '../../../api/field-errors.ts';
import { formatLabelSelector, validateLabelSelector } from '../../../api/labels.ts';
import { networkPolicies } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';
import { cidr, eachOf, portNumber, portNumberOrName } from '../field-checks.ts';

function validatePort({ port, endPort, protocol }: NetworkPolicyPort, path: string): FieldError[] {
  const errors = port === undefined ? [] : portNumberOrName(`${path}.port`, port);
  if (protocol !== undefined && !['TCP', 'UDP', 'SCTP'].includes(protocol)) {
    errors.push(notSupported(`${path}.protocol`, protocol, ['SCTP', 'TCP', 'UDP']));
  }
  if (endPort === undefined) return errors;
  if (port === undefined)
    errors.push(required(`${path}.port`, 'must be specified if the `endPort` field is set'));
  else if (typeof port === 'string')
    errors.push(required(`${path}.port`, 'must be a numeric value if the `endPort` field is set'));
  else if (endPort < port)
    errors.push(invalidValue(`${path}.endPort`, endPort, 'must be greater than or equal to `port`'));
  return [...errors, ...portNumber(`${path}.endPort`, endPort)];
}

function validateBlock(block: IPBlock, path: string): FieldError[] {
  if (!block.cidr) return [required(`${path}.cidr`)];
  const errors = cidr(`${path}.cidr`, block.cidr);
  if (errors.length > 0) return errors;
  return eachOf(block.except, `${path}.except`, (one, at) => {
    const found = cidr(at, one);
    if (found.length === 0 && !isStrictlyInside(one, block.cidr)) {
      found.push(invalidValue(at, one, 'must be a strict subset of `cidr`'));
    }
    return found;
  });
}

/** Both are valid CIDRs; other families than IPv4 are compared by text only. */
function isStrictlyInside(inner: string, outer: string): boolean {
  const [innerIp = '', innerBits] = inner.split('/');
  const [outerIp = '', outerBits] = outer.split('/');
  if (innerIp.includes(':') !== outerIp.includes(':')) return false;
  if (Number(innerBits) <= Number(outerBits)) return false;
  if (innerIp.includes(':')) return true;
  const shift = 2 ** (32 - Number(outerBits));
  const number = (ip: string): number => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  return Math.floor(number(innerIp) / shift) === Math.floor(number(outerIp) / shift);
}

function validatePeer(
  { podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer,
  path: string,
): FieldError[] {
  const errors = [
    ...validateLabelSelector(podSelector, `${path}.podSelector`),
    ...validateLabelSelector(namespaceSelector, `${path}.namespaceSelector`),
    ...(ipBlock ? validateBlock(ipBlock, `${path}.ipBlock`) : []),
  ];
  const selects = podSelector !== undefined || namespaceSelector !== undefined;
  if (!selects && !ipBlock) errors.push(required(path, 'must specify a peer'));
  else if (selects && ipBlock) {
    errors.push(forbiddenField(path, 'may not specify both ipBlock and another peer'));
  }
  return errors;
}

function validatePolicy({ spec }: NetworkPolicy): FieldError[] {
  const errors = [
    ...validateLabelSelector(spec?.podSelector, 'spec.podSelector'),
    ...eachOf(spec?.ingress, 'spec.ingress', (rule, at) => [
      ...eachOf(rule.ports, `${at}.ports`, validatePort),
      ...eachOf(rule.from, `${at}.from`, validatePeer),
    ]),
    ...eachOf(spec?.egress, 'spec.egress', (rule, at) => [
      ...eachOf(rule.ports, `${at}.ports`, validatePort),
      ...eachOf(rule.to, `${at}.to`, validatePeer),
    ]),
  ];
  const types = spec?.policyTypes ?? [];
  if (types.length > 2) {
    errors.push(invalidValue('spec.policyTypes', types, 'may not specify more than two policyTypes'));
  }
  return errors;
}

export const networkPolicy: ResourceDefinition<NetworkPolicy> = {
  resource: networkPolicies,
  singular: 'networkpolicy',
  shortNames: ['netpol'],
  columns: [
    nameColumn,
    textColumn('Pod-Selector', 'Pods that it applies to.', ({ spec }: NetworkPolicy) =>
      formatLabelSelector(spec?.podSelector ?? {}),
    ),
    ageColumn,
  ],
  strategy: {
    default: ({ spec }) => {
      if (spec === undefined) return;
      for (const { ports } of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
        for (const port of ports ?? []) port.protocol ??= 'TCP';
      }
      // Said nothing: it is about incoming traffic, and about outgoing if there are rules for that.
      if (!spec.policyTypes?.length)
        spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
    },
    validate: validatePolicy,
  },
};
