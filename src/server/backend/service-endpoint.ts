import { isIPv6 } from 'node:net';
import { type ApiError, apiError } from '../../api/status.ts';
import type { Endpoint, EndpointSlice, Service, ServicePort } from '../../api/types.gen.ts';

/** One place where a Service's port answers. */
export interface ServiceEndpoint {
  readonly address: string;
  readonly port: number;
  /** The pod it claims to be, if it does. */
  readonly pod?: { readonly name: string; readonly namespace: string };
}

export interface EndpointChoice {
  readonly service: Service;
  /** All of the Service. */
  readonly slices: readonly EndpointSlice[];
  /** The `name` of a Service port; empty for the only one. */
  readonly portName: string;
  /** Others do not count; all of them do by default. */
  readonly isValid?: (endpoint: ServiceEndpoint) => boolean;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
}

const ROUTED = new Set(['ClusterIP', 'NodePort', 'LoadBalancer']);

/** The Service's port with this number. Throws what upstream's resolver of webhook and aggregated Services does. */
export function servicePort({ metadata, spec }: Service, port: number): ServicePort {
  const { type = 'ClusterIP', ports = [] } = spec ?? {};
  if (!ROUTED.has(type))
    throw apiError('ServiceUnavailable', `unsupported service type ${JSON.stringify(type)}`);
  const found = ports.find((one) => one.port === port);
  if (found) return found;
  throw apiError(
    'ServiceUnavailable',
    `no service port ${port} found for service ${JSON.stringify(metadata.name)}`,
  );
}

/** A ready endpoint, of the Service's first address family where there is one. Throws 503 when there is none. */
export function chooseEndpoint(choice: EndpointChoice): ServiceEndpoint {
  const { service, slices, portName, isValid = () => true, random } = choice;
  const preferred = service.spec?.ipFamilies?.[0];
  const candidates = slices.flatMap((slice) => ready(slice, portName)).filter(isValid);
  const ofFamily = candidates.filter(({ address }) => isIPv6(address) === (preferred === 'IPv6'));
  const list = ofFamily.length > 0 ? ofFamily : candidates;
  const chosen = list[Math.floor(random() * list.length)];
  if (!chosen) throw noEndpoints(service.metadata.name ?? '');
  return chosen;
}

/** 503 in upstream's words. */
export function noEndpoints(service: string): ApiError {
  return apiError('ServiceUnavailable', `no endpoints available for service ${JSON.stringify(service)}`);
}

function ready({ endpoints, ports }: EndpointSlice, portName: string): ServiceEndpoint[] {
  const port = ports?.find((one) => (one.name ?? '') === portName)?.port;
  if (port === undefined) return [];
  return (endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap((endpoint) => endpointAt(endpoint, port));
}

function endpointAt({ addresses, targetRef }: Endpoint, port: number): ServiceEndpoint[] {
  const [address] = addresses;
  if (address === undefined) return [];
  if (targetRef?.kind !== 'Pod' || !targetRef.name || !targetRef.namespace) return [{ address, port }];
  return [{ address, port, pod: { name: targetRef.name, namespace: targetRef.namespace } }];
}
