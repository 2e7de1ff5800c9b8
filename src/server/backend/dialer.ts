import type { Duplex } from 'node:stream';
import type { Resource } from '../../api/resource.ts';
import { endpointSlices, pods, services } from '../../api/resources.gen.ts';
import { apiError, notFound } from '../../api/status.ts';
import type { EndpointSlice, Pod, Service } from '../../api/types.gen.ts';
import type { NodeConnector } from '../../client/node-port.ts';
import { LIMITS } from '../../lib/limits.ts';
import { connectTcp } from '../../lib/tcp.ts';
import { ordinaryAddress } from '../resources/field-checks.ts';
import type { WatchCache } from '../watchcache/port.ts';
import { chooseEndpoint, type ServiceEndpoint, servicePort } from './service-endpoint.ts';

export interface DialerOptions {
  readonly cacheOf: (resource: Pick<Resource, 'group' | 'resource'>) => WatchCache | undefined;
  readonly connector: NodeConnector;
  readonly random?: () => number;
  /** Why an endpoint that is no pod's may not be reached; what leads to this host or its link may not by default. */
  readonly refuses?: (address: string) => string | undefined;
}

const refuseSpecial = (address: string): string | undefined => ordinaryAddress('', address)[0]?.message;

export interface ServiceReference {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

/**
 * Connections from this server to what runs in the cluster. Pods are reached by way of their node's agent, since this
 * server may have no route to them; everything else directly.
 */
export class Dialer {
  readonly #options: DialerOptions;
  readonly #random: () => number;
  readonly #refuses: (address: string) => string | undefined;

  constructor(options: DialerOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#refuses = options.refuses ?? refuseSpecial;
  }

  /** To a ready endpoint of a Service. Rejects with 404 or 503 in upstream's words. */
  async service({ namespace, name, port }: ServiceReference, signal?: AbortSignal): Promise<Duplex> {
    const service = this.#find<Service>(services, namespace, name);
    if (!service) throw notFound({ group: '', resource: 'service' }, name);
    const { name: portName = '' } = servicePort(service, port);
    return this.endpoint(this.chooseEndpoint(service, portName), signal);
  }

  /** One of those that are ready, at random. Throws 503. */
  chooseEndpoint(service: Service, portName: string): ServiceEndpoint {
    const { namespace, name = '' } = service.metadata;
    const slices = this.#options.cacheOf(endpointSlices)?.list({
      namespace,
      matches: ({ labels }) => labels['kubernetes.io/service-name'] === name,
    });
    return chooseEndpoint({
      service,
      slices: (slices ?? []).map((one) => one.object() as EndpointSlice),
      portName,
      random: this.#random,
    });
  }

  /** Rejects with 503 for an address that leads to this host itself, where others listen than in the cluster. */
  async endpoint({ address, port, pod: claimed }: ServiceEndpoint, signal?: AbortSignal): Promise<Duplex> {
    const pod = claimed && this.#find<Pod>(pods, claimed.namespace, claimed.name);
    // Whoever may write slices could name any pod; only the address counts, and it has to be that pod's.
    if (pod?.status?.podIPs?.some(({ ip }) => ip === address)) return this.pod(pod, port, signal);
    const why = this.#refuses(address);
    if (why !== undefined)
      throw apiError('ServiceUnavailable', `endpoint ${JSON.stringify(address)} is not reached: ${why}`);
    return this.address(address, port, signal);
  }

  /** To a port of a pod's own address, through the agent of its node. */
  async pod({ metadata, spec }: Pod, port: number, signal?: AbortSignal): Promise<Duplex> {
    const { namespace = '', name = '', uid = '' } = metadata;
    const { nodeName } = spec ?? {};
    if (!nodeName) throw apiError('ServiceUnavailable', `pod ${name} does not have a host assigned`);
    const node = await this.#options.connector.connect(nodeName);
    const stream = await node.connectPod({ namespace, name, uid }, port, signal);
    // A node in this process has answered although nobody waits any more.
    if (signal?.aborted) stream.destroy();
    signal?.throwIfAborted();
    return stream;
  }

  /** Straight to an address or a name of the host's resolver. */
  address(host: string, port: number, signal?: AbortSignal): Promise<Duplex> {
    return connectTcp({
      host,
      port,
      timeoutMs: LIMITS.backend.connectMs,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  #find<T>(resource: Resource, namespace: string, name: string): T | undefined {
    return this.#options.cacheOf(resource)?.get(namespace, name)?.object() as T | undefined;
  }
}
