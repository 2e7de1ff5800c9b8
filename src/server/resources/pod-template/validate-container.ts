import {
  duplicate,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../../api/field-errors.ts';
import {
  configMapKeyProblems,
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  envVarNameProblems,
  inclusiveRange,
  portNameProblems,
} from '../../../api/names.ts';
import type { FieldError } from '../../../api/status.ts';
import type {
  Container,
  ContainerPort,
  EnvFromSource,
  EnvVar,
  EnvVarSource,
  EphemeralContainer,
} from '../../../api/types.gen.ts';
import { eachOf, inRange, problemsOf } from '../field-checks.ts';
import { type VolumeNames, validateMounts } from './validate-mounts.ts';
import { validateProbes } from './validate-probe.ts';
import { validateResources } from './validate-resources.ts';
import { validateContainerSecurity } from './validate-security.ts';

export interface ContainerRules {
  readonly volumes: VolumeNames;
  readonly claims: ReadonlySet<string>;
  readonly hostNetwork: boolean;
  readonly graceSeconds: number | undefined;
  /** Names used by containers seen before; each container adds its own. */
  readonly taken: Set<string>;
}

/** Everything that all kinds of containers share. */
export function validateContainer(
  container: Container | EphemeralContainer,
  path: string,
  rules: ContainerRules,
): FieldError[] {
  const errors: FieldError[] = [];
  const { name, image } = container;
  if (!name) errors.push(required(`${path}.name`));
  else {
    errors.push(...problemsOf(`${path}.name`, name, dns1123LabelProblems));
    if (rules.taken.has(name)) errors.push(duplicate(`${path}.name`, name));
    rules.taken.add(name);
  }
  if (!image) errors.push(required(`${path}.image`));
  else if (image.trim() !== image) {
    errors.push(invalidValue(`${path}.image`, image, 'must not have leading or trailing whitespace'));
  }
  errors.push(
    ...validatePorts(container.ports, `${path}.ports`, rules.hostNetwork),
    ...validateEnv(container.env, `${path}.env`),
    ...eachOf(container.envFrom, `${path}.envFrom`, validateEnvFrom),
    ...validateMounts(container, path, rules.volumes),
    ...validateProbes(container, path, rules.graceSeconds),
    ...validateResources(container.resources, `${path}.resources`, rules.claims),
    ...validateContainerSecurity(container.securityContext, `${path}.securityContext`),
  );
  return errors;
}

function validatePorts(
  ports: readonly ContainerPort[] | undefined,
  path: string,
  hostNetwork: boolean,
): FieldError[] {
  const names = new Set<string>();
  return eachOf(ports, path, ({ name, containerPort, hostPort }, at) => {
    const errors: FieldError[] = [];
    if (name) {
      const problems = problemsOf(`${at}.name`, name, portNameProblems);
      errors.push(...problems);
      if (problems.length === 0) {
        if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
        else names.add(name);
      }
    }
    if (!containerPort) errors.push(required(`${at}.containerPort`));
    else errors.push(...inRange(`${at}.containerPort`, containerPort, 1, 65535));
    if (hostPort) {
      if (hostPort < 1 || hostPort > 65535) {
        errors.push(invalidValue(`${at}.hostPort`, hostPort, inclusiveRange(1, 65535)));
      } else if (hostNetwork && hostPort !== containerPort) {
        errors.push(
          invalidValue(`${at}.hostPort`, hostPort, 'must match `containerPort` when `hostNetwork` is true'),
        );
      }
    }
    return errors;
  });
}

function validateEnv(env: readonly EnvVar[] | undefined, path: string): FieldError[] {
  return eachOf(env, path, ({ name, value, valueFrom }, at) => {
    const errors = name ? problemsOf(`${at}.name`, name, envVarNameProblems) : [required(`${at}.name`)];
    return valueFrom === undefined
      ? errors
      : [...errors, ...validateEnvSource(valueFrom, value, `${at}.valueFrom`)];
  });
}

/** Fields of the pod that a variable may show. */
const ENV_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
const RESOURCE_FIELDS = [
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.ephemeral-storage',
];

function validateEnvSource(source: EnvVarSource, value: string | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = source;
  if (fieldRef) errors.push(...validateFieldRef(fieldRef, `${path}.fieldRef`, ENV_FIELDS));
  if (resourceFieldRef)
    errors.push(...validateResourceField(resourceFieldRef.resource, `${path}.resourceFieldRef`));
  if (configMapKeyRef) errors.push(...validateKeyRef(configMapKeyRef, `${path}.configMapKeyRef`));
  if (secretKeyRef) errors.push(...validateKeyRef(secretKeyRef, `${path}.secretKeyRef`));
  const given = [fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef].filter(
    (one) => one !== undefined,
  );
  if (given.length === 0) {
    const choice =
      'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`';
    errors.push(invalidValue(path, '', choice));
  } else if (value) {
    errors.push(invalidValue(path, '', 'may not be specified when `value` is not empty'));
  } else if (given.length > 1) {
    errors.push(invalidValue(path, '', 'may not have more than one field specified at a time'));
  }
  return errors;
}

/** `metadata.labels['app']` is as good as the plain paths in `supported`. */
export function validateFieldRef(
  { apiVersion, fieldPath }: { apiVersion?: string; fieldPath: string },
  path: string,
  supported: readonly string[],
): FieldError[] {
  if (!apiVersion) return [required(`${path}.apiVersion`)];
  if (!fieldPath) return [required(`${path}.fieldPath`)];
  if (/^metadata\.(labels|annotations)\['[^']+'\]$/.test(fieldPath)) return [];
  if (!/^(metadata|spec|status)\.\w+$/.test(fieldPath)) {
    return [
      invalidValue(
        `${path}.fieldPath`,
        fieldPath,
        `error converting fieldPath: field label not supported: ${fieldPath}`,
      ),
    ];
  }
  return supported.includes(fieldPath) ? [] : [notSupported(`${path}.fieldPath`, fieldPath, supported)];
}

export function validateResourceField(resource: string, path: string): FieldError[] {
  if (!resource) return [required(`${path}.resource`)];
  const known = RESOURCE_FIELDS.includes(resource) || /^(limits|requests)\.hugepages-/.test(resource);
  return known ? [] : [notSupported(`${path}.resource`, resource, RESOURCE_FIELDS)];
}

function validateKeyRef({ name, key }: { name?: string; key: string }, path: string): FieldError[] {
  const errors = name ? problemsOf(`${path}.name`, name, dns1123SubdomainProblems) : [];
  if (!key) errors.push(required(`${path}.key`));
  else errors.push(...problemsOf(`${path}.key`, key, configMapKeyProblems));
  return errors;
}

function validateEnvFrom({ prefix, configMapRef, secretRef }: EnvFromSource, path: string): FieldError[] {
  const errors = prefix ? problemsOf(`${path}.prefix`, prefix, envVarNameProblems) : [];
  for (const [field, reference] of [
    ['configMapRef', configMapRef],
    ['secretRef', secretRef],
  ] as const) {
    if (reference === undefined) continue;
    if (!reference.name) errors.push(required(`${path}.${field}.name`));
    else errors.push(...problemsOf(`${path}.${field}.name`, reference.name, dns1123SubdomainProblems));
  }
  if (!configMapRef && !secretRef) {
    errors.push(invalidValue(path, '', 'must specify one of: `configMapRef` or `secretRef`'));
  } else if (configMapRef && secretRef) {
    errors.push(invalidValue(path, '', 'may not have more than one field specified at a time'));
  }
  return errors;
}

/** Init containers end before the pod starts, so nothing that needs a running one applies, sidecars excepted. */
export function validateInitContainer(container: Container, path: string): FieldError[] {
  if (container.restartPolicy === 'Always') return [];
  const forbidden = 'may not be set for init containers without restartPolicy=Always';
  return (['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const)
    .filter((field) => container[field] !== undefined)
    .map((field) => forbiddenField(`${path}.${field}`, forbidden));
}

/** Ephemeral containers are for debugging: no ports, probes or resources. */
export function validateEphemeralContainer(
  container: EphemeralContainer,
  path: string,
  otherNames: ReadonlySet<string>,
): FieldError[] {
  const errors: FieldError[] = [];
  const { targetContainerName } = container;
  if (targetContainerName && !otherNames.has(targetContainerName)) {
    errors.push({
      field: `${path}.targetContainerName`,
      reason: 'FieldValueNotFound',
      message: `Not found: ${JSON.stringify(targetContainerName)}`,
    });
  }
  for (const field of [
    'ports',
    'livenessProbe',
    'readinessProbe',
    'startupProbe',
    'lifecycle',
    'resizePolicy',
  ] as const) {
    if (container[field] !== undefined) {
      errors.push(forbiddenField(`${path}.${field}`, 'cannot be set for an Ephemeral Container'));
    }
  }
  if (container.resources?.limits || container.resources?.requests) {
    errors.push(forbiddenField(`${path}.resources`, 'cannot be set for an Ephemeral Container'));
  }
  (container.volumeMounts ?? []).forEach((mount, at) => {
    const why = 'cannot be set for an Ephemeral Container';
    if (mount.subPath) errors.push(forbiddenField(`${path}.volumeMounts[${at}].subPath`, why));
    if (mount.subPathExpr) errors.push(forbiddenField(`${path}.volumeMounts[${at}].subPathExpr`, why));
  });
  return errors;
}
