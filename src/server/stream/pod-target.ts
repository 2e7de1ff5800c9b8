import { badRequest, notFound } from '../../api/status.ts';
import type { Pod } from '../../api/types.gen.ts';
import type { ExecRequest, LogRequest, PodRef } from '../../client/node-port.ts';
import { isTrue, type ResourceRequest } from '../http/request-info.ts';
import type { ConnectOptions } from '../registry/connect.ts';
import type { Registry } from '../registry/registry.ts';

/** A pod that something is to be streamed from, and the node that has it. */
export interface PodTarget {
  readonly pod: Pod;
  readonly ref: PodRef;
  readonly nodeName: string;
}

/** Throws 404 for a pod that is not there, 400 for one that is on no node yet. */
export function podTarget(registry: Registry, info: ResourceRequest): PodTarget {
  const target = knownPod(registry, info);
  if (target.nodeName === '') throw badRequest(`pod ${info.name} does not have a host assigned`);
  return target;
}

/** The same, but for one that is on no node yet, whose `nodeName` is empty then. */
export function knownPod(registry: Registry, info: ResourceRequest): PodTarget {
  const pods = registry.find({ group: '', version: 'v1', resource: 'pods' });
  const pod = pods?.served.cache.get(info.namespace, info.name)?.object() as Pod | undefined;
  if (!pod) throw notFound({ group: '', resource: 'pods' }, info.name);
  const nodeName = pod.spec?.nodeName ?? '';
  const { namespace = '', name = '', uid = '' } = pod.metadata ?? {};
  return { pod, ref: { namespace, name, uid }, nodeName };
}

const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container';

/** The container asked for, or the only one. Throws 400 in upstream's words. */
function containerName(pod: Pod, asked: string | null): string {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = pod.spec ?? {};
  const name = pod.metadata?.name ?? '';
  if (asked) {
    const known = [...containers, ...initContainers, ...ephemeralContainers].some(
      (one) => one.name === asked,
    );
    if (!known) throw badRequest(`container ${asked} is not valid for pod ${name}`);
    return asked;
  }
  const preferred = pod.metadata?.annotations?.[DEFAULT_CONTAINER];
  const [only, ...others] = containers;
  if (only && others.length === 0) return only.name;
  if (preferred && containers.some((one) => one.name === preferred)) return preferred;
  const list = (some: readonly { name: string }[]): string => `[${some.map((one) => one.name).join(' ')}]`;
  const init = initContainers.length === 0 ? '' : ` or one of the init containers: ${list(initContainers)}`;
  throw badRequest(
    `a container name must be specified for pod ${name}, choose one of: ${list(containers)}${init}`,
  );
}

/** `PodExecOptions` or `PodAttachOptions` from the query. Throws 400. */
export function execRequest(target: PodTarget, info: ResourceRequest, query: URLSearchParams): ExecRequest {
  const flag = (name: string): boolean => isTrue(query.get(name));
  const { phase = '' } = target.pod.status ?? {};
  if (phase === 'Succeeded' || phase === 'Failed')
    throw badRequest(
      `cannot ${info.subresource} into a container in a completed pod; current phase is ${phase}`,
    );
  const request = {
    pod: target.ref,
    container: containerName(target.pod, query.get('container')),
    command: query.getAll('command'),
    tty: flag('tty'),
    stdin: flag('stdin'),
    stdout: flag('stdout'),
    stderr: flag('stderr'),
  };
  if (info.subresource === 'exec' && request.command.length === 0)
    throw badRequest('you must specify at least one command for the container');
  if (!request.stdin && !request.stdout && !request.stderr)
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  return request;
}

/** `PodExecOptions` or `PodAttachOptions` as admission sees them. */
export function execOptions(
  { subresource }: ResourceRequest,
  { container, command, tty, stdin, stdout, stderr }: ExecRequest,
): ConnectOptions {
  const flags = Object.entries({ stdin, stdout, stderr, tty }).filter(([, isSet]) => isSet);
  const isExec = subresource === 'exec';
  return {
    kind: isExec ? 'PodExecOptions' : 'PodAttachOptions',
    apiVersion: 'v1',
    ...Object.fromEntries(flags),
    container,
    ...(isExec ? { command } : {}),
  };
}

/** `PodPortForwardOptions` as admission sees them; SPDY clients name their ports only later. */
export function portForwardOptions(query: URLSearchParams): ConnectOptions {
  const ports = query
    .getAll('ports')
    .flatMap((one) => one.split(','))
    .map(Number);
  const options = { kind: 'PodPortForwardOptions', apiVersion: 'v1' };
  return ports.length === 0 ? options : { ...options, ports };
}

/** `PodLogOptions` from the query. Throws 400. */
export function logRequest(target: PodTarget, query: URLSearchParams): LogRequest {
  const whole = (name: string, least: number): number | undefined => {
    const text = query.get(name);
    if (text === null || text === '') return undefined;
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least)
      throw badRequest(`${name} must be ${least === 0 ? 'greater than or equal to 0' : 'greater than 0'}`);
    return value;
  };
  const [tailLines, sinceSeconds, limitBytes] = [
    whole('tailLines', 0),
    whole('sinceSeconds', 1),
    whole('limitBytes', 1),
  ];
  const sinceTime = query.get('sinceTime');
  if (sinceTime && sinceSeconds !== undefined)
    throw badRequest('at most one of `sinceTime` or `sinceSeconds` may be specified');
  if (sinceTime && Number.isNaN(Date.parse(sinceTime)))
    throw badRequest(`sinceTime: ${JSON.stringify(sinceTime)} is not an RFC 3339 time`);
  return {
    pod: target.ref,
    container: containerName(target.pod, query.get('container')),
    follow: isTrue(query.get('follow')),
    previous: isTrue(query.get('previous')),
    timestamps: isTrue(query.get('timestamps')),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(sinceTime ? { sinceTime } : {}),
  };
}
