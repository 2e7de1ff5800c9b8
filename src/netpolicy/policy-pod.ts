import type { Container, Namespace, Pod } from '../api/types.gen.ts';
import type { PolicyPod, PolicyPodPort, Protocol } from './model.ts';

/** A pod as policies see it, or nothing when it is in the host's network, has ended or has no address yet. */
export function policyPod(
  pod: Pod,
  { nodeName, ips = addressesOf(pod) }: { readonly nodeName: string; readonly ips?: readonly string[] },
): PolicyPod | undefined {
  const { metadata, spec, status } = pod;
  const hasEnded = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  if (spec?.hostNetwork === true || hasEnded || ips.length === 0) return undefined;
  return {
    namespace: metadata.namespace ?? '',
    labels: metadata.labels ?? {},
    ips,
    ports: namedPorts(pod),
    isLocal: spec?.nodeName === nodeName,
  };
}

/** The resolver of the node is no pod here, but manifests that let pods reach it name the usual one. */
export function resolverPod(ips: readonly string[]): PolicyPod {
  return {
    namespace: 'kube-system',
    labels: { 'k8s-app': 'kube-dns' },
    ips,
    ports: [
      { name: 'dns', protocol: 'udp', port: 53 },
      { name: 'dns-tcp', protocol: 'tcp', port: 53 },
    ],
    isLocal: false,
  };
}

/** Keeps of a pod what policies look at: agents hold every pod of the cluster while there are policies. */
export function slimPod({ apiVersion, kind, metadata, spec, status }: Pod): Pod {
  const { name, namespace, uid, labels, resourceVersion } = metadata;
  return {
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(kind === undefined ? {} : { kind }),
    metadata: given({ name, namespace, uid, labels, resourceVersion }),
    spec: {
      ...given({ nodeName: spec?.nodeName, hostNetwork: spec?.hostNetwork }),
      containers: (spec?.containers ?? []).flatMap(slimContainer),
      initContainers: (spec?.initContainers ?? []).flatMap(slimContainer),
    },
    status: given({ phase: status?.phase, podIP: status?.podIP, podIPs: status?.podIPs }),
  };
}

export function slimNamespace({ metadata }: Namespace): Namespace {
  const { name, uid, labels, resourceVersion } = metadata;
  return { metadata: given({ name, uid, labels, resourceVersion }) };
}

/** Whether policies may mean something else for the pod now. Both come from `slimPod`. */
export function podChanged(before: Pod, after: Pod): boolean {
  const seen = ({ metadata, spec, status }: Pod): string =>
    JSON.stringify([metadata.uid, metadata.labels, spec, status]);
  return seen(before) !== seen(after);
}

function addressesOf({ status }: Pod): readonly string[] {
  const ips = (status?.podIPs ?? []).map(({ ip }) => ip);
  return ips.length > 0 ? ips : status?.podIP ? [status.podIP] : [];
}

/** Containers and those init containers that keep running beside them. */
function namedPorts({ spec }: Pod): readonly PolicyPodPort[] {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...(spec?.containers ?? []), ...sidecars].flatMap(({ ports = [] }) =>
    ports.flatMap(({ name, protocol = 'TCP', containerPort }) =>
      name ? [{ name, protocol: protocol.toLowerCase() as Protocol, port: containerPort }] : [],
    ),
  );
}

function slimContainer({ name, ports, restartPolicy }: Container): readonly Container[] {
  const named = (ports ?? []).filter((port) => port.name);
  return named.length === 0
    ? []
    : [{ name, ports: named, ...(restartPolicy === undefined ? {} : { restartPolicy }) }];
}

/** Without what is undefined. */
function given<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
