import type { Duplex, Readable } from 'node:stream';
import { pods } from '../api/resources.gen.ts';
import { apiError, badRequest, notFound } from '../api/status.ts';
import type { Pod } from '../api/types.gen.ts';
import type { ExecRequest, ExecSession, NodeApi, PodRef } from '../client/node-port.ts';
import type { Clock } from '../lib/clock.ts';
import { LIMITS } from '../lib/limits.ts';
import { connectTcp } from '../lib/tcp.ts';
import type { Runtime } from '../runtime/port.ts';
import type { LogKeeper } from './logs/log-keeper.ts';
import { openLog } from './logs/open-log.ts';
import { nodeDocument } from './node/documents.ts';
import { statsSummary } from './node/stats-summary.ts';
import type { PodManager } from './pod/pod-manager.ts';
import type { ContainerRecord } from './pod/state.ts';
import type { PodWorker } from './pod/worker.ts';
import type { AgentSettings } from './settings.ts';

export interface NodeApiOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly pods: PodManager;
  readonly nodeName: string;
  readonly logs: LogKeeper;
  readonly settings: AgentSettings;
}

/** The streaming half of a kubelet's API. Rejects with the words a kubelet uses. */
export function createNodeApi(options: NodeApiOptions): NodeApi {
  const { runtime, clock } = options;
  const workerOf = async (ref: PodRef): Promise<PodWorker> => {
    const worker = await options.pods.seen(ref.namespace, ref.name, ref.uid);
    if (worker === undefined) throw notFound(pods, ref.name);
    return worker;
  };
  const running = async (ref: PodRef, name: string): Promise<string> => {
    const record = recordOf(await workerOf(ref), name);
    if (record.phase.is !== 'running' && record.phase.is !== 'stopping')
      throw apiError('InternalError', `container not found (${JSON.stringify(name)})`);
    return record.id;
  };
  const start = async (request: ExecRequest): Promise<ExecSession> => {
    const { command, tty, stdin, stdout, stderr } = request;
    const id = await running(request.pod, request.container);
    return runtime.exec(id, { command, tty, stdin, stdout, stderr: stderr && !tty });
  };
  return {
    async logs(request): Promise<Readable> {
      const worker = await workerOf(request.pod);
      const record = recordOf(worker, request.container);
      const run = chooseRun(worker, record, request.previous === true);
      return openLog({
        path: runtime.logPath(run.id),
        index: await options.logs.index(run.id, runtime.logPath(run.id)),
        clock,
        request,
        // The log ends when this run does.
        isRunning: () => {
          const now = worker.state.containers.find(({ name }) => name === record.name);
          return now?.id === run.id && (now.phase.is === 'running' || now.phase.is === 'stopping');
        },
        onEnd: (callback) => worker.onChange(callback),
      });
    },
    exec: (request) => start(request),
    async attach(request) {
      const { pod, container, stdin, stdout } = request;
      const id = await running(pod, container);
      // Input for a container that has none is swallowed, as a kubelet does.
      const session = await runtime.attach(id, {
        stdin: stdin && hasInput((await workerOf(pod)).pod, container),
        stdout,
      });
      // Attaching succeeds whatever the container ends with; clients read its exit code from the pod's status.
      return { ...session, exit: session.exit.then(() => 0) };
    },
    async portForward(ref, port): Promise<Duplex> {
      const worker = await workerOf(ref);
      if (worker.state.sandbox.is !== 'done') throw apiError('InternalError', 'pod is not running');
      return runtime.portForward(ref.uid === '' ? (worker.pod.metadata.uid ?? '') : ref.uid, port);
    },
    async connectPod(ref, port): Promise<Duplex> {
      const host = (await workerOf(ref)).downward().podIPs[0];
      if (host === undefined) throw apiError('ServiceUnavailable', `pod ${ref.name} has no address yet`);
      return connectTcp({ host, port, timeoutMs: LIMITS.agent.connectPodMs }).catch((cause: unknown) => {
        throw apiError('ServiceUnavailable', (cause as Error).message, { cause });
      });
    },
    statsSummary: () => statsSummary(options),
    async document(path) {
      const found = nodeDocument(path, options);
      if (found === undefined)
        throw apiError('NotFound', 'the server could not find the requested resource', { details: {} });
      return found;
    },
  };
}

function hasInput({ spec }: Pod, name: string): boolean {
  const all = [
    ...(spec?.containers ?? []),
    ...(spec?.initContainers ?? []),
    ...(spec?.ephemeralContainers ?? []),
  ];
  return all.some((container) => container.name === name && container.stdin === true);
}

function recordOf(worker: PodWorker, name: string): ContainerRecord {
  const record = worker.state.containers.find((entry) => entry.name === name);
  if (record === undefined)
    throw badRequest(`container ${name} is not valid for pod ${worker.pod.metadata.name}`);
  return record;
}

function chooseRun(worker: PodWorker, record: ContainerRecord, previous: boolean): { readonly id: string } {
  const where = `container ${JSON.stringify(record.name)} in pod ${JSON.stringify(worker.pod.metadata.name)}`;
  const { phase, last } = record;
  if (previous) {
    const before = phase.is === 'exited' && last?.id === phase.termination.id ? undefined : last;
    if (before === undefined) throw badRequest(`previous terminated ${where} not found`);
    return before;
  }
  if (phase.is === 'running' || phase.is === 'stopping') return record;
  if (phase.is === 'exited') return phase.termination;
  if (last !== undefined) return last;
  const reason = phase.is === 'waiting' ? phase.reason : 'ContainerCreating';
  const detail =
    reason === 'ContainerCreating' ||
    reason === 'PodInitializing' ||
    phase.is !== 'waiting' ||
    phase.message === undefined
      ? `waiting to start: ${reason}`
      : `waiting to start: ${phase.message}`;
  throw badRequest(`${where} is ${detail}`);
}
