import { required } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { dns1123LabelProblems, dns1123SubdomainProblems } from '../../../api/names.ts';
import { endpoints as endpointsResource } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { EndpointAddress, EndpointSubset, Endpoints } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';
import { eachOf, ipAddress, ordinaryAddress, portNumber, problemsOf } from '../field-checks.ts';

const SHOWN = 3;

/** `10.42.0.5:80,10.42.0.6:80 + 2 more...` */
function formatEndpoints({ subsets }: Endpoints): string {
  const all = (subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => bracketed(ip))
      : ports.flatMap(({ port }) => addresses.map(({ ip }) => `${bracketed(ip)}:${port}`)),
  );
  if (all.length === 0) return '<none>';
  const list = all.slice(0, SHOWN).join(',');
  return all.length > SHOWN ? `${list} + ${all.length - SHOWN} more...` : list;
}

const bracketed = (ip: string): string => (ip.includes(':') ? `[${ip}]` : ip);

function validateAddress(
  { ip, hostname, nodeName }: EndpointAddress,
  path: string,
  check: typeof ipAddress,
): FieldError[] {
  return [
    ...check(`${path}.ip`, ip),
    ...(hostname ? problemsOf(`${path}.hostname`, hostname, dns1123LabelProblems) : []),
    ...(nodeName === undefined ? [] : problemsOf(`${path}.nodeName`, nodeName, dns1123SubdomainProblems)),
  ];
}

function validateSubset(subset: EndpointSubset, path: string, check: typeof ipAddress): FieldError[] {
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
  const errors: FieldError[] = [];
  if (addresses.length + notReadyAddresses.length === 0) {
    errors.push(required(path, 'must specify `addresses` or `notReadyAddresses`'));
  }
  errors.push(
    ...eachOf(addresses, `${path}.addresses`, (one, at) => validateAddress(one, at, check)),
    ...eachOf(notReadyAddresses, `${path}.notReadyAddresses`, (one, at) => validateAddress(one, at, check)),
    ...eachOf(ports, `${path}.ports`, ({ name, port }, at) => [
      ...(name
        ? problemsOf(`${at}.name`, name, dns1123LabelProblems)
        : ports.length > 1
          ? [required(`${at}.name`)]
          : []),
      ...portNumber(`${at}.port`, port),
    ]),
  );
  return errors;
}

function validateSubsets({ metadata, subsets }: Endpoints): FieldError[] {
  // See EndpointSlice: a board without a network has no other address than its own.
  const isServers = metadata.namespace === 'default' && metadata.name === 'kubernetes';
  const isControllers = metadata.labels?.['endpoints.kubernetes.io/managed-by'] === 'endpoint-controller';
  const check = isServers || isControllers ? ipAddress : ordinaryAddress;
  return eachOf(subsets, 'subsets', (one, at) => validateSubset(one, at, check));
}

export const endpoints: ResourceDefinition<Endpoints> = {
  resource: endpointsResource,
  singular: 'endpoints',
  deprecation: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  shortNames: ['ep'],
  columns: [nameColumn, textColumn('Endpoints', 'Addresses behind the service.', formatEndpoints), ageColumn],
  strategy: {
    hasGeneration: false,
    allowCreateOnUpdate: true,
    default: ({ subsets }) => {
      for (const { ports } of subsets ?? []) for (const port of ports ?? []) port.protocol ||= 'TCP';
    },
    validateNew: validateSubsets,
    // What an older server let in stays as it is, until somebody changes it.
    validateUpdate: (object, old) => (equalJson(object.subsets, old.subsets) ? [] : validateSubsets(object)),
  },
};
