import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { LIMITS } from './limits.ts';

/** The only place that starts processes. `argv` is never a shell string. */
export interface Exec {
  /**
   * Runs to the end, `LIMITS.exec.timeoutMs` at most unless told otherwise, then SIGKILL. Rejects with `ExecError` when
   * the exit code is not 0. Keeps about `LIMITS.exec.outputBytes` of each output and drops the rest.
   */
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Starts a long-lived or interactive child; the caller owns and ends it. Not counted against the bound. */
  start(argv: readonly string[], options?: SpawnOptions): ChildProcess;
  /** Processes started so far, for budgets. */
  readonly spawned: number;
}

export interface RunOptions {
  /** A stream is copied as it comes; when it fails, the child sees the end of its input and the run rejects. */
  readonly stdin?: string | Uint8Array | Readable;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
}

export class ExecError extends Error {
  readonly argv: readonly string[];
  readonly exitCode: number | undefined;
  readonly stderr: string;
  readonly stdout: string;
  constructor(
    argv: readonly string[],
    exitCode: number | undefined,
    stderr: string,
    options: ErrorOptions & { readonly stdout?: string } = {},
  ) {
    const why = exitCode === undefined ? '' : ` exited with ${exitCode}`;
    const detail = stderr.trim().split('\n').slice(-3).join('; ');
    super(`${argv.slice(0, 4).join(' ')}${why}${detail === '' ? '' : `: ${detail}`}`, options);
    this.name = 'ExecError';
    this.argv = argv;
    this.exitCode = exitCode;
    this.stderr = stderr;
    this.stdout = options.stdout ?? '';
  }
}

/** At most `concurrent` children of `run` at once; the rest wait in order. */
export function createExec(concurrent: number = LIMITS.exec.concurrent): Exec {
  let spawned = 0;
  let free = concurrent;
  const waiting: (() => void)[] = [];
  const acquire = (): Promise<void> | undefined => {
    if (free > 0) {
      free--;
      return undefined;
    }
    return new Promise((resolve) => waiting.push(resolve));
  };
  const release = (): void => {
    const next = waiting.shift();
    if (next) next();
    else free++;
  };
  const start = (argv: readonly string[], options: SpawnOptions = {}): ChildProcess => {
    const [file, ...rest] = argv;
    if (file === undefined) throw new Error('empty argv');
    spawned++;
    return spawn(file, rest, { ...options, shell: false });
  };
  return {
    get spawned() {
      return spawned;
    },
    start,
    async run(argv, options = {}) {
      await acquire();
      try {
        return await runToEnd(start, argv, options);
      } finally {
        release();
      }
    },
  };
}

function runToEnd(start: Exec['start'], argv: readonly string[], options: RunOptions): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = start(argv, {
      stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      timeout: options.timeoutMs ?? LIMITS.exec.timeoutMs,
      killSignal: 'SIGKILL',
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    child.stdin?.on('error', () => {});
    feed(child, options.stdin, reject);
    child.once('error', (cause) => reject(new ExecError(argv, undefined, stderr(), { cause })));
    child.once('close', (code, signal) => {
      if (code === 0) return resolve({ stdout: stdout(), stderr: stderr() });
      const text = signal === null ? stderr() : `${stderr()}\nkilled by ${signal}`;
      reject(new ExecError(argv, code ?? undefined, text, { stdout: stdout() }));
    });
  });
}

function feed(child: ChildProcess, stdin: RunOptions['stdin'], reject: (error: Error) => void): void {
  if (stdin === undefined || typeof stdin === 'string' || stdin instanceof Uint8Array) {
    child.stdin?.end(stdin);
    return;
  }
  stdin.once('error', (error) => {
    child.kill('SIGKILL');
    reject(error);
  });
  if (child.stdin) stdin.pipe(child.stdin);
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  stream?.on('data', (chunk: Buffer) => {
    if (sizeBytes >= LIMITS.exec.outputBytes) return;
    chunks.push(chunk);
    sizeBytes += chunk.length;
  });
  return () => Buffer.concat(chunks).toString('utf8');
}
