import {
  duplicate,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../../api/field-errors.ts';
import { validateLabels } from '../../../api/labels.ts';
import { dns1123LabelProblems, dns1123SubdomainProblems, labelKeyProblems } from '../../../api/names.ts';
import type { FieldError } from '../../../api/status.ts';
import type { Service, ServicePort, ServiceSpec } from '../../../api/types.gen.ts';
import {
  cidr,
  eachOf,
  ipAddress,
  ordinaryAddress,
  portNumber,
  portNumberOrName,
  problemsOf,
} from '../field-checks.ts';

const DAY_SECONDS = 86_400;

export function validateService(service: Service): FieldError[] {
  const { spec } = service;
  if (spec === undefined) return [required('spec.ports')];
  return [
    ...validateType(spec),
    ...validatePorts(spec),
    ...validateLabels(spec.selector, 'spec.selector'),
    ...validateAffinity(spec),
    ...validateAddresses(spec),
    ...validateFamilies(spec),
    ...validateTraffic(spec),
  ];
}

const isHeadless = ({ clusterIP }: ServiceSpec): boolean => clusterIP === 'None';

function validateType(spec: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  const { type, externalName } = spec;
  if (type === 'LoadBalancer' && isHeadless(spec)) {
    errors.push(
      invalidValue('spec.clusterIPs[0]', 'None', "may not be set to 'None' for LoadBalancer services"),
    );
  }
  if (type === 'NodePort' && isHeadless(spec)) {
    errors.push(invalidValue('spec.clusterIPs[0]', 'None', "may not be set to 'None' for NodePort services"));
  }
  if (type !== 'ExternalName') return errors;
  for (const field of ['clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const) {
    if (spec[field]?.length) {
      errors.push(forbiddenField(`spec.${field}`, 'may not be set for ExternalName services'));
    }
  }
  if (externalName)
    errors.push(
      ...problemsOf('spec.externalName', externalName.replace(/\.$/, ''), dns1123SubdomainProblems),
    );
  else errors.push(required('spec.externalName'));
  return errors;
}

function validatePorts(spec: ServiceSpec): FieldError[] {
  const { ports = [], type } = spec;
  const errors: FieldError[] = [];
  if (ports.length === 0 && !isHeadless(spec) && type !== 'ExternalName') errors.push(required('spec.ports'));
  const names = new Set<string>();
  const pairs = new Set<string>();
  const nodePorts = new Set<string>();
  errors.push(
    ...eachOf(ports, 'spec.ports', (port, at) => {
      const found = [
        ...validatePortName(port, at, names, ports.length > 1),
        ...validatePortNumbers(port, at),
      ];
      const pair = `${port.protocol}/${port.port}`;
      if (pairs.has(pair)) found.push(duplicate(at, { protocol: port.protocol, port: port.port }));
      pairs.add(pair);
      if (!port.nodePort) return found;
      if (type === 'ClusterIP' || type === 'ExternalName') {
        found.push(forbiddenField(`${at}.nodePort`, `may not be used when \`type\` is '${type}'`));
      }
      const nodePair = `${port.protocol}/${port.nodePort}`;
      if (nodePorts.has(nodePair)) found.push(duplicate(`${at}.nodePort`, port.nodePort));
      nodePorts.add(nodePair);
      return found;
    }),
  );
  return errors;
}

function validatePortName(
  { name }: ServicePort,
  path: string,
  names: Set<string>,
  needed: boolean,
): FieldError[] {
  if (!name) return needed ? [required(`${path}.name`)] : [];
  const errors = problemsOf(`${path}.name`, name, dns1123LabelProblems);
  if (names.has(name)) errors.push(duplicate(`${path}.name`, name));
  names.add(name);
  return errors;
}

function validatePortNumbers(port: ServicePort, path: string): FieldError[] {
  const errors = portNumber(`${path}.port`, port.port);
  if (port.targetPort !== undefined) errors.push(...portNumberOrName(`${path}.targetPort`, port.targetPort));
  if (port.appProtocol) errors.push(...problemsOf(`${path}.appProtocol`, port.appProtocol, labelKeyProblems));
  return errors;
}

function validateAffinity(spec: ServiceSpec): FieldError[] {
  const { sessionAffinity, sessionAffinityConfig } = spec;
  if (sessionAffinity !== 'ClientIP') return [];
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
  const field = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds';
  return seconds === undefined || seconds < 1 || seconds > DAY_SECONDS
    ? [invalidValue(field, seconds ?? null, `must be greater than 0 and less than ${DAY_SECONDS}`)]
    : [];
}

function validateAddresses(spec: ServiceSpec): FieldError[] {
  const { clusterIP, clusterIPs = [], type } = spec;
  const errors: FieldError[] = [];
  if (type !== 'ExternalName') {
    if (!clusterIP && clusterIPs.length > 0) {
      errors.push(
        invalidValue('spec.clusterIPs', clusterIPs, 'must be empty when `clusterIP` is not specified'),
      );
    }
    if (clusterIP && clusterIPs.length > 0 && clusterIPs[0] !== clusterIP) {
      errors.push(invalidValue('spec.clusterIPs', clusterIPs, 'first value must match `clusterIP`'));
    }
    if (clusterIPs.length > 2) {
      errors.push(invalidValue('spec.clusterIPs', clusterIPs, 'may only hold up to 2 values'));
    }
    clusterIPs.forEach((ip, at) => {
      if (ip === 'None') {
        if (clusterIPs.length > 1) {
          errors.push(invalidValue('spec.clusterIPs', clusterIPs, "'None' must be the first and only value"));
        }
      } else errors.push(...ipAddress(`spec.clusterIPs[${at}]`, ip));
    });
  }
  for (const [at, ip] of (spec.externalIPs ?? []).entries()) {
    errors.push(...ordinaryAddress(`spec.externalIPs[${at}]`, ip));
  }
  return errors;
}

/** One family is configured; a headless service without selector describes whatever its owner knows. */
function validateFamilies(spec: ServiceSpec): FieldError[] {
  const { ipFamilies = [], ipFamilyPolicy, selector, type } = spec;
  if (type === 'ExternalName') return [];
  if (isHeadless(spec) && Object.keys(selector ?? {}).length === 0) return [];
  const errors = ipFamilies.flatMap((family, at) =>
    family === 'IPv6'
      ? [invalidValue(`spec.ipFamilies[${at}]`, family, 'not configured on this cluster')]
      : [],
  );
  if (ipFamilyPolicy === 'RequireDualStack') {
    errors.push(
      invalidValue(
        'spec.ipFamilyPolicy',
        ipFamilyPolicy,
        'this cluster is not configured for dual-stack services',
      ),
    );
  }
  return errors;
}

function validateTraffic(spec: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  const { type, externalTrafficPolicy, externalIPs, trafficDistribution, loadBalancerSourceRanges } = spec;
  const external =
    type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && Boolean(externalIPs?.length));
  if (externalTrafficPolicy && !external) {
    errors.push(
      invalidValue(
        'spec.externalTrafficPolicy',
        externalTrafficPolicy,
        'may only be set for externally-accessible services',
      ),
    );
  }
  const needsHealth = type === 'LoadBalancer' && externalTrafficPolicy === 'Local';
  if (spec.healthCheckNodePort && !needsHealth) {
    const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    errors.push(invalidValue('spec.healthCheckNodePort', spec.healthCheckNodePort, why));
  }
  const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
  if (trafficDistribution !== undefined && !distributions.includes(trafficDistribution)) {
    errors.push(notSupported('spec.trafficDistribution', trafficDistribution, distributions));
  }
  if (loadBalancerSourceRanges?.length) {
    if (type !== 'LoadBalancer') {
      errors.push(
        forbiddenField('spec.LoadBalancerSourceRanges', "may only be used when `type` is 'LoadBalancer'"),
      );
    }
    errors.push(
      ...eachOf(loadBalancerSourceRanges, 'spec.LoadBalancerSourceRanges', (range, at) =>
        cidr(at, range.trim()),
      ),
    );
  }
  for (const field of ['allocateLoadBalancerNodePorts', 'loadBalancerClass'] as const) {
    if (spec[field] !== undefined && type !== 'LoadBalancer') {
      errors.push(forbiddenField(`spec.${field}`, "may only be used when `type` is 'LoadBalancer'"));
    }
  }
  if (spec.loadBalancerClass)
    errors.push(...problemsOf('spec.loadBalancerClass', spec.loadBalancerClass, labelKeyProblems));
  return errors;
}

/** The address stays for life, unless the service stops or starts having one. */
export function validateServiceUpdate(service: Service, old: Service): FieldError[] {
  const errors: FieldError[] = [];
  const spec = service.spec as ServiceSpec;
  const before = old.spec as ServiceSpec;
  if (spec.type !== 'ExternalName' && before.type !== 'ExternalName') {
    const first = before.clusterIPs?.[0] ?? before.clusterIP;
    if (first && first !== (spec.clusterIPs?.[0] ?? spec.clusterIP)) {
      errors.push(invalidValue('spec.clusterIPs[0]', spec.clusterIPs ?? null, 'may not change once set'));
    }
    const family = before.ipFamilies?.[0];
    if (family && family !== spec.ipFamilies?.[0]) {
      errors.push(invalidValue('spec.ipFamilies[0]', spec.ipFamilies ?? null, 'may not change once set'));
    }
  }
  if (
    spec.type === 'LoadBalancer' &&
    before.type === 'LoadBalancer' &&
    spec.loadBalancerClass !== before.loadBalancerClass
  ) {
    errors.push(
      invalidValue('spec.loadBalancerClass', spec.loadBalancerClass ?? null, 'may not change once set'),
    );
  }
  return errors;
}
