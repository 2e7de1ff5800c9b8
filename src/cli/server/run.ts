import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../lib/clock.ts';
import { createExec } from '../../lib/exec.ts';
import { createLogger, errorText, type Logger } from '../../lib/log.ts';
import { VERSION } from '../../lib/version.ts';
import { Failure } from '../failure.ts';
import type { ServerConfig } from './config.ts';
import { startControlPlane } from './control-plane.ts';
import { LocalNode, startNode } from './node.ts';

/** Runs until SIGTERM or SIGINT, which also ends a start half way. Containers go on running. Returns the exit code. */
export async function runServer(config: ServerConfig): Promise<number> {
  if (!config.disableAgent && process.getuid?.() !== 0) {
    throw new Failure('containers need root: run as root, or with --disable-agent for the API alone');
  }
  const log = createLogger({ level: config.logLevel });
  const asked = stopSignal();
  prepareFolders(config);
  log.info('starting', {
    version: VERSION,
    node: config.node.name,
    pid: process.pid,
    dataDir: config.dataDir,
  });
  process.on('unhandledRejection', (error) => log.error('unhandled rejection', { error }));
  const stops: (() => Promise<void>)[] = [];
  try {
    await start({ config, log, stops, signal: asked });
    if (!asked.aborted) await new Promise((resolve) => asked.addEventListener('abort', resolve));
  } catch (error) {
    // What a start says that was told to end is no failure.
    if (!asked.aborted) throw error;
  } finally {
    if (asked.aborted) log.info('stopping', { signal: asked.reason });
    for (const stop of stops) await stop().catch((error: unknown) => log.error('while stopping', { error }));
  }
  return 0;
}

interface Start {
  readonly config: ServerConfig;
  readonly log: Logger;
  /** What has to be stopped, in this order; grows at the front. */
  readonly stops: (() => Promise<void>)[];
  readonly signal: AbortSignal;
}

async function start({ config, log, stops, signal }: Start): Promise<void> {
  const clock = systemClock;
  const localNode = new LocalNode(config.node.name);
  const control = await startControlPlane({ config, nodeConnector: localNode, clock, log });
  stops.unshift(() => control.stop());
  // Only now: a second server, which finds the port taken, must not replace the file of the first.
  const pidFile = join(config.stateDir, 'kedge.pid');
  writeFileSync(pidFile, `${process.pid}\n`);
  stops.push(async () => rmSync(pidFile, { force: true }));
  if (config.disableAgent || signal.aborted) return;
  const node = await startNode({ config, control, clock, log, exec: createExec(), signal });
  localNode.api = node.api;
  stops.unshift(() => node.stop());
}

/** Aborted by the first SIGTERM or SIGINT, whose name is the reason. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    // A second one ends the process at once, as its default does.
    process.once(signal, () => controller.abort(signal));
  }
  return controller.signal;
}

function prepareFolders(config: ServerConfig): void {
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
