import { isIP } from 'node:net';
import {
  duplicate,
  IMMUTABLE,
  invalidValue,
  notSupported,
  required,
  tooMany,
} from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  labelKeyProblems,
  labelValueProblems,
} from '../../../api/names.ts';
import { endpointSlices } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { Endpoint, EndpointSlice } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';
import { domainName, eachOf, ipAddress, ordinaryAddress, problemsOf } from '../field-checks.ts';

const SHOWN = 3;
const MAX_ENDPOINTS = 1000;
const MAX_PORTS = 20_000;
const MAX_ADDRESSES = 100;
const MAX_HINTS = 8;
const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6'];
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const CONTROLLER = 'endpointslice-controller.k8s.io';

/** The first few, and how many there are besides. */
function shorten(all: readonly string[], none: string): string {
  if (all.length === 0) return none;
  const list = all.slice(0, SHOWN).join(',');
  return all.length > SHOWN ? `${list} + ${all.length - SHOWN} more...` : list;
}

function portsText({ ports }: EndpointSlice): string {
  return shorten(
    (ports ?? []).map(({ name, port }) => (port === undefined ? name || '*' : String(port))),
    '<unset>',
  );
}

function endpointsText({ endpoints }: EndpointSlice): string {
  return shorten(
    (endpoints ?? []).flatMap(({ addresses }) => addresses),
    '<unset>',
  );
}

type AddressCheck = (field: string, value: string) => FieldError[];

/** What an address must be; those of types that nobody knows are not looked at. */
function addressCheck(slice: EndpointSlice): AddressCheck {
  switch (slice.addressType) {
    case 'IPv4':
      return ofFamily(4, ipCheck(slice));
    case 'IPv6':
      return ofFamily(6, ipCheck(slice));
    case 'FQDN':
      return domainName;
    default:
      return () => [];
  }
}

/**
 * A board without a network has no other address than its own, and its controllers and its server say so; for
 * everybody else an address leads to the same place from everywhere.
 */
function ipCheck({ metadata }: EndpointSlice): AddressCheck {
  const isServers = metadata.namespace === 'default' && metadata.name === 'kubernetes';
  return isServers || metadata.labels?.[MANAGED_BY] === CONTROLLER ? ipAddress : ordinaryAddress;
}

const MAPPED = /^::ffff:\d+\.\d+\.\d+\.\d+$/i;

const ofFamily =
  (family: 4 | 6, check: AddressCheck): AddressCheck =>
  (field, value) => {
    // An IPv4 address in the form of the other family is one all the same, as upstream reads it.
    const found = MAPPED.test(value) ? 4 : isIP(value);
    const wrong = found !== 0 && found !== family;
    return [
      ...(wrong ? [invalidValue(field, value, `must be an IPv${family} address`)] : []),
      ...check(field, value),
    ];
  };

function validateEndpoint(endpoint: Endpoint, path: string, address: AddressCheck): FieldError[] {
  const { addresses = [], hostname, nodeName, hints } = endpoint;
  const errors: FieldError[] = [];
  if (addresses.length === 0) errors.push(required(`${path}.addresses`, 'must contain at least 1 address'));
  if (addresses.length > MAX_ADDRESSES) {
    errors.push(tooMany(`${path}.addresses`, addresses.length, MAX_ADDRESSES));
  }
  errors.push(...eachOf(addresses, `${path}.addresses`, (value, at) => address(at, value)));
  if (nodeName !== undefined)
    errors.push(...problemsOf(`${path}.nodeName`, nodeName, dns1123SubdomainProblems));
  errors.push(
    ...validateHints(hints?.forZones, `${path}.hints.forZones`, labelValueProblems),
    ...validateHints(hints?.forNodes, `${path}.hints.forNodes`, dns1123SubdomainProblems),
  );
  if (hostname !== undefined) errors.push(...problemsOf(`${path}.hostname`, hostname, dns1123LabelProblems));
  return errors;
}

function validateHints(
  hints: readonly { readonly name: string }[] = [],
  path: string,
  problems: (value: string) => readonly string[],
): FieldError[] {
  if (hints.length > MAX_HINTS) return [tooMany(path, hints.length, MAX_HINTS)];
  const names = new Set<string>();
  return eachOf(hints, path, ({ name }, at) => {
    const repeated = names.has(name) ? [duplicate(`${at}.name`, name)] : [];
    names.add(name);
    return [...repeated, ...problemsOf(`${at}.name`, name, problems)];
  });
}

/** Endpoints that an update leaves alone may be as an older server let them in. */
function validateSlice(slice: EndpointSlice, old?: EndpointSlice): FieldError[] {
  const { addressType, ports } = slice;
  const endpoints = old && equalJson(slice.endpoints, old.endpoints) ? [] : slice.endpoints;
  const address = addressCheck(slice);
  const errors: FieldError[] = [];
  if (!addressType) errors.push(required('addressType'));
  else if (!ADDRESS_TYPES.includes(addressType)) {
    errors.push(notSupported('addressType', addressType, ADDRESS_TYPES));
  }
  if ((endpoints?.length ?? 0) > MAX_ENDPOINTS)
    errors.push(tooMany('endpoints', endpoints?.length ?? 0, MAX_ENDPOINTS));
  if ((ports?.length ?? 0) > MAX_PORTS) errors.push(tooMany('ports', ports?.length ?? 0, MAX_PORTS));
  const names = new Set<string>();
  errors.push(
    ...eachOf(endpoints, 'endpoints', (endpoint, at) => validateEndpoint(endpoint, at, address)),
    ...eachOf(ports, 'ports', ({ name = '', protocol, appProtocol }, at) => {
      const found = name ? problemsOf(`${at}.name`, name, dns1123LabelProblems) : [];
      if (names.has(name)) found.push(duplicate(`${at}.name`, name));
      names.add(name);
      if (!protocol) found.push(required(`${at}.protocol`));
      if (appProtocol) found.push(...problemsOf(`${at}.appProtocol`, appProtocol, labelKeyProblems));
      return found;
    }),
  );
  return errors;
}

export const endpointSlice: ResourceDefinition<EndpointSlice> = {
  resource: endpointSlices,
  singular: 'endpointslice',
  columns: [
    nameColumn,
    textColumn('AddressType', 'Kind of its addresses.', ({ addressType }: EndpointSlice) => addressType),
    textColumn('Ports', 'Ports of every endpoint.', portsText),
    textColumn('Endpoints', 'Addresses behind the service.', endpointsText),
    ageColumn,
  ],
  strategy: {
    hasGeneration: true,
    default: ({ ports }) => {
      for (const port of ports ?? []) {
        port.name ??= '';
        port.protocol ??= 'TCP';
      }
    },
    validateNew: (object) => validateSlice(object),
    validateUpdate: (object, old) => [
      ...validateSlice(object, old),
      ...(object.addressType === old.addressType
        ? []
        : [invalidValue('addressType', object.addressType, IMMUTABLE)]),
    ],
  },
};
