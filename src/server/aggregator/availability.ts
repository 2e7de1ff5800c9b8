import type { APIService, APIServiceCondition, EndpointSlice, Service } from '../../api/types.gen.ts';

export interface Verdict {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

export const LOCAL: Verdict = {
  status: 'True',
  reason: 'Local',
  message: 'Local APIServices are always available',
};
export const PASSED: Verdict = { status: 'True', reason: 'Passed', message: 'all checks passed' };

export interface AvailabilityInput {
  readonly apiService: APIService;
  readonly service: Service | undefined;
  readonly slices: readonly EndpointSlice[];
}

/** What is known without asking the backend; `undefined`: it has to be asked (upstream's remote availability). Pure. */
export function judge({ apiService, service, slices }: AvailabilityInput): Verdict | undefined {
  const reference = apiService.spec?.service;
  if (!reference) return LOCAL;
  const { name = '', namespace = '', port = 443 } = reference;
  const where = `service/${name} in ${JSON.stringify(namespace)}`;
  const no = (reason: string, message: string): Verdict => ({ status: 'False', reason, message });
  if (!service) return no('ServiceNotFound', `${where} is not present`);
  if ((service.spec?.type ?? 'ClusterIP') !== 'ClusterIP') return undefined;
  const found = service.spec?.ports?.find((one) => one.port === port);
  if (!found) return no('ServicePortError', `${where} is not listening on port ${port}`);
  if (slices.length === 0) return no('EndpointsNotFound', `cannot find endpointslices for ${where}`);
  const portName = found.name ?? '';
  if (slices.some((slice) => isReady(slice, portName))) return undefined;
  const why = `have no addresses with port name ${JSON.stringify(portName)}`;
  return no('MissingEndpoints', `endpointslices for ${where} ${why}`);
}

function isReady({ endpoints, ports }: EndpointSlice, portName: string): boolean {
  const hasPort = ports?.some(({ name, port }) => (name ?? '') === portName && port !== undefined) ?? false;
  return hasPort && (endpoints?.some(({ conditions }) => conditions?.ready !== false) ?? false);
}

/** The conditions with this verdict; the old list where it says so already. */
export function withVerdict(
  conditions: readonly APIServiceCondition[],
  { status, reason, message }: Verdict,
  now: string,
): readonly APIServiceCondition[] {
  const known = conditions.find(({ type }) => type === 'Available');
  if (known?.status === status && known.reason === reason && known.message === message) return conditions;
  const condition: APIServiceCondition = {
    type: 'Available',
    status,
    lastTransitionTime: known?.status === status ? (known.lastTransitionTime ?? now) : now,
    reason,
    message,
  };
  return known ? conditions.map((one) => (one === known ? condition : one)) : [...conditions, condition];
}
