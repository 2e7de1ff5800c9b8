import { isIP } from 'node:net';
import { invalidValue, notSupported, required } from '../../../api/field-errors.ts';
import {
  dns1035LabelProblems,
  dns1123SubdomainProblems,
  portNameProblems,
  wildcardDns1123SubdomainProblems,
} from '../../../api/names.ts';
import { ingresses } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { HTTPIngressPath, Ingress, IngressBackend, IngressRule } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, orNone, textColumn } from '../columns.ts';
import { loadBalancerText } from '../core/service-columns.ts';
import { eachOf, portNumber, problemsOf } from '../field-checks.ts';

const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';
const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix'];
const SHOWN_HOSTS = 3;

function hosts({ spec }: Ingress): string {
  const rules = spec?.rules ?? [];
  const named = rules.slice(0, SHOWN_HOSTS).flatMap(({ host }) => (host ? [host] : []));
  if (named.length === 0) return '*';
  const list = named.join(',');
  return rules.length > SHOWN_HOSTS ? `${list} + ${rules.length - SHOWN_HOSTS} more...` : list;
}

function validateBackend(backend: IngressBackend, path: string): FieldError[] {
  const { service, resource } = backend;
  if (service && resource) {
    return [invalidValue(path, '', 'cannot set both resource and service backends')];
  }
  if (resource) {
    return [
      ...(resource.kind ? [] : [required(`${path}.resource.kind`)]),
      ...(resource.name ? [] : [required(`${path}.resource.name`)]),
    ];
  }
  if (!service) return [invalidValue(path, '', 'resource or service backend is required')];
  const errors = service.name
    ? problemsOf(`${path}.service.name`, service.name, dns1035LabelProblems)
    : [required(`${path}.service.name`)];
  const { name, number } = service.port ?? {};
  if (name && number) errors.push(invalidValue(path, '', 'cannot set both port name & port number'));
  else if (name) errors.push(...problemsOf(`${path}.service.port.name`, name, portNameProblems));
  else if (number) errors.push(...portNumber(`${path}.service.port.number`, number));
  else errors.push(required(path, 'port name or number is required'));
  return errors;
}

function validatePath({ path = '', pathType, backend }: HTTPIngressPath, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!pathType) errors.push(required(`${field}.pathType`, 'pathType must be specified'));
  else if (!PATH_TYPES.includes(pathType))
    errors.push(notSupported(`${field}.pathType`, pathType, PATH_TYPES));
  else if (pathType !== 'ImplementationSpecific' || path !== '') {
    if (!path.startsWith('/')) errors.push(invalidValue(`${field}.path`, path, 'must be an absolute path'));
    if (pathType !== 'ImplementationSpecific') {
      for (const bad of ['//', '/./', '/../', '%2f', '%2F']) {
        if (path.includes(bad)) errors.push(invalidValue(`${field}.path`, path, `must not contain '${bad}'`));
      }
      for (const bad of ['/..', '/.']) {
        if (path.endsWith(bad)) errors.push(invalidValue(`${field}.path`, path, `cannot end with '${bad}'`));
      }
    }
  }
  return [...errors, ...validateBackend(backend ?? {}, `${field}.backend`)];
}

function validateHost(host: string, field: string): FieldError[] {
  if (isIP(host)) return [invalidValue(field, host, 'must be a DNS name, not an IP address')];
  return problemsOf(
    field,
    host,
    host.includes('*') ? wildcardDns1123SubdomainProblems : dns1123SubdomainProblems,
  );
}

function validateRule({ host, http }: IngressRule, path: string): FieldError[] {
  const errors = host ? validateHost(host, `${path}.host`) : [];
  if (http === undefined) return errors;
  if (!http.paths?.length) return [...errors, required(`${path}.http.paths`)];
  return [...errors, ...eachOf(http.paths, `${path}.http.paths`, validatePath)];
}

function validateIngress({ metadata, spec }: Ingress): FieldError[] {
  const errors: FieldError[] = [];
  const { rules = [], defaultBackend, tls, ingressClassName } = spec ?? {};
  if (rules.length === 0 && !defaultBackend) {
    errors.push(invalidValue('spec', rules, 'either `defaultBackend` or `rules` must be specified'));
  }
  errors.push(
    ...eachOf(rules, 'spec.rules', validateRule),
    ...(defaultBackend ? validateBackend(defaultBackend, 'spec.defaultBackend') : []),
    ...eachOf(tls, 'spec.tls', (one, at) => [
      ...eachOf(one.hosts, `${at}.hosts`, (host, field) =>
        problemsOf(
          field,
          host,
          host.includes('*') ? wildcardDns1123SubdomainProblems : dns1123SubdomainProblems,
        ),
      ),
      ...(one.secretName ? problemsOf(`${at}.secretName`, one.secretName, dns1123SubdomainProblems) : []),
    ]),
  );
  if (ingressClassName !== undefined) {
    errors.push(...problemsOf('spec.ingressClassName', ingressClassName, dns1123SubdomainProblems));
    if (metadata.annotations?.[CLASS_ANNOTATION] !== undefined && metadata.generation === 1) {
      errors.push(
        invalidValue(
          `annotations.${CLASS_ANNOTATION}`,
          metadata.annotations[CLASS_ANNOTATION],
          'can not be set when the class field is also set',
        ),
      );
    }
  }
  return errors;
}

export const ingress: ResourceDefinition<Ingress> = {
  resource: ingresses,
  singular: 'ingress',
  shortNames: ['ing'],
  columns: [
    nameColumn,
    textColumn('Class', 'Which controller serves it.', ({ metadata, spec }: Ingress) =>
      orNone(spec?.ingressClassName ?? metadata.annotations?.[CLASS_ANNOTATION]),
    ),
    textColumn('Hosts', 'Hosts that requests are matched against.', hosts),
    textColumn('Address', 'Where it is reached.', ({ status }: Ingress) =>
      loadBalancerText(status?.loadBalancer),
    ),
    textColumn('Ports', 'Ports that are open.', ({ spec }: Ingress) =>
      spec?.tls?.length ? '80, 443' : '80',
    ),
    ageColumn,
  ],
  strategy: {
    validate: validateIngress,
    warnings: ({ metadata }, old) =>
      old === undefined && metadata.annotations?.[CLASS_ANNOTATION] !== undefined
        ? [`annotation "${CLASS_ANNOTATION}" is deprecated, please use 'spec.ingressClassName' instead`]
        : [],
  },
  subresources: [{ name: 'status' }],
};
