import type { Duplex, Readable } from 'node:stream';
import { isObject } from '../../api/json-value.ts';
import type { ExecRequest, ExecSession, NodeApi, NodeDocument } from '../../client/node-port.ts';
import { LANES, type NodeCall, type NodeNote, ONLY_LANE } from '../../client/tunnel/node-call.ts';
import type { TunnelSession } from '../../client/tunnel/session.ts';
import { LIMITS } from '../../lib/limits.ts';

/** The API of a node at the other end of a tunnel. Behaves as the one in process. */
export function remoteNode(session: TunnelSession): NodeApi {
  const stream = (call: NodeCall, direction: 'in' | 'both', signal?: AbortSignal): Promise<Duplex> =>
    session.call(call, (opened) => opened.lane(ONLY_LANE, direction), signal);
  const read = async (call: NodeCall): Promise<unknown> => {
    const { do: what } = call;
    const text = await textOf(await stream(call, 'in'), what);
    return parse(text, what);
  };
  return {
    logs: (request): Promise<Readable> => stream({ do: 'logs', request }, 'in'),
    exec: (request) => run(session, 'exec', request),
    attach: (request) => run(session, 'attach', request),
    portForward: (pod, port) => stream({ do: 'portForward', pod, port }, 'both'),
    connectPod: (pod, port, signal) => stream({ do: 'connectPod', pod, port }, 'both', signal),
    statsSummary: async () => (await read({ do: 'statsSummary' })) as object,
    document: async (path) => documentIn(await read({ do: 'document', path })),
  };
}

/** All of a stream. The node is not trusted: throws once it is more than a document can be. */
async function textOf(stream: Readable, what: string): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > LIMITS.tunnel.documentBytes)
      throw new Error(
        `the answer of the node to ${what} is larger than ${LIMITS.tunnel.documentBytes} bytes`,
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`the answer of the node to ${what} cannot be read`, { cause });
  }
}

function documentIn(value: unknown): NodeDocument {
  const { contentType, text } = isObject(value) ? value : {};
  if (typeof contentType === 'string' && typeof text === 'string') return { contentType, text };
  throw new Error('the answer of the node is no document');
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
