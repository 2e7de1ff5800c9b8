import { Duplex, PassThrough, Readable } from 'node:stream';
import type { ExecRequest, ExecSession, NodeApi } from '../../client/node-port.ts';

/**
 * A node whose processes are written here: `cat` copies its input, `exit N` ends with N, anything else prints its own
 * name; ports answer what they are told, in upper case.
 */
export function echoNode(seen: { sizes: string[]; requests: ExecRequest[] }): NodeApi {
  const run = async (request: ExecRequest): Promise<ExecSession> => {
    seen.requests.push(request);
    return process(request, seen.sizes);
  };
  const shout = async (): Promise<Duplex> =>
    new Duplex({
      read: () => {},
      write(chunk: Buffer, _encoding, callback) {
        this.push(chunk.toString('utf8').toUpperCase());
        callback();
      },
      final(callback) {
        this.push(null);
        callback();
      },
    });
  return {
    logs: async ({ container, tailLines }) =>
      Readable.from([Buffer.from(`log of ${container} ${tailLines ?? ''}\n`)]),
    exec: run,
    attach: run,
    portForward: shout,
    connectPod: shout,
    statsSummary: async () => ({}),
  };
}

function process(request: ExecRequest, sizes: string[]): ExecSession {
  const [program = '', argument = ''] = request.command;
  const stdout = new PassThrough();
  const stderr = request.tty || !request.stderr ? undefined : new PassThrough();
  const stdin = request.stdin ? new PassThrough() : undefined;
  let end: (code: number) => void = () => {};
  const exit = new Promise<number>((resolve) => {
    end = resolve;
  });
  const finish = (code: number): void => {
    stdout.end();
    stderr?.end();
    end(code);
  };
  if (program === 'cat' && stdin) {
    stdin.on('data', (chunk: Buffer) => stdout.write(chunk));
    stdin.on('end', () => finish(0));
  } else if (program === 'exit') {
    stderr?.write('failing\n');
    finish(Number(argument));
  } else {
    stdout.write(`${program}\n`);
    finish(0);
  }
  return {
    ...(stdin === undefined ? {} : { stdin }),
    stdout,
    ...(stderr === undefined ? {} : { stderr }),
    resize: ({ columns, rows }) => sizes.push(`${columns}x${rows}`),
    exit,
    close: () => finish(137),
  };
}
