import { type Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { badRequest } from '../../api/status.ts';
import type { ExecSession, NodeApi } from '../../client/node-port.ts';
import { LANES, type NodeCall, type NodeNote, ONLY_LANE } from '../../client/tunnel/node-call.ts';
import type { TunnelCall } from '../../client/tunnel/session.ts';

/** Answers what the server asks through the tunnel. The server is trusted with all of it: it runs this node's pods. */
export function serveNode(api: NodeApi): (request: unknown, call: TunnelCall) => void {
  return (request, call) => {
    answer(api, request as NodeCall, call).catch((error: unknown) => call.close(error));
  };
}

async function answer(api: NodeApi, request: NodeCall, call: TunnelCall): Promise<void> {
  switch (request.do) {
    case 'logs':
      return send(await api.logs(request.request), call);
    case 'exec':
    case 'attach':
      return serveProcess(await api[request.do](request.request), call);
    case 'portForward':
    case 'connectPod':
      return join(await api[request.do](request.pod, request.port), call);
    case 'statsSummary':
      return sendText(JSON.stringify(await api.statsSummary()), call);
    case 'document':
      return sendText(JSON.stringify(await api.document(request.path)), call);
    default:
      throw badRequest(
        `this agent does not know the call ${JSON.stringify((request as { do?: unknown }).do)}`,
      );
  }
}

async function send(source: Readable, call: TunnelCall): Promise<void> {
  const lane = call.lane(ONLY_LANE, 'out');
  call.accept();
  void call.ended.then(() => source.destroy());
  await pipeline(source, lane);
  call.close();
}

function sendText(body: string, call: TunnelCall): Promise<void> {
  return send(Readable.from([Buffer.from(body)]), call);
}

async function serveProcess(session: ExecSession, call: TunnelCall): Promise<void> {
  const { stdin, stdout, stderr } = session;
  const input = stdin && call.lane(LANES.stdin, 'in', () => {});
  const output = stdout && call.lane(LANES.stdout, 'out', () => {});
  const errors = stderr && call.lane(LANES.stderr, 'out', () => {});
  call.onNote((note) => {
    const { resize } = note as Partial<Extract<NodeNote, { resize: unknown }>>;
    if (resize !== undefined) session.resize(resize);
  });
  void call.ended.then(() => session.close());
  call.accept();
  if (stdin && input) {
    stdin.on('error', () => {});
    input.pipe(stdin);
  }
  await Promise.all([
    stdout && output && pipeline(stdout, output),
    stderr && errors && pipeline(stderr, errors),
  ]);
  call.note({ exitCode: await session.exit } satisfies NodeNote);
  call.close();
}

/** Both ways until both have ended; an end of one way is passed on as such. */
async function join(target: Duplex, call: TunnelCall): Promise<void> {
  const lane = call.lane(ONLY_LANE, 'both');
  call.accept();
  void call.ended.then(() => target.destroy());
  lane.pipe(target);
  target.on('error', () => {});
  try {
    // Once the pod has said its last word the connection is over, whatever the client still sends.
    await pipeline(target, lane);
  } finally {
    target.destroy();
  }
  call.close();
}
