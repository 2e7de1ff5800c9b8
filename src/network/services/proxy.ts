import { endpointSlices, services } from '../../api/resources.gen.ts';
import type { InformerFactory } from '../../client/informer.ts';
import type { Clock } from '../../lib/clock.ts';
import { CoalescedWork } from '../../lib/coalesced-work.ts';
import { type Exec, ExecError } from '../../lib/exec.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import { createNft } from '../../lib/nft/nft.ts';
import { planServices, type ServiceRuleset } from './plan.ts';
import { renderServices, SERVICE_TABLE } from './render.ts';
import { staleFlows } from './stale-flows.ts';

export interface ServiceProxyOptions {
  readonly informers: InformerFactory;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeName: string;
  /** Ranges of the pods of the whole cluster. */
  readonly clusterCIDRs: readonly string[];
  /** Ranges of cluster IPs; each gets a route, so that they work without a default route. */
  readonly serviceCIDRs: readonly string[];
  /** This node's addresses; the source of the host's own packets to Services. */
  readonly nodeIPs: readonly string[];
  /** Cluster IPs that this node answers itself (the resolver's). */
  readonly localIPs: readonly string[];
  /** Goes before every command, such as `nsenter --net=…`. */
  readonly commandPrefix?: readonly string[];
}

export interface ServiceProxy {
  /** Resolves once the rules for what was known at the start are in the kernel. */
  readonly ready: Promise<void>;
  /** Rules stay in the kernel unless `removeRules`: Services go on while Kedge restarts. */
  stop(options?: { readonly removeRules?: boolean }): Promise<void>;
}

/** Keeps the kernel's rules equal to the Services and EndpointSlices. The caller starts the informers. */
export function startServiceProxy(options: ServiceProxyOptions): ServiceProxy {
  const proxy = new KernelProxy(options);
  proxy.start();
  return proxy;
}

/** Removes what `startServiceProxy` leaves in the kernel; for a machine that is being cleaned. */
export async function removeServiceRules(options: {
  readonly exec: Exec;
  readonly serviceCIDRs: readonly string[];
}): Promise<void> {
  await createNft(options).remove(SERVICE_TABLE);
  for (const cidr of options.serviceCIDRs) {
    await options.exec.run([...ipCommand(cidr), 'route', 'delete', cidr, 'dev', 'lo']).catch(() => {});
  }
}

class KernelProxy implements ServiceProxy {
  readonly #options: ServiceProxyOptions;
  readonly #nft;
  readonly #work: CoalescedWork;
  readonly #ready = Promise.withResolvers<void>();
  #applied: ServiceRuleset = { ports: [] };
  #routed = false;
  #unsubscribe: (() => void)[] = [];

  constructor(options: ServiceProxyOptions) {
    this.#options = options;
    const { exec, clock, log, commandPrefix = [] } = options;
    this.#nft = createNft({ exec, prefix: commandPrefix });
    this.#work = new CoalescedWork({
      clock,
      coalesceMs: LIMITS.network.coalesceMs,
      retry: LIMITS.network.retry,
      work: () => this.#sync(),
      onError: (error, delayMs) =>
        log.error('cannot apply the rules for Services, trying again', { error: errorText(error), delayMs }),
    });
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  start(): void {
    const { informers } = this.#options;
    const ask = (): void => this.#work.ask();
    const handler = { add: ask, update: ask, delete: ask };
    const sources = [
      informers.for(services, { keep: { as: 'services' } }),
      informers.for(endpointSlices, { keep: { as: 'endpointslices' } }),
    ];
    this.#unsubscribe = sources.map((source) => source.onChange(handler));
    void Promise.all(sources.map((source) => source.synced())).then(
      ask,
      // Stopped before the first list came.
      () => {},
    );
  }

  async stop(stopOptions: { readonly removeRules?: boolean } = {}): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    await this.#work.stop();
    if (stopOptions.removeRules) await removeServiceRules({ ...this.#options });
  }

  async #sync(): Promise<void> {
    const { informers, nodeName, localIPs, clusterCIDRs, log } = this.#options;
    const sources = { services: informers.for(services), slices: informers.for(endpointSlices) };
    // Half a picture would cut off Services that work.
    if (!sources.services.hasSynced || !sources.slices.hasSynced) return;
    const ruleset = planServices({
      services: sources.services.store.list(),
      endpointSlices: sources.slices.store.list(),
      ...{ nodeName, localIPs },
    });
    await this.#ensureRoutes();
    const changed = await this.#nft.apply(renderServices(ruleset, { clusterCIDRs }));
    const stale = staleFlows(this.#applied, ruleset);
    this.#applied = ruleset;
    if (changed) {
      log.debug('service rules applied', { ports: ruleset.ports.length });
      await this.#forget(stale);
    }
    this.#ready.resolve();
  }

  /** Without a route the host's own packets to a cluster IP fail before any rule sees them. */
  async #ensureRoutes(): Promise<void> {
    if (this.#routed) return;
    const { serviceCIDRs, nodeIPs, exec, commandPrefix = [] } = this.#options;
    for (const cidr of serviceCIDRs) {
      const source = nodeIPs.find((ip) => ip.includes(':') === cidr.includes(':'));
      const route = ['route', 'replace', cidr, 'dev', 'lo', ...(source === undefined ? [] : ['src', source])];
      await exec.run([...commandPrefix, ...ipCommand(cidr), ...route]);
    }
    this.#routed = true;
  }

  async #forget(flows: readonly (readonly string[])[]): Promise<void> {
    const { exec, log, commandPrefix = [] } = this.#options;
    if (flows.length > LIMITS.network.staleFlows) {
      log.warn('too many stale UDP flows to end one by one; some clients may wait for theirs to time out', {
        flows: flows.length,
      });
    }
    for (const flow of flows.slice(0, LIMITS.network.staleFlows)) {
      await exec.run([...commandPrefix, 'conntrack', '--delete', ...flow]).catch((error) => {
        // Exit code 1 says that there was nothing to delete.
        if (error instanceof ExecError && error.exitCode === 1) return;
        log.warn('cannot end stale UDP flows (apt install conntrack)', { error: errorText(error) });
      });
    }
  }
}

const ipCommand = (cidr: string): readonly string[] => (cidr.includes(':') ? ['ip', '-6'] : ['ip', '-4']);
