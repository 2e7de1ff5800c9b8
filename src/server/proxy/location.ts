import { isIP } from 'node:net';
import type { Resource } from '../../api/resource.ts';
import { endpointSlices, pods, services } from '../../api/resources.gen.ts';
import { apiError, badRequest, notFound } from '../../api/status.ts';
import type { EndpointSlice, Pod, Service } from '../../api/types.gen.ts';
import { chooseEndpoint } from '../backend/service-endpoint.ts';
import type { WatchCache } from '../watchcache/port.ts';

/** The port of a pod that a `proxy` subresource leads to. */
export interface Location {
  readonly pod: Pod;
  readonly address: string;
  readonly port: number;
  readonly isTls: boolean;
}

export interface LocationOptions {
  readonly cacheOf: (resource: Pick<Resource, 'group' | 'resource'>) => WatchCache | undefined;
  readonly random?: () => number;
}

interface Parts {
  readonly scheme: string;
  readonly name: string;
  readonly port: string;
}

/** `name`, `name:port` or `scheme:name:port`; the port may have a name. Throws 400. */
export function splitName(id: string, what: 'pod' | 'service'): Parts {
  const parts = id.split(':');
  const [scheme, name, port] =
    parts.length === 3 ? parts : ['', parts[0], parts.length === 2 ? parts[1] : ''];
  if (parts.length > 3 || !name || !['', 'http', 'https'].includes(scheme ?? ''))
    throw badRequest(`invalid ${what} request ${JSON.stringify(id)}`);
  return { scheme: scheme ?? '', name, port: port ?? '' };
}

/** Where `pods/<id>/proxy` leads. Throws 400 and 404 in upstream's words. */
export function podLocation(namespace: string, id: string, { cacheOf }: LocationOptions): Location {
  const { scheme, name, port } = splitName(id, 'pod');
  const pod = cacheOf(pods)?.get(namespace, name)?.object() as Pod | undefined;
  if (!pod) throw notFound(pods, name);
  const address = pod.status?.podIPs?.[0]?.ip ?? '';
  if (!isUnicast(address)) throw badRequest('address not allowed');
  const isTls = scheme === 'https';
  const declared = pod.spec?.containers.find(({ ports }) => ports?.length)?.ports?.[0]?.containerPort;
  const number = port === '' ? (declared ?? (isTls ? 443 : 80)) : Number(port);
  if (!Number.isInteger(number) || number < 1 || number > 65_535)
    throw apiError('ServiceUnavailable', `error trying to reach service: dial tcp: unknown port tcp/${port}`);
  return { pod, address, port: number, isTls };
}

/** Where `services/<id>/proxy` leads: a ready endpoint that is a pod of the same namespace. Throws 400, 404, 503. */
export function serviceLocation(
  namespace: string,
  id: string,
  { cacheOf, random = Math.random }: LocationOptions,
): Location {
  const { scheme, name, port } = splitName(id, 'service');
  const service = cacheOf(services)?.get(namespace, name)?.object() as Service | undefined;
  if (!service) throw notFound(services, name);
  const slices = cacheOf(endpointSlices)?.list({
    namespace,
    matches: ({ labels }) => labels['kubernetes.io/service-name'] === name,
  });
  const podOf = (pod: { name: string; namespace: string } | undefined): Pod | undefined =>
    pod?.namespace === namespace
      ? (cacheOf(pods)?.get(namespace, pod.name)?.object() as Pod | undefined)
      : undefined;
  const found = chooseEndpoint({
    service,
    slices: (slices ?? []).map((one) => one.object() as EndpointSlice),
    portName: portName(service, port),
    random,
    // Whoever may write slices must not send the server elsewhere.
    isValid: ({ address, pod }) => podOf(pod)?.status?.podIPs?.some(({ ip }) => ip === address) ?? false,
  });
  const pod = podOf(found.pod);
  if (!pod) throw notFound(pods, found.pod?.name ?? '');
  return { pod, address: found.address, port: found.port, isTls: scheme === 'https' };
}

function portName({ metadata, spec }: Service, port: string): string {
  if (!/^\d+$/.test(port)) return port;
  const found = spec?.ports?.find((one) => one.port === Number(port));
  if (found) return found.name ?? '';
  const name = JSON.stringify(metadata.name);
  throw apiError('ServiceUnavailable', `no service port ${port} found for service ${name}`);
}

/** Go's IsGlobalUnicast: neither this host, nor its link, nor many. */
function isUnicast(address: string): boolean {
  if (isIP(address) === 4)
    return !/^(0\.0\.0\.0$|127\.|169\.254\.|255\.255\.255\.255$|22[4-9]\.|23\d\.)/.test(address);
  return isIP(address) === 6 && !/^(::1?$|fe[89ab]|ff)/i.test(address);
}
