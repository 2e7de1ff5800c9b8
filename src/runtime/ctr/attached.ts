import { once } from 'node:events';
import { closeSync, constants, openSync, watch } from 'node:fs';
import { type FileHandle, open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { PassThrough, type Readable, Writable } from 'node:stream';
import type { ExecSession } from '../../client/node-port.ts';
import type { Exec } from '../../lib/exec.ts';
import type { RuntimeAttachRequest } from '../port.ts';
import { terminalCommand, variables } from './terminal.ts';

/**
 * Containers with `stdin` or `tty`: containerd's client can only serve these while it stays, so one `ctr run` stays
 * for each, in a session of its own, reading a named pipe and writing the log. It does not depend on this process:
 * attaching means to write to the pipe and to follow the log, before and after a restart of ours alike.
 */
export interface AttachedStart {
  readonly exec: Exec;
  /** `ctr … run` without `--detach`. */
  readonly argv: readonly string[];
  readonly dir: string;
  readonly logPath: string;
  readonly pidPath: string;
  readonly tty: boolean;
  /** Whether the end of the first client's input is the end of the container's. */
  readonly stdinOnce: boolean;
}

const STDIN = 'stdin';
const EXIT = 'exit';
const TTY = 'tty';

/** Starts it and resolves once the container's process runs; rejects with what `ctr` said when it ended before. */
export async function startAttached(options: AttachedStart): Promise<void> {
  const { exec, argv, dir, logPath, pidPath, tty, stdinOnce } = options;
  const stdin = join(dir, STDIN);
  await exec.run(['mkfifo', '-m', '600', stdin]);
  const logBefore = (await stat(logPath).catch(() => undefined))?.size ?? 0;
  const { env, words } = variables(argv);
  const program = tty ? terminalCommand(words, '"$KEDGE_TTY"') : words;
  // Open for reading and writing, a pipe has no end; through `cat` it ends with its first writer.
  const piped = stdinOnce ? `cat "$KEDGE_STDIN" | ${program}` : `${program} <>"$KEDGE_STDIN"`;
  const log = openSync(logPath, 'a', 0o600);
  const watcher = watch(dir);
  try {
    const child = exec.start(['sh', '-c', `${piped}; echo $? >"$KEDGE_EXIT"`], {
      detached: true,
      stdio: ['ignore', log, log],
      env: {
        ...process.env,
        ...env,
        KEDGE_STDIN: stdin,
        KEDGE_EXIT: join(dir, EXIT),
        KEDGE_TTY: join(dir, TTY),
      },
    });
    child.unref();
    // Whatever happens first: a file changes in the directory, or the child ends.
    let hasEnded = false;
    const { promise: settled, resolve: settle } = Promise.withResolvers<void>();
    const look = async (): Promise<void> => {
      if (hasEnded || (await readFile(pidPath, 'utf8').catch(() => '')) !== '') settle();
    };
    watcher.on('change', () => void look());
    child.once('exit', () => {
      hasEnded = true;
      void look();
    });
    await look();
    await settled;
    if ((await readFile(pidPath, 'utf8').catch(() => '')) === '') {
      const said = (await readFile(logPath, 'utf8')).slice(logBefore).trim().split('\n').at(-1) ?? '';
      await truncate(logPath, logBefore);
      throw new Error(said.replace(/^ctr: /, '').trim());
    }
  } finally {
    watcher.close();
    closeSync(log);
  }
}

/** Lets go of a `cat` that still waits for a first client of a container that has ended. */
export function endStdin(dir: string): void {
  try {
    closeSync(openSync(join(dir, STDIN), constants.O_WRONLY | constants.O_NONBLOCK));
  } catch {
    // Nobody waits.
  }
}

/** Keeps an exit code for the next process of ours, should this one die before its record is written. */
export async function leaveExitCode(dir: string, exitCode: number): Promise<void> {
  await writeFile(join(dir, EXIT), String(exitCode)).catch(() => {});
}

/** The exit code that an attached `ctr`, or we, left behind. */
export async function leftExitCode(dir: string): Promise<number | undefined> {
  const text = await readFile(join(dir, EXIT), 'utf8').catch(() => '');
  return text === '' ? undefined : Number(text);
}

/** Input to the container's pipe, output from its log as of now. `exit` is what the caller knows about its end. */
export async function attachTo(options: {
  readonly exec: Exec;
  readonly dir: string;
  readonly logPath: string;
  readonly request: RuntimeAttachRequest;
  readonly exit: Promise<number>;
}): Promise<ExecSession> {
  const { exec, dir, logPath, request, exit } = options;
  const stdin = request.stdin ? openPipe(join(dir, STDIN)) : undefined;
  const stop = new AbortController();
  void exit.then(() => stdin?.destroy());
  const stdout = request.stdout ? await follow(logPath, exit, stop.signal) : undefined;
  return {
    ...(stdin ? { stdin } : {}),
    ...(stdout ? { stdout } : {}),
    resize({ columns, rows }) {
      void readFile(join(dir, TTY), 'utf8')
        .then((device) =>
          exec.run(['stty', '-F', device.trim(), 'rows', String(rows), 'cols', String(columns)]),
        )
        .catch(() => {});
    },
    exit,
    close() {
      stop.abort();
      stdin?.destroy();
    },
  };
}

/**
 * Opening never waits for a reader. Without one the input has ended for good (`stdinOnce`): what comes is swallowed.
 * A socket, since a file stream gives up when the pipe is full.
 */
function openPipe(path: string): Writable {
  let fd: number;
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') return swallow();
    throw error;
  }
  const pipe = new Socket({ fd, readable: false, writable: true });
  // The container closed its input, or is gone: `exit` says so.
  pipe.on('error', () => {});
  return pipe;
}

const swallow = (): Writable => new Writable({ write: (_chunk, _encoding, done) => done() });

async function follow(path: string, exit: Promise<number>, signal: AbortSignal): Promise<Readable> {
  const output = new PassThrough();
  const file = await open(path, 'r');
  let position = (await file.stat()).size;
  const watcher = watch(path);
  let ended = false;
  // The kernel may tell of a change at any moment, also between a look at the file and the wait for the next one.
  let changed = false;
  let wake = (): void => {};
  const stopWaiting = (): void => {
    changed = true;
    wake();
  };
  watcher.on('change', stopWaiting);
  signal.addEventListener('abort', stopWaiting);
  void exit.finally(() => {
    ended = true;
    wake();
  });
  const copy = async (): Promise<void> => {
    try {
      while (!signal.aborted && !output.destroyed) {
        const isLast = ended;
        changed = false;
        position = await copyFrom(file, position, output);
        if (isLast) break;
        const { size } = await file.stat();
        // Somebody emptied the log.
        if (size < position) position = 0;
        if (size > position || ended || changed) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      output.end();
    } catch (error) {
      output.destroy(error as Error);
    } finally {
      watcher.close();
      signal.removeEventListener('abort', stopWaiting);
      await file.close();
    }
  };
  void copy();
  return output;
}

async function copyFrom(file: FileHandle, from: number, to: PassThrough): Promise<number> {
  const buffer = Buffer.alloc(16 * 1024);
  let position = from;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return position;
    position += bytesRead;
    if (!to.write(Buffer.from(buffer.subarray(0, bytesRead)))) await once(to, 'drain');
  }
}
