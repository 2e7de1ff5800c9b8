import type { Pod } from '../../api/types.gen.ts';
import type { PortMapping, SandboxConfig } from '../../runtime/port.ts';
import { kernelHostname, podNames } from '../files/hosts.ts';
import type { AgentSettings } from '../settings.ts';
import { podCgroup } from './qos.ts';

/** What the runtime needs to make the pod's namespaces and network. */
export function sandboxConfig(pod: Pod, settings: AgentSettings): SandboxConfig {
  const { spec, metadata } = pod;
  const names = podNames(pod, settings.clusterDomain, settings.nodeHostname);
  const hostNetwork = spec?.hostNetwork === true;
  const sysctls = spec?.securityContext?.sysctls ?? [];
  return {
    uid: metadata.uid ?? '',
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    hostname: kernelHostname(pod, names),
    hostNetwork,
    hostIPC: spec?.hostIPC === true,
    hostPID: spec?.hostPID === true,
    ports: hostNetwork ? [] : portMappings(pod),
    sysctls: Object.fromEntries(sysctls.map(({ name, value }) => [name, value])),
    cgroupParent: podCgroup(pod, settings.cgroupRoot),
  };
}

function portMappings(pod: Pod): readonly PortMapping[] {
  const sidecars = (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...sidecars, ...(pod.spec?.containers ?? [])].flatMap(({ ports }) =>
    (ports ?? [])
      .filter(({ hostPort }) => hostPort !== undefined && hostPort > 0)
      .map(({ containerPort, hostPort = 0, hostIP, protocol }) => ({
        containerPort,
        hostPort,
        ...(hostIP ? { hostIP } : {}),
        protocol: (protocol ?? 'TCP') as PortMapping['protocol'],
      })),
  );
}
