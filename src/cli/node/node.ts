import { join } from 'node:path';
import { type Agent, startAgent } from '../../agent/agent.ts';
import { nodes } from '../../api/resources.gen.ts';
import type { Node } from '../../api/types.gen.ts';
import { createEventRecorder } from '../../client/event-writer.ts';
import type { InformerFactory } from '../../client/informer.ts';
import type { NodeApi } from '../../client/node-port.ts';
import type { Client } from '../../client/port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Exec } from '../../lib/exec.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import { VERSION } from '../../lib/version.ts';
import {
  type NetworkPolicyEnforcer,
  removeNetworkPolicy,
  startNetworkPolicy,
} from '../../netpolicy/enforcer.ts';
import { startDns } from '../../network/dns/dns.ts';
import { overlayKernel } from '../../network/overlay/kernel.ts';
import { type Overlay, startOverlay } from '../../network/overlay/overlay.ts';
import { startServiceProxy } from '../../network/services/proxy.ts';
import { type Containerd, startContainerd } from '../../runtime/containerd-daemon.ts';
import { createCtrRuntime } from '../../runtime/ctr/ctr-runtime.ts';
import type { Runtime } from '../../runtime/port.ts';
import { Failure } from '../failure.ts';
import type { ClusterSettings } from './cluster-settings.ts';
import { CNI_BIN_DIRS, type NodeConfig } from './config.ts';
import { importImages } from './import-images.ts';

export interface NodeOptions {
  readonly config: NodeConfig;
  readonly cluster: ClusterSettings;
  /** Has the rights of this node: in process where the server runs here, over HTTPS elsewhere. */
  readonly client: Client;
  /** Over that client; started here. */
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly exec: Exec;
  /** Aborts the start; what was started is stopped again, and the promise rejects. */
  readonly signal: AbortSignal;
  /** Ends the line that says that containerd cannot be started. */
  readonly containerdHint?: string;
}

export interface RunningNode {
  readonly api: NodeApi;
  /** Resolves when the API has the node. Never rejects; pending while the API is away. */
  readonly registered: Promise<void>;
  /** Containers keep running. */
  stop(): Promise<void>;
}

/**
 * containerd, runtime, Services, names and the agent of this board. All of it has the rights of the node and no others,
 * as on a board that joined: what it may not see here, it could not see there.
 */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const { config, cluster, client, informers, clock, log, exec } = options;
  const nodeName = config.name;
  const containerd = await startOwnContainerd(options);
  const overlay = await startOverlay({
    ...{ informers, client, clock, nodeName },
    kernel: overlayKernel({ exec }),
    log: log.child('overlay'),
    nodeIP: config.ip,
    mode: cluster.overlay,
    clusterCIDR: cluster.clusterCIDR,
  });
  const runtime = createRuntime(options, { containerd, informers, overlay });
  const proxy = config.disabled.has('service-proxy')
    ? undefined
    : startServiceProxy({
        informers,
        exec,
        clock,
        log: log.child('services'),
        nodeName,
        clusterCIDRs: [cluster.clusterCIDR],
        serviceCIDRs: [cluster.serviceCIDR],
        nodeIPs: [config.ip],
        localIPs: config.disabled.has('dns') ? [] : [cluster.clusterDNS],
      });
  const dns = config.disabled.has('dns')
    ? undefined
    : startDns({
        informers,
        exec,
        clock,
        log: log.child('dns'),
        addresses: [cluster.clusterDNS],
        clusterDomain: cluster.clusterDomain,
      });
  const isolation = startIsolation(options, informers);
  const agent: Agent = await startAgent({
    client,
    informers,
    events: createEventRecorder({
      client,
      clock,
      log: log.child('events'),
      component: 'kubelet',
      host: nodeName,
    }),
    runtime,
    ...(isolation === undefined ? {} : { isolation }),
    clock,
    log,
    exec,
    nodeName,
    nodeIP: config.ip,
    labels: config.labels,
    taints: config.taints,
    dataDir: join(config.dataDir, 'agent'),
    stateDir: join(config.stateDir, 'agent'),
    clusterDNS: cluster.clusterDNS,
    clusterDomain: cluster.clusterDomain,
    cgroupRoot: config.cgroupRoot,
    version: VERSION,
  });
  informers.start().catch((error: unknown) => log.error('informers did not start', { error }));
  importImages({ folder: join(config.dataDir, 'agent/images'), runtime, log: log.child('images') }).catch(
    (error: unknown) => log.error('cannot load images', { error }),
  );
  return {
    api: agent.api,
    registered: agent.registered,
    async stop() {
      await agent.stop();
      await isolation?.stop();
      await dns?.stop();
      await proxy?.stop();
      await overlay.stop();
      await informers.stop();
      await runtime.close();
      await containerd?.stop();
    },
  };
}

function startIsolation(
  { config, cluster, exec, clock, log }: NodeOptions,
  informers: InformerFactory,
): NetworkPolicyEnforcer | undefined {
  const logOfPolicies = log.child('network-policy');
  if (config.disabled.has('network-policy')) {
    // An earlier run may have left rules that nobody would change any more.
    removeNetworkPolicy({ exec }).catch((error: unknown) =>
      logOfPolicies.error('cannot remove the rules of network policies', { error }),
    );
    return undefined;
  }
  return startNetworkPolicy({
    ...{ informers, exec, clock },
    log: logOfPolicies,
    nodeName: config.name,
    clusterDNS: config.disabled.has('dns') ? [] : [cluster.clusterDNS],
  });
}

async function startOwnContainerd({
  config,
  exec,
  clock,
  log,
  signal,
  containerdHint: hint = '',
}: NodeOptions): Promise<Containerd | undefined> {
  if (config.containerRuntimeEndpoint !== undefined) return undefined;
  try {
    return await startContainerd({
      exec,
      clock,
      log: log.child('containerd'),
      root: join(config.dataDir, 'agent/containerd'),
      state: join(config.stateDir, 'containerd'),
      address: join(config.stateDir, 'containerd/containerd.sock'),
      signal,
    });
  } catch (cause) {
    signal.throwIfAborted();
    throw new Failure(`${errorText(cause)}${hint}`, 1, { cause });
  }
}

/** All that this board asks of its own Node: heartbeats must not reach the copy on the disk. */
function podRangeOf({ metadata, spec }: Node): Node {
  const { name, uid } = metadata;
  return {
    metadata: { ...(name && { name }), ...(uid && { uid }) },
    spec: spec?.podCIDRs ? { podCIDRs: spec.podCIDRs } : {},
  };
}

function createRuntime(
  { config, exec, clock, log }: NodeOptions,
  parts: {
    readonly containerd: Containerd | undefined;
    readonly informers: InformerFactory;
    readonly overlay: Overlay;
  },
): Runtime {
  const { containerd, informers, overlay } = parts;
  const node = informers.for(nodes, {
    fieldSelector: `metadata.name=${config.name}`,
    transform: podRangeOf,
    keep: { as: 'node' },
  });
  return createCtrRuntime({
    exec,
    clock,
    log: log.child('runtime'),
    address: containerd?.address ?? config.containerRuntimeEndpoint ?? '',
    stateDir: config.stateDir,
    dataDir: join(config.dataDir, 'agent/runtime'),
    logDir: join(config.dataDir, 'agent/logs'),
    snapshotter: config.snapshotter,
    ...(containerd === undefined ? {} : { containerdRoot: containerd.root }),
    cni: {
      binDirs: CNI_BIN_DIRS,
      userConfDir: '/etc/cni/net.d',
      confDir: join(config.dataDir, 'agent/etc/cni/net.d'),
      podCidrs: () => node.store.get(undefined, config.name)?.spec?.podCIDRs ?? [],
      mtu: () => overlay.podMtu,
    },
  });
}
