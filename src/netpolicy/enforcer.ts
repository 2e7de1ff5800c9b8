import { join } from 'node:path';
import { namespaces, networkPolicies, pods } from '../api/resources.gen.ts';
import type { Namespace, NetworkPolicy, Pod } from '../api/types.gen.ts';
import type { Informer, InformerFactory } from '../client/informer.ts';
import { Backoff } from '../lib/backoff.ts';
import { type Clock, sleep, type Timer } from '../lib/clock.ts';
import type { Exec } from '../lib/exec.ts';
import { LIMITS } from '../lib/limits.ts';
import { errorText, type Logger } from '../lib/log.ts';
import { createNft } from '../lib/nft/nft.ts';
import { compilePolicies } from './compile.ts';
import { KeptJson } from './kept-json.ts';
import type { PolicyPod } from './model.ts';
import { podChanged, policyPod, resolverPod, slimNamespace, slimPod } from './policy-pod.ts';
import { POLICY_TABLE, renderPolicies } from './render.ts';

export interface NetworkPolicyOptions {
  readonly informers: InformerFactory;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeName: string;
  /** Addresses of the node's resolver; policies reach it as `k8s-app: kube-dns` in `kube-system`. */
  readonly clusterDNS: readonly string[];
  /** Such as `/var/lib/kedge/agent`: keeps the policies last known, for a boot without the server. */
  readonly dataDir: string;
  /** Such as `/run/kedge/agent`, in memory: keeps who the pods elsewhere were, for a restart without the server. */
  readonly stateDir: string;
  /** Goes before every command, such as `nsenter --net=…`. */
  readonly commandPrefix?: readonly string[];
}

/** Puts pods under their policies before their first packet. */
export interface PodIsolation {
  /**
   * Resolves once the kernel holds what policies say about the pod with these addresses; at once where there are no
   * policies. Rejects when the kernel cannot be told: the pod must not start then.
   */
  ensure(pod: Pod, ips: readonly string[]): Promise<void>;
  /** The pod is over and its addresses may be given to another one. */
  release(uid: string): void;
}

export interface NetworkPolicyEnforcer extends PodIsolation {
  /** Resolves once what was known at the start is in the kernel. */
  readonly ready: Promise<void>;
  /** Rules stay in the kernel unless `removeRules`: pods stay isolated while Kedge restarts. */
  stop(options?: { readonly removeRules?: boolean }): Promise<void>;
}

/**
 * Keeps the kernel's rules equal to the NetworkPolicies. While there is no policy it follows nothing else, holds no
 * table and starts no process but one at the start. The caller starts the informers.
 */
export function startNetworkPolicy(options: NetworkPolicyOptions): NetworkPolicyEnforcer {
  const enforcer = new KernelEnforcer(options);
  enforcer.start();
  return enforcer;
}

/** Removes what `startNetworkPolicy` leaves in the kernel, where policies are no longer to be enforced. */
export async function removeNetworkPolicy({ exec }: { readonly exec: Exec }): Promise<void> {
  await createNft({ exec }).remove(POLICY_TABLE);
}

/** What a board needs of the API to isolate its pods; namespaces with their labels. */
interface KnownPolicies {
  readonly policies: readonly NetworkPolicy[];
  readonly namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

interface LocalPod {
  readonly pod: Pod;
  readonly ips: readonly string[];
  /** Whether the kernel was told since. */
  isEnsured: boolean;
}

function isKnownPolicies(value: unknown): value is KnownPolicies {
  const { policies, namespaces: labels } = (value ?? {}) as Partial<KnownPolicies>;
  return Array.isArray(policies) && typeof labels === 'object' && labels !== null;
}

function isPolicyPods(value: unknown): value is readonly PolicyPod[] {
  return (
    Array.isArray(value) &&
    value.every((pod: Partial<PolicyPod>) => Array.isArray(pod.ips) && Array.isArray(pod.ports))
  );
}

interface Followed {
  readonly pods: Informer<Pod>;
  readonly namespaces: Informer<Namespace>;
  readonly off: readonly (() => void)[];
}

class KernelEnforcer implements NetworkPolicyEnforcer {
  readonly #options: NetworkPolicyOptions;
  readonly #nft;
  readonly #keptPolicies: KeptJson<KnownPolicies>;
  readonly #keptPeers: KeptJson<readonly PolicyPod[]>;
  readonly #policies;
  readonly #backoff = new Backoff(LIMITS.network.retry);
  readonly #ready = Promise.withResolvers<void>();
  readonly #abort = new AbortController();
  /** Pods whose addresses the agent told, by uid: their status may not say so yet. */
  readonly #local = new Map<string, LocalPod>();
  /** Pods that the API still has but whose addresses are free. */
  readonly #released = new Set<string>();
  #followed: Followed | undefined;
  #offPolicies: () => void = () => {};
  /** What the files say, once the API has not answered in time. */
  #remembered: (KnownPolicies & { readonly peers: readonly PolicyPod[] }) | undefined;
  /** Resolves when policies are known, from the API or from the disk. */
  #known: Promise<void> = Promise.resolve();
  #inKernel: 'unknown' | boolean = 'unknown';
  #timer: Timer | undefined;
  #current: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(options: NetworkPolicyOptions) {
    this.#options = options;
    this.#nft = createNft({ exec: options.exec, prefix: options.commandPrefix ?? [] });
    const { log, dataDir, stateDir } = options;
    const kept = {
      policies: join(dataDir, 'network-policies.json'),
      peers: join(stateDir, 'network-peers.json'),
    };
    this.#keptPolicies = new KeptJson({ path: kept.policies, log, isValid: isKnownPolicies });
    this.#keptPeers = new KeptJson({ path: kept.peers, log, isValid: isPolicyPods });
    this.#policies = options.informers.for(networkPolicies);
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  start(): void {
    const changed = (): void => {
      this.#follow();
      this.#touch();
    };
    this.#offPolicies = this.#policies.onChange({ add: changed, update: changed, delete: changed });
    this.#known = this.#learn();
    void this.#policies.synced().then(changed, () => {});
  }

  async ensure(pod: Pod, ips: readonly string[]): Promise<void> {
    if (ips.length === 0 || pod.spec?.hostNetwork === true) return;
    const uid = pod.metadata.uid ?? '';
    const before = this.#local.get(uid);
    if (before?.isEnsured && before.ips.join() === ips.join()) return;
    const told: LocalPod = { pod: slimPod(pod), ips, isEnsured: false };
    this.#local.set(uid, told);
    this.#released.delete(uid);
    await this.#known;
    if (this.#abort.signal.aborted) return;
    if (this.#hasPolicies()) {
      if (this.#followed !== undefined) await this.#inTime(this.#allSynced(this.#followed));
      await this.#apply();
    }
    told.isEnsured = true;
  }

  release(uid: string): void {
    this.#local.delete(uid);
    if (this.#followed === undefined) return;
    this.#released.add(uid);
    this.#touch();
  }

  async stop(stopOptions: { readonly removeRules?: boolean } = {}): Promise<void> {
    this.#abort.abort(new Error('network policy stops'));
    this.#timer?.cancel();
    this.#offPolicies();
    for (const off of this.#followed?.off ?? []) off();
    while (this.#current ?? this.#next) await (this.#current ?? this.#next)?.catch(() => {});
    if (stopOptions.removeRules) await this.#nft.remove(POLICY_TABLE);
  }

  /** From the API, or from the disk where the API does not answer in time. */
  async #learn(): Promise<void> {
    await this.#inTime(this.#policies.synced());
    if (this.#policies.hasSynced || this.#abort.signal.aborted) return;
    const known = await this.#keptPolicies.read();
    if (known !== undefined) this.#remembered = { ...known, peers: (await this.#keptPeers.read()) ?? [] };
  }

  async #inTime(synced: Promise<unknown>): Promise<void> {
    const wait = new AbortController();
    const signal = AbortSignal.any([wait.signal, this.#abort.signal]);
    const patience = sleep(this.#options.clock, LIMITS.agent.offlineAfterMs, signal);
    await Promise.race([synced.catch(() => {}), patience.catch(() => {})]);
    wait.abort();
  }

  #hasPolicies(): boolean {
    return this.#policies.hasSynced
      ? this.#policies.store.size > 0
      : (this.#remembered?.policies.length ?? 0) > 0;
  }

  #allSynced(followed: Followed): Promise<unknown> {
    return Promise.all([followed.pods.synced(), followed.namespaces.synced()]);
  }

  /** Follows pods and namespaces as long as there are policies; both cost memory on every board. */
  #follow(): void {
    const { informers } = this.#options;
    if (this.#policies.store.size === 0) {
      const { off, ...sources } = this.#followed ?? { off: [] };
      for (const end of off) end();
      this.#followed = undefined;
      this.#released.clear();
      for (const source of Object.values(sources)) void source.stop().catch(() => {});
      return;
    }
    if (this.#followed !== undefined) return;
    const podInformer = informers.for(pods, { transform: slimPod });
    const namespaceInformer = informers.for(namespaces, { transform: slimNamespace });
    const touch = (): void => this.#touch();
    const off = [
      podInformer.onChange({
        add: touch,
        update: (pod, old) => void (podChanged(old, pod) && touch()),
        delete: ({ metadata }) => {
          this.#released.delete(metadata.uid ?? '');
          touch();
        },
      }),
      namespaceInformer.onChange({ add: touch, update: touch, delete: touch }),
    ];
    this.#followed = { pods: podInformer, namespaces: namespaceInformer, off };
    void this.#allSynced(this.#followed).then(touch, () => {});
  }

  /** Changes that come together are applied together. */
  #touch(delayMs: number = LIMITS.network.coalesceMs): void {
    if (this.#abort.signal.aborted || this.#timer) return;
    this.#timer = this.#options.clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      // Half a picture would cut off pods that may talk, and let in others.
      if (!this.#policies.hasSynced) return;
      const { pods: podInformer, namespaces: namespaceInformer } = this.#followed ?? {};
      if (podInformer?.hasSynced === false || namespaceInformer?.hasSynced === false) return;
      void this.#apply().catch((error: unknown) => {
        const retryMs = this.#backoff.next('apply');
        this.#options.log.error('cannot apply the network policies, trying again', {
          error: errorText(error),
          delayMs: retryMs,
        });
        this.#touch(retryMs);
      });
    });
  }

  /** Resolves when everything known at the time of the call is in the kernel; those who ask meanwhile share the next. */
  #apply(): Promise<void> {
    if (this.#current === undefined) {
      this.#current = this.#applyOnce().finally(() => {
        this.#current = undefined;
      });
      return this.#current;
    }
    this.#next ??= this.#current
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#apply();
      });
    return this.#next;
  }

  async #applyOnce(): Promise<void> {
    const known = this.#knownPolicies();
    const hasPolicies = known.policies.length > 0;
    const everyone = hasPolicies ? this.#pods() : [];
    const model = compilePolicies({
      policies: known.policies,
      namespaces: new Map(Object.entries(known.namespaces)),
      pods: everyone,
    });
    const table = renderPolicies(model);
    if (table !== undefined) {
      const changed = await this.#nft.apply(table);
      this.#inKernel = true;
      if (changed) this.#options.log.debug('network policies applied', { policies: known.policies.length });
    } else if (this.#inKernel !== false) {
      await this.#nft.remove(POLICY_TABLE);
      this.#inKernel = false;
    }
    await this.#keep(hasPolicies ? known : undefined, everyone);
    this.#backoff.forget('apply');
    this.#ready.resolve();
  }

  async #keep(known: KnownPolicies | undefined, everyone: readonly PolicyPod[]): Promise<void> {
    const { pods: podInformer, namespaces: namespaceInformer } = this.#followed ?? {};
    // Half a picture is no better than the last whole one.
    if (
      !this.#policies.hasSynced ||
      podInformer?.hasSynced === false ||
      namespaceInformer?.hasSynced === false
    )
      return;
    await this.#keptPolicies.write(known);
    await this.#keptPeers.write(known && everyone.filter(({ isLocal }) => !isLocal));
  }

  #knownPolicies(): KnownPolicies {
    if (!this.#policies.hasSynced && this.#remembered !== undefined) return this.#remembered;
    const labels = (this.#followed?.namespaces.store.list() ?? []).map(
      ({ metadata }) => [metadata.name ?? '', metadata.labels ?? {}] as const,
    );
    return { policies: this.#policies.store.list(), namespaces: Object.fromEntries(labels) };
  }

  /** Every pod of the cluster; what the agent told of its own counts more than their status. */
  #pods(): readonly PolicyPod[] {
    const { nodeName, clusterDNS } = this.#options;
    const owners = new Map<string, string>();
    for (const [uid, { ips }] of this.#local) for (const ip of ips) owners.set(ip, uid);
    const found: PolicyPod[] = clusterDNS.length > 0 ? [resolverPod(clusterDNS)] : [];
    // An address that a pod of this node has now is no longer that of an older pod.
    const keep = (pod: PolicyPod, uid?: string): void => {
      const ips = pod.ips.filter((ip) => (owners.get(ip) ?? uid) === uid);
      if (ips.length > 0) found.push({ ...pod, ips });
    };
    const seen = new Set<string>();
    const add = (pod: Pod): void => {
      const uid = pod.metadata.uid ?? '';
      seen.add(uid);
      if (this.#released.has(uid)) return;
      const told = this.#local.get(uid);
      const one = policyPod(pod, { nodeName, ...(told ? { ips: told.ips } : {}) });
      if (one !== undefined) keep(one, uid);
    };
    if (this.#followed === undefined) for (const peer of this.#remembered?.peers ?? []) keep(peer);
    for (const pod of this.#followed?.pods.store.list() ?? []) add(pod);
    for (const [uid, { pod }] of this.#local) if (!seen.has(uid)) add(pod);
    return found;
  }
}
