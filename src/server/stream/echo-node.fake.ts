import { Duplex, PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ApiError, apiError, badRequest } from '../../api/status.ts';
import type { ExecRequest, ExecSession, NodeApi } from '../../client/node-port.ts';

/** What reached the node. */
export interface Seen {
  readonly sizes: string[];
  readonly requests: ExecRequest[];
  /** Processes and followed logs that were given up before their end. */
  readonly ended?: string[];
}

/**
 * A node whose processes are written here: `cat` copies its input, `exit N` ends with N, `flood N` writes N bytes,
 * `hang` waits to be killed, `missing` cannot be started, `forge` is refused with a header in the reason, anything else prints its own name; ports answer what they are
 * told, in upper case.
 */
export function echoNode(seen: Seen): NodeApi {
  const run = async (request: ExecRequest): Promise<ExecSession> => {
    seen.requests.push(request);
    if (request.command[0] === 'missing') throw badRequest('container c is not valid for pod p');
    if (request.command[0] === 'forge')
      throw new ApiError({ code: 400, message: 'no', reason: 'Bad\r\nx-forged: yes' });
    return process(request, seen);
  };
  return {
    async logs({ container, tailLines, follow }) {
      const first = Buffer.from(`log of ${container} ${tailLines ?? ''}\n`);
      if (!follow) return Readable.from([first]);
      const log = new PassThrough();
      log.write(first);
      log.once('close', () => seen.ended?.push('log'));
      return log;
    },
    exec: run,
    attach: run,
    portForward: async (_, port) => listener(port),
    connectPod: async (_, port) => listener(port),
    statsSummary: async () => ({ node: { nodeName: 'echo' } }),
    async document(path) {
      if (path === '/healthz') return { contentType: 'text/plain', text: 'ok' };
      throw apiError('NotFound', 'the server could not find the requested resource', { details: {} });
    },
  };
}

/** Nobody listens at port 1. */
function listener(port: number): Duplex {
  if (port === 1) throw new Error('failed to connect to localhost:1 inside namespace: Connection refused');
  return new Duplex({
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
}

function process(request: ExecRequest, { sizes, ended }: Seen): ExecSession {
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
    stdin.pipe(stdout);
    stdin.on('end', () => finish(0));
  } else if (program === 'flood') {
    void pipeline(Readable.from(pieces(Number(argument))), stdout).then(() => finish(0));
  } else if (program === 'hang') {
    stdout.write('hanging\n');
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
    close() {
      ended?.push(program);
      finish(137);
    },
  };
}

function* pieces(sizeBytes: number): Generator<Buffer> {
  for (let left = sizeBytes; left > 0; left -= 10_000) yield Buffer.alloc(Math.min(left, 10_000), 'x');
}
