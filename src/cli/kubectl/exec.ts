import type { Status } from '../../api/types.gen.ts';
import { Failure, usageFailure } from '../failure.ts';
import { podName } from './logs.ts';
import type { Session } from './targets.ts';

/** Channels of `v5.channel.k8s.io`: the first byte of every message. */
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
const RESIZE = 4;
const CLOSE = 255;

/** Runs a command in a container over WebSocket and returns its exit code. */
export async function exec(session: Session): Promise<number> {
  const { args, connection } = session;
  const pod = podName(args.positionals[1]);
  const command = args.rest.length > 0 ? args.rest : args.positionals.slice(2);
  if (command.length === 0)
    throw usageFailure('you must specify at least one command, such as: kedge kubectl exec web-0 -- ls /');
  const tty = args.has('tty') && process.stdin.isTTY === true;
  const query = new URLSearchParams();
  for (const word of command) query.append('command', word);
  const container = args.get('container');
  if (container !== undefined) query.set('container', container);
  query.set('stdout', 'true');
  if (args.has('stdin')) query.set('stdin', 'true');
  if (tty) query.set('tty', 'true');
  else query.set('stderr', 'true');
  const namespace = encodeURIComponent(args.get('namespace') ?? connection.namespace);
  const socket = connection.websocket(
    `/api/v1/namespaces/${namespace}/pods/${encodeURIComponent(pod)}/exec?${query}`,
    ['v5.channel.k8s.io'],
  );
  return await new Promise<number>((resolve, reject) => {
    let result: Status | undefined;
    const send = (channel: number, data: Uint8Array): void =>
      socket.send(Buffer.concat([Buffer.from([channel]), data]));
    const resize = (): void => {
      send(
        RESIZE,
        Buffer.from(JSON.stringify({ Width: process.stdout.columns, Height: process.stdout.rows })),
      );
    };
    socket.on('open', () => {
      if (tty) {
        process.stdin.setRawMode(true);
        process.stdout.on('resize', resize);
        resize();
      }
      if (args.has('stdin')) {
        process.stdin.on('data', (data: Buffer) => send(STDIN, data));
        process.stdin.on('end', () => send(CLOSE, Buffer.from([STDIN])));
      }
    });
    socket.on('message', (message: Buffer) => {
      const data = message.subarray(1);
      if (message[0] === STDOUT) process.stdout.write(data);
      else if (message[0] === STDERR) process.stderr.write(data);
      else if (message[0] === STATUS) result = JSON.parse(data.toString('utf8')) as Status;
    });
    const restore = (): void => {
      if (tty) process.stdin.setRawMode(false);
      process.stdin.pause();
    };
    socket.on('unexpected-response', (_request, response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
      response.on('end', () => reject(new Failure(messageOf(text, response.statusCode))));
    });
    socket.on('error', (cause) => {
      restore();
      reject(new Failure(`exec failed: ${cause.message}`, 1, { cause }));
    });
    socket.on('close', () => {
      restore();
      try {
        resolve(exitCode(result));
      } catch (error) {
        reject(error);
      }
    });
  });
}

function messageOf(text: string, statusCode: number | undefined): string {
  try {
    return (JSON.parse(text) as Status).message ?? text;
  } catch {
    return `the server answered ${statusCode}: ${text.slice(0, 200)}`;
  }
}

function exitCode(status: Status | undefined): number {
  if (status === undefined) throw new Failure('the connection ended before the command did');
  if (status.status === 'Success') return 0;
  const cause = status.details?.causes?.find(({ reason }) => reason === 'ExitCode');
  if (cause?.message !== undefined) {
    process.stderr.write(`command terminated with exit code ${cause.message}\n`);
    return Number(cause.message);
  }
  throw new Failure(status.message ?? 'exec failed');
}
