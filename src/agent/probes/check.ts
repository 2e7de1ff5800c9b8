import type {
  Container,
  EphemeralContainer,
  HTTPGetAction,
  LifecycleHandler,
  Probe,
} from '../../api/types.gen.ts';
import type { Runtime } from '../../runtime/port.ts';
import { grpcCheck } from './grpc.ts';
import { httpCheck } from './http.ts';
import { tcpCheck } from './tcp.ts';

export interface CheckResult {
  readonly ok: boolean;
  /** Upstream's words for the Unhealthy event. */
  readonly output: string;
}

export interface CheckTarget {
  readonly runtime: Pick<Runtime, 'execSync'>;
  readonly containerId: string;
  readonly container: Container | EphemeralContainer;
  /** Where the pod answers; the node's own address with hostNetwork. */
  readonly podIP: string;
  readonly version: string;
}

/** Asks a container once how it is. Never rejects. */
export async function check(
  handler: Probe | LifecycleHandler,
  timeoutMs: number,
  target: CheckTarget,
): Promise<CheckResult> {
  try {
    if (handler.exec !== undefined) {
      const argv = handler.exec.command ?? [];
      const { exitCode, output } = await target.runtime.execSync(target.containerId, argv, timeoutMs);
      if (exitCode === 124 && output === '')
        return {
          ok: false,
          output: `command timed out: ${JSON.stringify(argv.join(' '))} timed out after ${timeoutMs / 1000}s`,
        };
      return { ok: exitCode === 0, output };
    }
    if (handler.httpGet !== undefined) return await http(handler.httpGet, timeoutMs, target);
    if (handler.tcpSocket !== undefined) {
      const port = resolvePort(handler.tcpSocket.port, target.container);
      return await tcpCheck(handler.tcpSocket.host || target.podIP, port, timeoutMs);
    }
    if ('grpc' in handler && handler.grpc !== undefined)
      return await grpcCheck(target.podIP, handler.grpc.port, handler.grpc.service ?? '', timeoutMs);
    return { ok: false, output: 'missing probe handler' };
  } catch (error) {
    return { ok: false, output: error instanceof Error ? error.message : String(error) };
  }
}

function http(action: HTTPGetAction, timeoutMs: number, target: CheckTarget): Promise<CheckResult> {
  const host = action.host || target.podIP;
  const port = resolvePort(action.port, target.container);
  return httpCheck({
    scheme: (action.scheme ?? 'HTTP').toLowerCase() === 'https' ? 'https' : 'http',
    host,
    port,
    path: action.path ?? '/',
    headers: (action.httpHeaders ?? []).map(({ name, value }) => [name, value] as const),
    userAgent: `kube-probe/${target.version}`,
    timeoutMs,
  });
}

/** A number, a number as text, or the name of one of the container's ports. */
export function resolvePort(port: number | string, container: Container | EphemeralContainer): number {
  const number = typeof port === 'number' ? port : Number(port);
  if (Number.isInteger(number) && number > 0 && number < 65_536) return number;
  const named = container.ports?.find(({ name }) => name === port);
  if (named !== undefined) return named.containerPort;
  throw new Error(`strconv.Atoi: parsing ${JSON.stringify(String(port))}: invalid syntax`);
}
