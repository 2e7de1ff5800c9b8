import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../lib/clock.ts';
import { createExec } from '../../lib/exec.ts';
import { createLogger, errorText } from '../../lib/log.ts';
import { VERSION } from '../../lib/version.ts';
import { Failure } from '../failure.ts';
import type { ServerConfig } from './config.ts';
import { startControlPlane } from './control-plane.ts';
import { LocalNode, startNode } from './node.ts';

/** Runs until SIGTERM or SIGINT. Containers go on running. Returns the exit code. */
export async function runServer(config: ServerConfig): Promise<number> {
  const log = createLogger({ level: config.logLevel });
  const clock = systemClock;
  const asked = stopSignal();
  prepareFolders(config);
  log.info('starting', {
    version: VERSION,
    node: config.node.name,
    pid: process.pid,
    dataDir: config.dataDir,
  });
  process.on('unhandledRejection', (error) => log.error('unhandled rejection', { error }));
  const localNode = new LocalNode(config.node.name);
  const control = await startControlPlane({ config, nodeConnector: localNode, clock, log });
  const stops = [() => control.stop()];
  try {
    const pidFile = join(config.stateDir, 'kedge.pid');
    writeFileSync(pidFile, `${process.pid}\n`);
    stops.unshift(async () => rmSync(pidFile, { force: true }));
    if (!config.disableAgent) {
      const node = await startNode({ config, control, clock, log, exec: createExec() });
      localNode.api = node.api;
      stops.unshift(() => node.stop());
    }
    log.info('stopping', { signal: await asked });
  } finally {
    for (const stop of stops) await stop().catch((error: unknown) => log.error('while stopping', { error }));
  }
  return 0;
}

function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      // A second one ends the process at once, as its default does.
      process.once(signal, () => resolve(signal));
    }
  });
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
