import { join } from 'node:path';
import { connectToServer, type ServerConnection } from '../../agent/join/connection.ts';
import { JoinRefused } from '../../agent/join/join.ts';
import { dialServer, startTunnel } from '../../agent/tunnel/tunnel.ts';
import { createInformerFactory } from '../../client/informer-factory.ts';
import { createKeptCopies } from '../../client/kept-copies.ts';
import { sleep, systemClock } from '../../lib/clock.ts';
import { createExec } from '../../lib/exec.ts';
import { LIMITS } from '../../lib/limits.ts';
import { createMemoryTidier } from '../../lib/memory-tidier.ts';
import { processMemory } from '../../lib/process-memory.ts';
import { Failure } from '../failure.ts';
import { parseClusterSettings } from '../node/cluster-settings.ts';
import { restartOnNewAddress } from '../node/new-address.ts';
import { startNode } from '../node/node.ts';
import { type Running, stayRunning, writePidFile } from '../running.ts';
import { claimDataDir } from './claim.ts';
import type { AgentConfig } from './config.ts';

/** Runs until SIGTERM or SIGINT, which also ends a start half way. Containers go on running. Returns the exit code. */
export async function runAgent(config: AgentConfig): Promise<number> {
  if (process.getuid?.() !== 0) throw new Failure('containers need root: run as root');
  return await stayRunning(config.node, (running) => start(config, running));
}

async function start(config: AgentConfig, running: Running): Promise<void> {
  const { log, signal } = running;
  const clock = systemClock;
  running.onEnd(await claimDataDir(config.node.dataDir));
  const connection = await connect(config, running);
  running.onStop(() => connection.stop());
  const cluster = await connection.settings(parseClusterSettings);
  signal.throwIfAborted();
  writePidFile(config.node, running);
  const { client } = connection;
  const informers = createInformerFactory({
    ...{ client, clock },
    log: log.child('informers'),
    copies: createKeptCopies({
      dataDir: join(config.node.dataDir, 'agent'),
      stateDir: join(config.node.stateDir, 'agent'),
      cluster: connection.cluster,
      ...{ clock, log: log.child('informers') },
    }),
  });
  connection.follow(informers);
  const node = await startNode({
    ...{ config: config.node, cluster, client, informers, clock, log, signal },
    exec: createExec(),
  });
  running.onStop(() => node.stop());
  running.onStop(restartOnNewAddress(config.node, running));
  const tidier = createMemoryTidier({ memory: processMemory, clock });
  running.onStop(async () => tidier.stop());
  const tunnel = startTunnel({
    api: node.api,
    dial: (aborted) => dialServer(connection.address, aborted),
    // Whatever hangs on a connection from before would keep hanging for minutes.
    onBack() {
      client.reconnect();
      informers.retry();
    },
    clock,
    log: log.child('tunnel'),
  });
  running.onStop(() => tunnel.stop());
  connection.onBack(() => {
    tunnel.retry();
    informers.retry();
  });
  // Last words reach a server that is there; one that is gone must not hold up the end.
  signal.addEventListener('abort', () => {
    clock.setTimer(LIMITS.agent.farewellMs, () => void client.close());
  });
  // Ready means that the cluster has the node; but a board that boots without its server works all the same.
  const alone = sleep(clock, LIMITS.agent.offlineAfterMs, signal).catch(() => {});
  await Promise.race([node.registered, alone]);
}

async function connect({ node, server, token }: AgentConfig, running: Running): Promise<ServerConnection> {
  const { log, signal } = running;
  try {
    return await connectToServer({
      ...{ server, token, signal },
      nodeName: node.name,
      dataDir: join(node.dataDir, 'agent'),
      clock: systemClock,
      log: log.child('join'),
      // The service manager starts it anew.
      onMoved: () => process.kill(process.pid, 'SIGTERM'),
    });
  } catch (cause) {
    if (cause instanceof JoinRefused) throw new Failure(cause.message, 1, { cause });
    throw cause;
  }
}
