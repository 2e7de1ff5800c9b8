import type { InformerFactory } from '../../client/informer.ts';
import { Backoff } from '../../lib/backoff.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import type { Exec } from '../../lib/exec.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import { DnsServer } from './dns-server.ts';
import { Forwarder } from './forwarder.ts';
import { nameserverSource } from './resolv-conf.ts';
import { Resolver } from './resolver.ts';
import { ServiceIndex } from './service-index.ts';

export interface DnsOptions {
  readonly informers: InformerFactory;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Logger;
  /** Cluster IPs of the resolver, such as 10.43.0.10: put on the loopback interface of this machine. */
  readonly addresses: readonly string[];
  /** 53 unless a test says otherwise. */
  readonly port?: number;
  readonly clusterDomain: string;
  /** Where the name servers for everything else stand; `/etc/resolv.conf` by default. */
  readonly resolvConf?: string;
}

export interface Dns {
  /** Resolves once every address answers. */
  readonly ready: Promise<void>;
  /** Stops answering. The address stays, so that another process can take over, unless `removeAddresses`. */
  stop(options?: { readonly removeAddresses?: boolean }): Promise<void>;
}

/**
 * The cluster's resolver, in this process, on every node: pods reach it under the usual cluster IP, which each node
 * has on its own loopback interface, so that names work with no other node and no pod. An address that cannot be had
 * (another program holds port 53) is tried again until it can. The caller starts the informers.
 */
export function startDns(options: DnsOptions): Dns {
  const { informers, exec, clock, log, clusterDomain, addresses, port = 53 } = options;
  const view = new ServiceIndex(informers);
  const upstreams = nameserverSource(options.resolvConf ?? '/etc/resolv.conf', addresses);
  const forwarder = new Forwarder({ clock, upstreams });
  const resolver = new Resolver({ view, clusterDomain: clusterDomain.toLowerCase(), forwarder });
  const backoff = new Backoff(LIMITS.network.retry);
  const timers = new Map<string, Timer>();
  const servers = new Map<string, DnsServer>();
  const { promise: ready, resolve: becomeReady } = Promise.withResolvers<void>();
  const starting = new Set<Promise<void>>();
  let stopped = false;

  async function serve(address: string): Promise<void> {
    const server = new DnsServer({ address, port, resolve: (query) => resolver.resolve(query) });
    try {
      await exec.run(['ip', 'address', 'replace', address, 'dev', 'lo']);
      await server.listen();
      if (stopped) return await server.close();
      servers.set(address, server);
      log.info('resolver answers', { address, port: server.port });
      if (servers.size === addresses.length) becomeReady();
    } catch (error) {
      await server.close();
      if (stopped) return;
      const delayMs = backoff.next(address);
      log.error('resolver cannot listen, trying again', { address, port, error: errorText(error), delayMs });
      timers.set(
        address,
        clock.setTimer(delayMs, () => begin(address)),
      );
    }
  }

  function begin(address: string): void {
    const run = serve(address).finally(() => starting.delete(run));
    starting.add(run);
  }

  for (const address of addresses) begin(address);
  return {
    ready,
    async stop(stopOptions = {}) {
      stopped = true;
      for (const timer of timers.values()) timer.cancel();
      view.close();
      await Promise.all(starting);
      await Promise.all([...servers.values()].map((server) => server.close()));
      if (stopOptions.removeAddresses) await removeDnsAddresses(exec, addresses);
    },
  };
}

/** Takes the resolver's addresses off the loopback interface; those that are not there do no harm. */
export async function removeDnsAddresses(exec: Exec, addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    const length = address.includes(':') ? 128 : 32;
    await exec.run(['ip', 'address', 'delete', `${address}/${length}`, 'dev', 'lo']).catch(() => {});
  }
}
