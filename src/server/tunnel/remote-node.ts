import type { Duplex, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { ExecRequest, ExecSession, NodeApi, NodeDocument } from '../../client/node-port.ts';
import { LANES, type NodeCall, type NodeNote, ONLY_LANE } from '../../client/tunnel/node-call.ts';
import type { TunnelSession } from '../../client/tunnel/session.ts';

/** The API of a node at the other end of a tunnel. Behaves as the one in process. */
export function remoteNode(session: TunnelSession): NodeApi {
  const stream = (call: NodeCall, direction: 'in' | 'both'): Promise<Duplex> =>
    session.call(call, (opened) => opened.lane(ONLY_LANE, direction));
  const read = async (call: NodeCall): Promise<string> => text(await stream(call, 'in'));
  return {
    logs: (request): Promise<Readable> => stream({ do: 'logs', request }, 'in'),
    exec: (request) => run(session, 'exec', request),
    attach: (request) => run(session, 'attach', request),
    portForward: (pod, port) => stream({ do: 'portForward', pod, port }, 'both'),
    connectPod: (pod, port) => stream({ do: 'connectPod', pod, port }, 'both'),
    statsSummary: async () => JSON.parse(await read({ do: 'statsSummary' })) as object,
    document: async (path) => JSON.parse(await read({ do: 'document', path })) as NodeDocument,
  };
}

function run(session: TunnelSession, verb: 'exec' | 'attach', request: ExecRequest): Promise<ExecSession> {
  return session.call({ do: verb, request }, (call): ExecSession => {
    // Who gives one stream up does not want the process to end.
    const lane = (number: number, direction: 'in' | 'out') => call.lane(number, direction, () => {});
    const stdin = request.stdin ? lane(LANES.stdin, 'out') : undefined;
    const stdout = request.stdout ? lane(LANES.stdout, 'in') : undefined;
    const stderr = request.stderr && !request.tty ? lane(LANES.stderr, 'in') : undefined;
    const exit = new Promise<number>((resolve, reject) => {
      call.onNote((note) => {
        const { exitCode } = note as Partial<{ exitCode: number }>;
        if (typeof exitCode === 'number') resolve(exitCode);
      });
      void call.ended.then((error) =>
        reject(error ?? new Error('the command ended, but its exit code did not arrive')),
      );
    });
    // Its error also shows at the streams, where it is waited for first.
    exit.catch(() => {});
    return {
      ...(stdin === undefined ? {} : { stdin }),
      ...(stdout === undefined ? {} : { stdout }),
      ...(stderr === undefined ? {} : { stderr }),
      resize: (size) => call.note({ resize: size } satisfies NodeNote),
      exit,
      close: () => call.close(),
    };
  });
}
