import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, pipeline, type Readable } from 'node:stream';
import type { ExecSession } from '../../client/node-port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Exec } from '../../lib/exec.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { RuntimeExecRequest } from '../port.ts';
import type { Ctr } from './ctr.ts';
import { adoptedExecArgv } from './runc-exec.ts';
import { terminalArgv } from './terminal.ts';

export interface ExecOptions {
  readonly ctr: Ctr;
  readonly exec: Exec;
  readonly clock: Clock;
  /** Of containerd. */
  readonly namespace: string;
  /** The container's, on a tmpfs. */
  readonly dir: string;
}

/** Exit codes of runc and `ctr` where they cannot start the command, and how they begin to say why. */
const NOT_STARTED: ReadonlyMap<number, RegExp> = new Map([
  [255, /^exec failed: /],
  [1, /^ctr: /],
]);
/** Exit codes of a shell for a command that cannot be run, as runc's error maps to them. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;
/** As `timeout(1)`. */
const TIMED_OUT = 124;

/** Runs one more process in a container, with pipes or on a pseudo terminal. */
export function startExec(options: ExecOptions, id: string, request: RuntimeExecRequest): ExecSession {
  return request.tty ? startOnTerminal(options, id, request) : startOnPipes(options, id, request);
}

function startOnPipes(options: ExecOptions, id: string, request: RuntimeExecRequest): ExecSession {
  const { exec } = options;
  const { stdin, stdout: hasStdout } = request;
  const streams = [...(stdin ? [0 as const] : []), ...(hasStdout ? [1 as const] : []), 2 as const];
  const argv = adoptedExecArgv({
    ...{ namespace: options.namespace, id, command: request.command, streams },
    pidFile: join(options.dir, newExecId()),
    drainMs: LIMITS.runtime.execDrainMs,
  });
  const child = exec.start(argv, {
    stdio: [stdin ? 'pipe' : 'ignore', hasStdout ? 'pipe' : 'ignore', 'pipe'],
    // Its own process group: a Ctrl-C at the server's terminal is not for this child.
    detached: true,
  });
  const stderr = new ErrorReader(child.stderr, request.stderr);
  // Node throws away what a child that has ended said and nobody reads yet; a short command may be over that soon.
  const stdout = child.stdout && pipeline(child.stdout, new PassThrough(), () => {});
  child.stdin?.on('error', () => {});
  const exit = ended(child).then((code) => stderr.exitCode(code));
  return {
    ...(child.stdin ? { stdin: child.stdin } : {}),
    ...(stdout ? { stdout } : {}),
    ...(request.stderr ? { stderr: stderr.output } : {}),
    resize: () => {},
    exit,
    // Killed itself, it could not kill a process that is only about to start.
    close: () => endExec(options, child, LIMITS.runtime.execStartMs, async () => void child.kill('SIGTERM')),
  };
}

function startOnTerminal(options: ExecOptions, id: string, request: RuntimeExecRequest): ExecSession {
  const { ctr, exec, clock } = options;
  const execId = newExecId();
  const { argv, env } = terminalArgv(
    ctr.argv(['tasks', 'exec', '--tty', '--exec-id', execId, id, ...request.command]),
    'raw',
  );
  const child = exec.start(argv, {
    stdio: ['pipe', 'pipe', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
    detached: true,
  });
  child.stdin?.on('error', () => {});
  const complaints = new ErrorReader((child.stdio[3] as Readable | null) ?? null, false);
  const stdout = new PassThrough();
  child.stdout?.pipe(stdout, { end: false });
  // Only why it could not be started is for the user; the rest, such as a late resize, is not.
  const exit = ended(child).then((code) => {
    const exitCode = complaints.exitCode(code);
    if (exitCode !== code) stdout.write(complaints.message.replaceAll('\n', '\r\n'));
    stdout.end();
    return exitCode;
  });
  let hasEnded = false;
  void exit.finally(() => (hasEnded = true)).catch(() => {});
  // Clients tell the size at once; `script` and `ctr` may need a while, and `ctr` asks for it before it listens.
  const terminal = async (): Promise<string | undefined> => {
    for (let tries = 0; tries < LIMITS.runtime.terminalTries && !hasEnded; tries++) {
      const device = await terminalOf(child.pid);
      if (device !== undefined) return device;
      await later(clock, LIMITS.runtime.terminalRetryMs);
    }
    return undefined;
  };
  const startedMono = clock.monotonicMs();
  let resizing = Promise.resolve();
  return {
    ...(request.stdin && child.stdin ? { stdin: child.stdin } : {}),
    ...(request.stdout ? { stdout } : {}),
    resize({ columns, rows }) {
      resizing = resizing
        .then(async () => {
          const device = await terminal();
          if (device === undefined) return;
          const set = (count: number): Promise<unknown> =>
            exec.run(['stty', '-F', device, 'rows', String(rows), 'cols', String(count)]);
          await set(columns);
          if (clock.monotonicMs() - startedMono > LIMITS.runtime.terminalReadyMs) return;
          // Only a change is told.
          await later(clock, LIMITS.runtime.terminalReadyMs);
          if (hasEnded) return;
          await set(columns + 1);
          await set(columns);
        })
        // The session may have ended meanwhile; a size that did not arrive harms nobody.
        .catch(() => {});
    },
    exit,
    close: () =>
      endExec(
        options,
        child,
        LIMITS.runtime.execKillMs,
        async () => void (await ctr.run(['tasks', 'kill', '--signal', 'SIGKILL', '--exec-id', execId, id])),
      ),
  };
}

const later = (clock: Clock, delayMs: number): Promise<void> =>
  new Promise((resolve) => clock.setTimer(delayMs, resolve));

/** The pseudo terminal that `script` opened: its child's standard input. */
async function terminalOf(pid: number | undefined): Promise<string | undefined> {
  if (pid === undefined) return undefined;
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  for (const child of children.trim().split(' ')) {
    const device = await readlink(`/proc/${child}/fd/0`).catch(() => '');
    if (device.startsWith('/dev/pts/')) return device;
  }
  return undefined;
}

/** Runs to the end or kills after `timeoutMs`; stdout and stderr together, cut at the limit. */
export async function runExec(
  options: ExecOptions,
  id: string,
  argv: readonly string[],
  timeoutMs: number,
): Promise<{ readonly exitCode: number; readonly output: string }> {
  const request = { command: argv, tty: false, stdin: false, stdout: true, stderr: true };
  const session = startOnPipes(options, id, request);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  const keep = (chunk: Buffer): void => {
    if (sizeBytes < LIMITS.runtime.execSyncOutputBytes) chunks.push(chunk);
    sizeBytes += chunk.length;
  };
  session.stdout?.on('data', keep);
  session.stderr?.on('data', keep);
  const { promise: timeout, resolve } = Promise.withResolvers<number>();
  const timer = options.clock.setTimer(timeoutMs, () => {
    session.close();
    resolve(TIMED_OUT);
  });
  const exitCode = await Promise.race([session.exit, timeout]);
  timer.cancel();
  const output = Buffer.concat(chunks).subarray(0, LIMITS.runtime.execSyncOutputBytes).toString('utf8');
  return { exitCode, output };
}

/** Kills the process in the container; its client ends with it, or is ended after `patienceMs`. */
function endExec(
  { clock }: ExecOptions,
  child: ChildProcess,
  patienceMs: number,
  kill: () => Promise<void>,
): void {
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
  if (isOver()) return;
  void kill()
    .catch(() => {})
    .then(() => {
      if (isOver()) return;
      const timer = clock.setTimer(patienceMs, () => child.kill('SIGKILL'));
      child.once('exit', () => timer.cancel());
    });
}

const newExecId = (): string => `exec-${randomBytes(8).toString('hex')}`;

function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? (signal === 'SIGKILL' ? 137 : 143)));
  });
}

/** Passes stderr on and remembers its beginning, where `runc` or `ctr` says why a process could not be started. */
class ErrorReader {
  readonly output = new PassThrough();
  #head = '';

  constructor(source: Readable | null, pass: boolean) {
    source?.on('data', (chunk: Buffer) => {
      if (this.#head.length < 1024) this.#head += chunk.toString('utf8');
    });
    if (pass && source) source.pipe(this.output);
    else source?.resume();
  }

  get message(): string {
    return this.#head.replace(/^ctr: /, '');
  }

  exitCode(code: number): number {
    if (!NOT_STARTED.get(code)?.test(this.#head)) return code;
    if (/executable file not found|no such file or directory/.test(this.#head)) return NOT_FOUND;
    return /permission denied/.test(this.#head) ? NOT_EXECUTABLE : code;
  }
}
