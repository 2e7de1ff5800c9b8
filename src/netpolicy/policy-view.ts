import { join } from 'node:path';
import { namespaces, networkPolicies, pods } from '../api/resources.gen.ts';
import type { Namespace, NetworkPolicy, Pod } from '../api/types.gen.ts';
import type { Informer, InformerFactory } from '../client/informer.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import { LIMITS } from '../lib/limits.ts';
import type { Logger } from '../lib/log.ts';
import { KeptJson } from './kept-json.ts';
import type { PolicyInput, PolicyPod } from './model.ts';
import { podChanged, policyPod, resolverPod, slimNamespace, slimPod } from './policy-pod.ts';

export interface PolicyViewOptions {
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeName: string;
  /** Addresses of the node's resolver; policies reach it as `k8s-app: kube-dns` in `kube-system`. */
  readonly clusterDNS: readonly string[];
  /** Such as `/var/lib/kedge/agent`: keeps the policies last known, for a boot without the server. */
  readonly dataDir: string;
  /** Such as `/run/kedge/agent`, in memory: keeps who the pods elsewhere were, for a restart without the server. */
  readonly stateDir: string;
}

/** What a board needs of the API to isolate its pods; namespaces with their labels. */
interface KnownPolicies {
  readonly policies: readonly NetworkPolicy[];
  readonly namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

interface Followed {
  readonly pods: Informer<Pod>;
  readonly namespaces: Informer<Namespace>;
  readonly off: readonly (() => void)[];
}

/**
 * What is known of policies, namespaces and pods: from the API, from the agent about its own pods, and from files while
 * the API does not answer. Pods and namespaces are followed only while there are policies: both cost memory on every
 * board.
 */
export class PolicyView {
  readonly #options: PolicyViewOptions;
  readonly #onChange: () => void;
  readonly #keptPolicies: KeptJson<KnownPolicies>;
  readonly #keptPeers: KeptJson<readonly PolicyPod[]>;
  readonly #policies: Informer<NetworkPolicy>;
  readonly #abort = new AbortController();
  /** Pods whose addresses the agent told, by uid: their status may not say so yet. */
  readonly #local = new Map<string, { readonly pod: Pod; readonly ips: readonly string[] }>();
  /** Pods that the API still has but whose addresses are free. */
  readonly #released = new Set<string>();
  #followed: Followed | undefined;
  #offPolicies: () => void = () => {};
  /** What the files say, once the API has not answered in time. */
  #remembered: (KnownPolicies & { readonly peers: readonly PolicyPod[] }) | undefined;
  #learned: Promise<void> = Promise.resolve();

  constructor(options: PolicyViewOptions, onChange: () => void) {
    const { log, dataDir, stateDir, informers } = options;
    this.#options = options;
    this.#onChange = onChange;
    const path = join(dataDir, 'network-policies.json');
    this.#keptPolicies = new KeptJson({ path, log, isValid: isKnownPolicies });
    const peersPath = join(stateDir, 'network-peers.json');
    this.#keptPeers = new KeptJson({ path: peersPath, log, isValid: isPolicyPods });
    this.#policies = informers.for(networkPolicies);
  }

  start(): void {
    const changed = (): void => {
      this.#follow();
      this.#onChange();
    };
    this.#offPolicies = this.#policies.onChange({ add: changed, update: changed, delete: changed });
    this.#learned = this.#learn();
    void this.#policies.synced().then(changed, () => {});
  }

  stop(): void {
    this.#abort.abort(new Error('network policy stops'));
    this.#offPolicies();
    for (const off of this.#followed?.off ?? []) off();
  }

  get hasPolicies(): boolean {
    return this.#known().policies.length > 0;
  }

  /** Whether all of it comes from the API: half a picture cuts off pods that may talk, and lets in others. */
  get isWhole(): boolean {
    if (!this.#policies.hasSynced) return false;
    return (
      this.#followed === undefined || (this.#followed.pods.hasSynced && this.#followed.namespaces.hasSynced)
    );
  }

  /** Resolves when all that matters has come from the API, or has not come in time. */
  async learned(): Promise<void> {
    await this.#learned;
    if (this.#followed !== undefined) await this.#inTime(this.#synced(this.#followed));
  }

  /** The agent's word on a pod of its own. */
  tell(pod: Pod, ips: readonly string[]): void {
    const uid = pod.metadata.uid ?? '';
    this.#local.set(uid, { pod: slimPod(pod), ips });
    this.#released.delete(uid);
  }

  release(uid: string): void {
    this.#local.delete(uid);
    if (this.#followed === undefined) return;
    this.#released.add(uid);
    this.#onChange();
  }

  input(): PolicyInput {
    const known = this.#known();
    return {
      policies: known.policies,
      namespaces: new Map(Object.entries(known.namespaces)),
      pods: known.policies.length > 0 ? this.#pods() : [],
    };
  }

  /** Writes what was enforced where a start without the server finds it. */
  async keep({ policies, namespaces: labels, pods: everyone }: PolicyInput): Promise<void> {
    if (!this.isWhole) return;
    const isEmpty = policies.length === 0;
    await this.#keptPolicies.write(
      isEmpty ? undefined : { policies, namespaces: Object.fromEntries(labels) },
    );
    await this.#keptPeers.write(isEmpty ? undefined : everyone.filter(({ isLocal }) => !isLocal));
  }

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

  #synced(followed: Followed): Promise<unknown> {
    return Promise.all([followed.pods.synced(), followed.namespaces.synced()]);
  }

  #follow(): void {
    const { informers } = this.#options;
    if (this.#policies.store.size === 0) this.#unfollow();
    if (this.#policies.store.size === 0 || this.#followed !== undefined) return;
    const podInformer = informers.for(pods, { transform: slimPod });
    const namespaceInformer = informers.for(namespaces, { transform: slimNamespace });
    const changed = (): void => this.#onChange();
    const off = [
      podInformer.onChange({
        add: changed,
        update: (pod, old) => void (podChanged(old, pod) && changed()),
        delete: ({ metadata }) => {
          this.#released.delete(metadata.uid ?? '');
          changed();
        },
      }),
      namespaceInformer.onChange({ add: changed, update: changed, delete: changed }),
    ];
    this.#followed = { pods: podInformer, namespaces: namespaceInformer, off };
    void this.#synced(this.#followed).then(changed, () => {});
  }

  #unfollow(): void {
    if (this.#followed === undefined) return;
    const { off, ...sources } = this.#followed;
    for (const end of off) end();
    this.#followed = undefined;
    this.#released.clear();
    for (const source of Object.values(sources)) void source.stop().catch(() => {});
  }

  #known(): KnownPolicies {
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
    for (const pod of this.#followed?.pods.store.list() ?? []) add(pod);
    for (const [uid, { pod }] of this.#local) if (!seen.has(uid)) add(pod);
    if (this.#followed === undefined) for (const peer of this.#remembered?.peers ?? []) keep(peer);
    return found;
  }
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
