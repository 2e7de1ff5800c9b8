import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSea } from 'node:sea';
import { systemClock } from '../lib/clock.ts';
import { createExec } from '../lib/exec.ts';
import { LIMITS } from '../lib/limits.ts';
import { createLogger, errorText, type Logger } from '../lib/log.ts';
import { VERSION } from '../lib/version.ts';
import { Failure } from './failure.ts';
import type { GeneralConfig } from './node/config.ts';
import { takeServiceManager } from './service-manager.ts';
import { stopInOrder } from './stop-in-order.ts';

const RESTART_WITHIN = { withinMs: LIMITS.process.restartStopMs };

/** What a command that stays running starts its parts with. */
export interface Running {
  readonly log: Logger;
  /** Aborted by the first SIGTERM or SIGINT, whose name is the reason. */
  readonly signal: AbortSignal;
  /** Stops everything as a signal does, and then begins anew under the same process id. */
  restart(): void;
  /** Stopped in the reverse order. */
  onStop(stop: () => Promise<void>): void;
  /** After all that `onStop` was told of. */
  onEnd(stop: () => Promise<void>): void;
}

/**
 * Runs `start`, which resolves when the command does its work, tells the service manager, and stays until SIGTERM or
 * SIGINT, which also ends a start half way; then stops everything. Containers go on running. Returns the exit code; a failure of the start is thrown once what had been started is stopped.
 */
export async function stayRunning(
  config: GeneralConfig & { readonly name: string },
  start: (running: Running) => Promise<void>,
): Promise<number> {
  const log = createLogger({ level: config.logLevel });
  const stop = stopSignals();
  const asked = stop.signal;
  let isRestart = false;
  const manager = takeServiceManager(process.env, { exec: createExec(), log });
  prepareFolders(config);
  log.info('starting', { version: VERSION, node: config.name, pid: process.pid, dataDir: config.dataDir });
  process.on('unhandledRejection', (error) => log.error('unhandled rejection', { error }));
  const stops: (() => Promise<void>)[] = [];
  // Timers of the clock do not keep a process alive that waits for nothing else, such as a server that is away.
  const alive = setInterval(() => {}, 2 ** 31 - 1);
  try {
    await start({
      log,
      signal: asked,
      restart() {
        isRestart = !asked.aborted;
        stop.abort('restart');
      },
      onStop: (stop) => stops.unshift(stop),
      onEnd: (stop) => stops.push(stop),
    });
    if (!asked.aborted) {
      log.info('ready');
      await manager.ready();
    }
    await aborted(asked);
  } catch (error) {
    // What a start says that was told to end is no failure.
    if (!asked.aborted) throw error;
  } finally {
    if (asked.aborted) log.info('stopping', { signal: asked.reason });
    // A service manager kills what does not stop for it; nobody does that for a restart of our own.
    await stopInOrder(stops, { log, clock: systemClock, ...(isRestart ? RESTART_WITHIN : {}) });
    clearInterval(alive);
  }
  // Not after a second signal, which ends the process before it comes here.
  if (isRestart) startAnew();
  return 0;
}

/** Says in a file which process runs here; gone when it stops. Call it once nothing can be in the way any more. */
export function writePidFile({ stateDir }: GeneralConfig, running: Running): void {
  const path = join(stateDir, 'kedge.pid');
  writeFileSync(path, `${process.pid}\n`);
  running.onEnd(async () => rmSync(path, { force: true }));
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function startAnew(): void {
  // The packaged executable brings Node's own options along.
  const node = isSea() ? [] : [...process.execArgv, ...process.argv.slice(1, 2)];
  process.execve?.(process.execPath, [process.argv0, ...node, ...process.argv.slice(2)], process.env);
}

function stopSignals(): AbortController {
  const controller = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    // A second one ends the process at once, as its default does.
    process.once(signal, () => controller.abort(signal));
  }
  return controller;
}

function prepareFolders(config: GeneralConfig): void {
  for (const folder of [config.dataDir, config.stateDir]) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o711 });
      writeFileSync(join(folder, '.writable'), '');
      rmSync(join(folder, '.writable'));
    } catch (cause) {
      const hint =
        process.getuid?.() === 0 ? '' : '; run as root, or choose others with --data-dir and --state-dir';
      throw new Failure(`cannot write to ${folder}: ${errorText(cause)}${hint}`, 1, { cause });
    }
  }
}
