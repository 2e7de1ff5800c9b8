import type { ObjectMeta, PodSpec, PodTemplateSpec } from '../../../api/types.gen.ts';

const OLD_NODE_LABELS: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
};

/** `Warning:` texts about a pod spec that works but probably not as meant (upstream's pkg/api/pod/warnings.go). */
export function podSpecWarnings(spec: PodSpec, metadata: ObjectMeta | undefined, path: string): string[] {
  const warnings: string[] = [];
  for (const key of Object.keys(spec.nodeSelector ?? {})) {
    const better = Object.hasOwn(OLD_NODE_LABELS, key) ? OLD_NODE_LABELS[key] : undefined;
    if (better)
      warnings.push(`${path}.nodeSelector[${key}]: deprecated since v1.14; use "${better}" instead`);
  }
  for (const key of Object.keys(metadata?.annotations ?? {})) {
    if (
      key.startsWith('container.seccomp.security.alpha.kubernetes.io/') ||
      key === 'seccomp.security.alpha.kubernetes.io/pod'
    ) {
      warnings.push(
        `metadata.annotations[${key}]: non-functional in v1.27+; use the "seccompProfile" field instead`,
      );
    }
  }
  (spec.volumes ?? []).forEach((volume, at) => {
    if (volume.gitRepo)
      warnings.push(`${path}.volumes[${at}].gitRepo: deprecated in v1.11, and disabled by default in v1.33+`);
  });
  warnings.push(...repeatedNames(spec, path), ...duplicateEnv(spec, path));
  const { terminationGracePeriodSeconds } = spec;
  if (terminationGracePeriodSeconds !== undefined && terminationGracePeriodSeconds < 0) {
    warnings.push(
      `${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`,
    );
  }
  return warnings;
}

export function podTemplateWarnings(template: PodTemplateSpec | undefined, path: string): string[] {
  return template?.spec === undefined
    ? []
    : podSpecWarnings(template.spec, template.metadata, `${path}.spec`);
}

function repeatedNames(spec: PodSpec, path: string): string[] {
  const seen = new Set<string>();
  return (spec.imagePullSecrets ?? []).flatMap(({ name }, at) => {
    const where = `${path}.imagePullSecrets[${at}].name`;
    if (!name) return [`${where}: invalid empty name ""`];
    if (seen.has(name)) return [`${where}: duplicate name "${name}"`];
    seen.add(name);
    return [];
  });
}

function duplicateEnv(spec: PodSpec, path: string): string[] {
  const warnings: string[] = [];
  for (const [list, containers] of [
    ['initContainers', spec.initContainers],
    ['containers', spec.containers],
  ] as const) {
    (containers ?? []).forEach((container, at) => {
      const seen = new Map<string, number>();
      (container.env ?? []).forEach(({ name }, index) => {
        const first = seen.get(name);
        if (first === undefined) seen.set(name, index);
        else {
          const where = `${path}.${list}[${at}].env`;
          warnings.push(
            `${where}[${index}]: hides previous definition of "${name}", which may be dropped when using apply`,
          );
        }
      });
    });
  }
  return warnings;
}
