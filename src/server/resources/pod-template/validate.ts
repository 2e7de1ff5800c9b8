import { forbiddenField, invalidValue, required } from '../../../api/field-errors.ts';
import { validateLabels } from '../../../api/labels.ts';
import { dns1123LabelProblems, dns1123SubdomainProblems, labelKeyProblems } from '../../../api/names.ts';
import type { FieldError } from '../../../api/status.ts';
import type { PodDNSConfig, PodSpec, PodTemplateSpec } from '../../../api/types.gen.ts';
import { eachOf, inRange, ipAddress, MAX_INT32, problemsOf } from '../field-checks.ts';
import {
  type ContainerRules,
  validateContainer,
  validateEphemeralContainer,
  validateInitContainer,
} from './validate-container.ts';
import { validateResources } from './validate-resources.ts';
import { validateScheduling } from './validate-scheduling.ts';
import { validatePodSecurity } from './validate-security.ts';
import { validateVolumes } from './validate-volume.ts';

/** A template inside a workload. `path` is that of the template, such as `spec.template`. */
export function validatePodTemplate(template: PodTemplateSpec | undefined, path: string): FieldError[] {
  const { metadata, spec } = template ?? {};
  const errors = [
    ...validateLabels(metadata?.labels, `${path}.labels`),
    ...Object.keys(metadata?.annotations ?? {}).flatMap((key) =>
      problemsOf(`${path}.annotations`, key.toLowerCase(), labelKeyProblems),
    ),
  ];
  errors.push(...validatePodSpec(spec ?? { containers: [] }, `${path}.spec`));
  if (spec?.ephemeralContainers?.length) {
    errors.push(
      forbiddenField(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'),
    );
  }
  return errors;
}

/** Upstream's ValidatePodSpec. */
export function validatePodSpec(spec: PodSpec, path: string): FieldError[] {
  return [
    ...validateVolumes(spec.volumes, `${path}.volumes`),
    ...validateContainers(spec, path),
    ...validateIdentity(spec, path),
    ...validateNetwork(spec, path),
    ...validateScheduling(spec, path),
    ...validatePodSecurity(spec, path),
    ...validateResources(spec.resources, `${path}.resources`),
  ];
}

function validateContainers(spec: PodSpec, path: string): FieldError[] {
  const rules: ContainerRules = {
    volumes: new Map((spec.volumes ?? []).map((volume) => [volume.name, volume])),
    claims: new Set((spec.resourceClaims ?? []).map(({ name }) => name)),
    hostNetwork: spec.hostNetwork ?? false,
    graceSeconds: spec.terminationGracePeriodSeconds,
    taken: new Set(),
  };
  const errors: FieldError[] = [];
  if (!spec.containers?.length) errors.push(required(`${path}.containers`));
  errors.push(
    ...eachOf(spec.containers, `${path}.containers`, (container, at) =>
      validateContainer(container, at, rules),
    ),
    ...hostPortConflicts(spec, path),
    ...eachOf(spec.initContainers, `${path}.initContainers`, (container, at) => [
      ...validateContainer(container, at, rules),
      ...validateInitContainer(container, at),
    ]),
  );
  const others = new Set(rules.taken);
  errors.push(
    ...eachOf(spec.ephemeralContainers, `${path}.ephemeralContainers`, (container, at) => [
      ...validateContainer(container, at, rules),
      ...validateEphemeralContainer(container, at, others),
    ]),
  );
  return errors;
}

/** Two containers of a pod cannot listen on the same port of the host. */
function hostPortConflicts(spec: PodSpec, path: string): FieldError[] {
  const taken = new Set<string>();
  return eachOf(spec.containers, `${path}.containers`, (container, at) =>
    eachOf(container.ports, `${at}.ports`, ({ hostPort, hostIP = '', protocol }, port) => {
      if (!hostPort) return [];
      const key = `${protocol}/${hostIP}/${hostPort}`;
      const isTaken = taken.has(key);
      taken.add(key);
      return isTaken
        ? [
            {
              field: `${port}.hostPort`,
              reason: 'FieldValueDuplicate',
              message: `Duplicate value: ${JSON.stringify(key)}`,
            },
          ]
        : [];
    }),
  );
}

function validateIdentity(spec: PodSpec, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const names = [
    ['serviceAccountName', dns1123SubdomainProblems],
    ['nodeName', dns1123SubdomainProblems],
    ['priorityClassName', dns1123SubdomainProblems],
    ['runtimeClassName', dns1123SubdomainProblems],
    ['hostname', dns1123LabelProblems],
    ['subdomain', dns1123LabelProblems],
  ] as const;
  for (const [field, check] of names) {
    const value = spec[field];
    if (value) errors.push(...problemsOf(`${path}.${field}`, value, check));
  }
  errors.push(
    ...eachOf(spec.imagePullSecrets, `${path}.imagePullSecrets`, ({ name }, at) =>
      name ? [] : [required(`${at}.name`)],
    ),
    ...inRange(`${path}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, 1, MAX_INT32),
    ...eachOf(spec.readinessGates, `${path}.readinessGates`, ({ conditionType }, at) =>
      problemsOf(`${at}.conditionType`, conditionType, labelKeyProblems),
    ),
  );
  return errors;
}

function validateNetwork(spec: PodSpec, path: string): FieldError[] {
  const errors = eachOf(spec.hostAliases, `${path}.hostAliases`, ({ ip, hostnames }, at) => [
    ...ipAddress(`${at}.ip`, ip),
    ...eachOf(hostnames, `${at}.hostnames`, (name) =>
      problemsOf(`${at}.hostnames`, name, dns1123SubdomainProblems),
    ),
  ]);
  return [...errors, ...validateDns(spec.dnsConfig, spec.dnsPolicy, `${path}.dnsConfig`)];
}

const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARS = 2048;

function validateDns(
  config: PodDNSConfig | undefined,
  policy: string | undefined,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  const { nameservers = [], searches = [], options = [] } = config ?? {};
  if (policy === 'None') {
    if (config === undefined) {
      return [required(path, 'must provide `dnsConfig` when `dnsPolicy` is None')];
    }
    if (nameservers.length === 0) {
      return [
        required(`${path}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None'),
      ];
    }
  }
  if (nameservers.length > MAX_NAMESERVERS) {
    errors.push(
      invalidValue(
        `${path}.nameservers`,
        nameservers,
        `must not have more than ${MAX_NAMESERVERS} nameservers`,
      ),
    );
  }
  nameservers.forEach((server, at) => {
    errors.push(...ipAddress(`${path}.nameservers[${at}]`, server));
  });
  if (searches.length > MAX_SEARCHES) {
    errors.push(
      invalidValue(`${path}.searches`, searches, `must not have more than ${MAX_SEARCHES} search paths`),
    );
  }
  if (searches.join(' ').length > MAX_SEARCH_CHARS) {
    const why = `must not have more than ${MAX_SEARCH_CHARS} characters (including spaces) in the search list`;
    errors.push(invalidValue(`${path}.searches`, searches, why));
  }
  searches.forEach((search, at) => {
    // `.` alone and a dot at the end are absolute names.
    const plain = search === '.' ? '' : search.replace(/\.$/, '').replace(/^_/, '');
    if (plain) errors.push(...problemsOf(`${path}.searches[${at}]`, plain, dns1123SubdomainProblems));
  });
  options.forEach(({ name }, at) => {
    if (!name) errors.push(required(`${path}.options[${at}]`));
  });
  return errors;
}
