import { endpointSlices, services } from '../../api/resources.gen.ts';
import type { EndpointSlice, Service } from '../../api/types.gen.ts';
import type { InformerFactory } from '../../client/informer.ts';

/** What the resolver looks up; kept up to date by informers, so that a question costs no scan. */
export interface ServiceView {
  readonly synced: boolean;
  service(namespace: string, name: string): Service | undefined;
  slices(namespace: string, name: string): readonly EndpointSlice[];
  hasNamespace(namespace: string): boolean;
  /** The Service whose cluster IP this is. */
  byClusterIP(ip: string): Service | undefined;
  /** Services with an endpoint of this address. */
  byEndpointIP(ip: string): readonly Service[];
}

export class ServiceIndex implements ServiceView {
  readonly #services;
  readonly #slices;
  readonly #unsubscribe: readonly (() => void)[];
  readonly #slicesOf = new Map<string, Map<string, EndpointSlice>>();
  readonly #namespaces = new Map<string, number>();
  readonly #clusterIPs = new Map<string, string>();
  readonly #endpointIPs = new Map<string, Map<string, number>>();

  constructor(informers: InformerFactory) {
    this.#services = informers.for(services, { keep: { as: 'services' } });
    this.#slices = informers.for(endpointSlices, { keep: { as: 'endpointslices' } });
    this.#unsubscribe = [
      this.#services.onChange({
        add: (service) => this.#addService(service),
        update: (service, old) => {
          this.#removeService(old);
          this.#addService(service);
        },
        delete: (service) => this.#removeService(service),
      }),
      this.#slices.onChange({
        add: (slice) => this.#addSlice(slice),
        update: (slice, old) => {
          this.#removeSlice(old);
          this.#addSlice(slice);
        },
        delete: (slice) => this.#removeSlice(slice),
      }),
    ];
  }

  get synced(): boolean {
    return this.#services.hasSynced && this.#slices.hasSynced;
  }
  service(namespace: string, name: string): Service | undefined {
    return this.#services.store.get(namespace, name);
  }
  slices(namespace: string, name: string): readonly EndpointSlice[] {
    return [...(this.#slicesOf.get(`${namespace}/${name}`)?.values() ?? [])];
  }
  hasNamespace(namespace: string): boolean {
    return this.#namespaces.has(namespace);
  }
  byClusterIP(ip: string): Service | undefined {
    return this.#byKey(this.#clusterIPs.get(ip));
  }
  byEndpointIP(ip: string): readonly Service[] {
    return [...(this.#endpointIPs.get(ip)?.keys() ?? [])].flatMap((key) => this.#byKey(key) ?? []);
  }
  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  #byKey(key: string | undefined): Service | undefined {
    const [namespace, name] = key?.split('/') ?? [];
    return namespace && name ? this.service(namespace, name) : undefined;
  }

  #addService(service: Service): void {
    const { namespace = '', name = '' } = service.metadata;
    this.#namespaces.set(namespace, (this.#namespaces.get(namespace) ?? 0) + 1);
    for (const ip of clusterIPsOf(service)) this.#clusterIPs.set(ip, `${namespace}/${name}`);
  }

  #removeService(service: Service): void {
    const { namespace = '', name = '' } = service.metadata;
    decrement(this.#namespaces, namespace);
    for (const ip of clusterIPsOf(service)) {
      if (this.#clusterIPs.get(ip) === `${namespace}/${name}`) this.#clusterIPs.delete(ip);
    }
  }

  #addSlice(slice: EndpointSlice): void {
    const key = serviceKey(slice);
    const ofService = this.#slicesOf.get(key) ?? new Map<string, EndpointSlice>();
    this.#slicesOf.set(key, ofService.set(slice.metadata.name ?? '', slice));
    for (const ip of addressesOf(slice)) {
      const owners = this.#endpointIPs.get(ip) ?? new Map<string, number>();
      this.#endpointIPs.set(ip, owners.set(key, (owners.get(key) ?? 0) + 1));
    }
  }

  #removeSlice(slice: EndpointSlice): void {
    const key = serviceKey(slice);
    const ofService = this.#slicesOf.get(key);
    ofService?.delete(slice.metadata.name ?? '');
    if (ofService?.size === 0) this.#slicesOf.delete(key);
    for (const ip of addressesOf(slice)) {
      const owners = this.#endpointIPs.get(ip);
      if (!owners) continue;
      decrement(owners, key);
      if (owners.size === 0) this.#endpointIPs.delete(ip);
    }
  }
}

export function clusterIPsOf({ spec }: Service): readonly string[] {
  const all = spec?.clusterIPs?.length ? spec.clusterIPs : [spec?.clusterIP ?? ''];
  return all.filter((ip) => ip !== '' && ip !== 'None');
}

function serviceKey({ metadata }: EndpointSlice): string {
  return `${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name'] ?? ''}`;
}

const addressesOf = ({ endpoints }: EndpointSlice): readonly string[] =>
  (endpoints ?? []).flatMap(({ addresses }) => addresses);

function decrement(counts: Map<string, number>, key: string): void {
  const count = (counts.get(key) ?? 1) - 1;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
