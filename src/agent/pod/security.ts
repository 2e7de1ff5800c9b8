import type { Container, EphemeralContainer, Pod, SeccompProfile } from '../../api/types.gen.ts';
import type { ContainerSecurity } from '../../runtime/port.ts';

/** A container that may not be created as its spec and image are: `CreateContainerConfigError`. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly reason: string;
  constructor(message: string, reason = 'CreateContainerConfigError', options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Pod and container security context joined: the container's word wins. `imageUser` is the image's `User`. */
export function containerSecurity(
  pod: Pod,
  container: Container | EphemeralContainer,
  imageUser: string,
): ContainerSecurity {
  const podLevel = pod.spec?.securityContext ?? {};
  const own = container.securityContext ?? {};
  const privileged = own.privileged === true;
  const runAsUser = own.runAsUser ?? podLevel.runAsUser;
  const runAsGroup = own.runAsGroup ?? podLevel.runAsGroup;
  const nonRoot = own.runAsNonRoot ?? podLevel.runAsNonRoot ?? false;
  if (nonRoot) verifyNonRoot(pod, container, runAsUser, imageUser);
  const groups = new Set(podLevel.supplementalGroups ?? []);
  if (podLevel.fsGroup !== undefined) groups.add(podLevel.fsGroup);
  return {
    privileged,
    ...(runAsUser === undefined ? {} : { runAsUser }),
    ...(runAsGroup === undefined ? {} : { runAsGroup }),
    ...(nonRoot ? { runAsNonRoot: true } : {}),
    supplementalGroups: [...groups],
    readOnlyRootFilesystem: own.readOnlyRootFilesystem === true,
    allowPrivilegeEscalation: own.allowPrivilegeEscalation ?? true,
    addCapabilities: own.capabilities?.add ?? [],
    dropCapabilities: own.capabilities?.drop ?? [],
    seccomp: seccomp(own.seccompProfile ?? podLevel.seccompProfile, privileged),
  };
}

function seccomp(profile: SeccompProfile | undefined, privileged: boolean): ContainerSecurity['seccomp'] {
  if (profile === undefined || privileged) return 'Unconfined';
  if (profile.type === 'Localhost') return { localhostPath: profile.localhostProfile ?? '' };
  return profile.type === 'RuntimeDefault' ? 'RuntimeDefault' : 'Unconfined';
}

/** Upstream's `verifyRunAsNonRoot`, its three messages included. */
function verifyNonRoot(
  pod: Pod,
  container: Container | EphemeralContainer,
  runAsUser: number | undefined,
  imageUser: string,
): void {
  const where = `(pod: "${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})", container: ${container.name})`;
  if (runAsUser !== undefined) {
    if (runAsUser === 0) throw new ConfigError(`container's runAsUser breaks non-root policy ${where}`);
    return;
  }
  const user = imageUser.split(':')[0] ?? '';
  if (user === '' || /^0+$/.test(user))
    throw new ConfigError(`container has runAsNonRoot and image will run as root ${where}`);
  if (!/^\d+$/.test(user))
    throw new ConfigError(
      `container has runAsNonRoot and image has non-numeric user (${user}), cannot verify user is non-root ${where}`,
    );
}
