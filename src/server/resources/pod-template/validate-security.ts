import { forbiddenField, invalidValue, notSupported, required } from '../../../api/field-errors.ts';
import type { FieldError } from '../../../api/status.ts';
import type {
  AppArmorProfile,
  PodSecurityContext,
  PodSpec,
  SeccompProfile,
  SecurityContext,
} from '../../../api/types.gen.ts';
import { inRange, MAX_INT32 } from '../field-checks.ts';
import { localDescendingPath } from './validate-mounts.ts';

const SYSCTL = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;

export function validateContainerSecurity(context: SecurityContext | undefined, path: string): FieldError[] {
  if (context === undefined) return [];
  const errors: FieldError[] = [
    ...identity(context.runAsUser, `${path}.runAsUser`),
    ...identity(context.runAsGroup, `${path}.runAsGroup`),
    ...validateSeccomp(context.seccompProfile, `${path}.seccompProfile`),
    ...validateAppArmor(context.appArmorProfile, `${path}.appArmorProfile`),
  ];
  if (context.allowPrivilegeEscalation === false) {
    const field = `${path}.allowPrivilegeEscalation`;
    if (context.privileged) {
      errors.push(
        invalidValue(
          path,
          context,
          'cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
        ),
      );
    }
    if (context.capabilities?.add?.includes('CAP_SYS_ADMIN')) {
      errors.push(
        invalidValue(
          field,
          false,
          'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
        ),
      );
    }
  }
  return errors;
}

const identity = (value: number | undefined, field: string): FieldError[] =>
  inRange(field, value, 0, MAX_INT32);

function validateSeccomp(profile: SeccompProfile | undefined, path: string): FieldError[] {
  if (profile === undefined) return [];
  const { type, localhostProfile } = profile;
  if (type === 'Localhost') {
    return localhostProfile
      ? localDescendingPath(localhostProfile, `${path}.localhostProfile`)
      : [required(`${path}.localhostProfile`, 'must be set when seccomp type is Localhost')];
  }
  if (localhostProfile !== undefined) {
    return [
      invalidValue(
        `${path}.localhostProfile`,
        localhostProfile,
        'can only be set when seccomp type is Localhost',
      ),
    ];
  }
  return type === '' ? [required(`${path}.type`, 'type is required when seccompProfile is set')] : [];
}

function validateAppArmor(profile: AppArmorProfile | undefined, path: string): FieldError[] {
  if (profile === undefined) return [];
  const { type, localhostProfile } = profile;
  const field = `${path}.localhostProfile`;
  if (type === 'Localhost') {
    if (!localhostProfile) return [required(field, 'must be set when AppArmor type is Localhost')];
    return localhostProfile.trim() === localhostProfile
      ? []
      : [invalidValue(field, localhostProfile, 'must not be padded with whitespace')];
  }
  if (type !== 'RuntimeDefault' && type !== 'Unconfined') {
    return type
      ? [notSupported(`${path}.type`, type, ['Localhost', 'RuntimeDefault', 'Unconfined'])]
      : [required(`${path}.type`, 'type is required when appArmorProfile is set')];
  }
  return localhostProfile === undefined
    ? []
    : [invalidValue(field, localhostProfile, 'can only be set when AppArmor type is Localhost')];
}

/** `spec.securityContext`, and the host namespaces that go with it. */
export function validatePodSecurity(spec: PodSpec, specPath: string): FieldError[] {
  const path = `${specPath}.securityContext`;
  const context: PodSecurityContext = spec.securityContext ?? {};
  const errors: FieldError[] = [
    ...identity(context.fsGroup, `${path}.fsGroup`),
    ...identity(context.runAsUser, `${path}.runAsUser`),
    ...identity(context.runAsGroup, `${path}.runAsGroup`),
    ...(context.supplementalGroups ?? []).flatMap((group, at) =>
      identity(group, `${path}.supplementalGroups[${at}]`),
    ),
    ...validateSeccomp(context.seccompProfile, `${path}.seccompProfile`),
    ...validateAppArmor(context.appArmorProfile, `${path}.appArmorProfile`),
    ...validateSysctls(spec, path),
  ];
  if (spec.shareProcessNamespace && spec.hostPID) {
    errors.push(
      invalidValue(
        `${specPath}.shareProcessNamespace`,
        true,
        'ShareProcessNamespace and HostPID cannot both be enabled',
      ),
    );
  }
  if (spec.hostUsers === false) {
    for (const field of ['hostNetwork', 'hostPID', 'hostIPC'] as const) {
      if (spec[field]) errors.push(forbiddenField(`${specPath}.${field}`, 'when `hostUsers` is false'));
    }
  }
  return errors;
}

function validateSysctls(spec: PodSpec, path: string): FieldError[] {
  const seen = new Set<string>();
  return (spec.securityContext?.sysctls ?? []).flatMap(({ name }, at) => {
    const field = `${path}.sysctls[${at}].name`;
    if (!name) return [required(field)];
    const errors: FieldError[] = [];
    if (name.length > 253 || !SYSCTL.test(name)) {
      errors.push(
        invalidValue(field, name, `must have at most 253 characters and match regex ${SYSCTL.source}`),
      );
    } else if (seen.has(name)) {
      errors.push({
        field,
        reason: 'FieldValueDuplicate',
        message: `Duplicate value: ${JSON.stringify(name)}`,
      });
    }
    seen.add(name);
    if (spec.hostNetwork && name.startsWith('net.')) {
      errors.push(invalidValue(field, name, "may not be specified when 'hostNetwork' is true"));
    }
    if (
      spec.hostIPC &&
      (name.startsWith('kernel.shm') ||
        name.startsWith('kernel.msg') ||
        name === 'kernel.sem' ||
        name.startsWith('fs.mqueue.'))
    ) {
      errors.push(invalidValue(field, name, "may not be specified when 'hostIPC' is true"));
    }
    return errors;
  });
}
