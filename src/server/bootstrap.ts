import type { KubeObject, Resource } from '../api/resource.ts';
import * as resources from '../api/resources.gen.ts';
import { isAlreadyExists, isNotFound } from '../api/status.ts';
import type { EndpointSlice, Endpoints, Namespace, PriorityClass, Service } from '../api/types.gen.ts';
import type { Client } from '../client/port.ts';

export interface BootstrapOptions {
  readonly client: Client;
  /** Whether a resource is served at all. */
  readonly serves: (resource: Resource) => boolean;
  /** The first address of the Service range, which belongs to `kubernetes`. */
  readonly kubernetesIP: string;
  /** Where pods reach this server. */
  readonly advertise: { readonly address: string; readonly port: number };
  /** Further objects that must exist, such as default roles; created where they are missing. */
  readonly objects: readonly { readonly resource: Resource; readonly object: KubeObject }[];
  /** The same, but brought up to date where they are there. */
  readonly current: readonly { readonly resource: Resource; readonly object: KubeObject }[];
}

const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'] as const;

/** Creates what every cluster has, where it is missing. Idempotent; safe after a crash anywhere in between. */
export async function bootstrap(options: BootstrapOptions): Promise<void> {
  const { client, serves } = options;
  await Promise.all(NAMESPACES.map((name) => ensure(options, resources.namespaces, namespaceNamed(name))));
  await Promise.all([
    ...options.objects.map(({ resource, object }) => ensure(options, resource, object)),
    ...PRIORITY_CLASSES.map((object) => ensure(options, resources.priorityClasses, object)),
    ensure(options, resources.services, kubernetesService(options)),
  ]);
  await Promise.all(options.current.map(({ resource, object }) => put(client, resource, object)));
  const { address, port } = options.advertise;
  if (serves(resources.endpoints)) await put(client, resources.endpoints, kubernetesEndpoints(address, port));
  if (serves(resources.endpointSlices))
    await put(client, resources.endpointSlices, kubernetesSlice(address, port));
}

async function ensure<T extends KubeObject>(
  { client, serves }: BootstrapOptions,
  resource: Resource<T>,
  object: T,
): Promise<void> {
  if (!serves(resource)) return;
  const { name = '', namespace } = object.metadata;
  try {
    await client.get(resource, { name, namespace });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await client.create(resource, object).catch((cause: unknown) => {
      if (!isAlreadyExists(cause)) throw cause;
    });
  }
}

/** Creates or brings up to date: the server's address may have changed since. */
async function put<T extends KubeObject>(client: Client, resource: Resource<T>, object: T): Promise<void> {
  const { name = '', namespace } = object.metadata;
  try {
    await client.patch(resource, { name, namespace }, { type: 'merge', body: object });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await client.create(resource, object);
  }
}

function namespaceNamed(name: string): Namespace {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

const LABELS = { component: 'apiserver', provider: 'kubernetes' } as const;

function kubernetesService({ kubernetesIP, advertise }: BootstrapOptions): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kubernetes', namespace: 'default', labels: { ...LABELS } },
    spec: {
      type: 'ClusterIP',
      clusterIP: kubernetesIP,
      clusterIPs: [kubernetesIP],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: advertise.port }],
      sessionAffinity: 'None',
    },
  };
}

function kubernetesEndpoints(ip: string, port: number): Endpoints {
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
    },
    subsets: [{ addresses: [{ ip }], ports: [{ name: 'https', port, protocol: 'TCP' }] }],
  };
}

function kubernetesSlice(ip: string, port: number): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': 'kubernetes' },
    },
    addressType: ip.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: [{ addresses: [ip], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  };
}

const PRIORITY_CLASSES: readonly PriorityClass[] = (
  [
    [
      'system-cluster-critical',
      2_000_000_000,
      'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
    ],
    [
      'system-node-critical',
      2_000_001_000,
      'Used for system critical pods that must not be moved from their current node.',
    ],
  ] as const
).map(([name, value, description]) => ({
  apiVersion: 'scheduling.k8s.io/v1',
  kind: 'PriorityClass',
  metadata: { name },
  value,
  description,
  globalDefault: false,
}));
