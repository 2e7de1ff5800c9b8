import { createInformerFactory } from '../../client/informer-factory.ts';
import { systemClock } from '../../lib/clock.ts';
import { createExec } from '../../lib/exec.ts';
import { Failure } from '../failure.ts';
import { restartOnNewAddress } from '../node/new-address.ts';
import { startNode } from '../node/node.ts';
import { aborted, type Running, stayRunning, writePidFile } from '../running.ts';
import type { ServerConfig } from './config.ts';
import { startControlPlane } from './control-plane.ts';
import { LocalNode } from './local-node.ts';

/** Runs until SIGTERM or SIGINT, which also ends a start half way. Containers go on running. Returns the exit code. */
export async function runServer(config: ServerConfig): Promise<number> {
  if (!config.disableAgent && process.getuid?.() !== 0) {
    throw new Failure('containers need root: run as root, or with --disable-agent for the API alone');
  }
  const { logLevel, dataDir, stateDir, node } = config;
  return await stayRunning({ logLevel, dataDir, stateDir, name: node.name }, (running) =>
    start(config, running),
  );
}

async function start(config: ServerConfig, running: Running): Promise<void> {
  const { log, signal } = running;
  const clock = systemClock;
  const localNode = new LocalNode(config.node.name);
  const control = await startControlPlane({ config, nodeConnector: localNode, clock, log });
  running.onStop(() => control.stop());
  // Only now: a second server, which finds the port taken, must not replace the file of the first.
  writePidFile(config, running);
  if (config.disableAgent || signal.aborted) return;
  const client = control.server.client(
    { name: `system:node:${config.node.name}`, groups: ['system:nodes', 'system:authenticated'] },
    'kubelet',
  );
  const started = await startNode({
    ...{ config: config.node, cluster: config.cluster, client, clock, log, signal },
    informers: createInformerFactory({ client, clock, log: log.child('informers') }),
    exec: createExec(),
    containerdHint: '; without it, --disable-agent runs the API alone',
  });
  localNode.api = started.api;
  running.onStop(() => started.stop());
  running.onStop(restartOnNewAddress(config.node, running));
  await Promise.race([started.registered, aborted(signal)]);
}
