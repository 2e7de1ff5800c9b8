import { namespaces, networkPolicies, pods } from '../api/resources.gen.ts';
import type { Namespace, NetworkPolicy, Pod } from '../api/types.gen.ts';
import type { Informer, InformerFactory } from '../client/informer.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import { LIMITS } from '../lib/limits.ts';
import type { Logger } from '../lib/log.ts';
import type { PolicyInput, PolicyPod } from './model.ts';
import { podChanged, policyPod, resolverPod, slimNamespace, slimPod } from './policy-pod.ts';

export interface PolicyViewOptions {
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeName: string;
  /** Addresses of the node's resolver; policies reach it as `k8s-app: kube-dns` in `kube-system`. */
  readonly clusterDNS: readonly string[];
}

/** Informers fall back on their copies first. */
const SLACK_MS = 500;

interface Followed {
  readonly pods: Informer<Pod>;
  readonly namespaces: Informer<Namespace>;
  readonly off: readonly (() => void)[];
}

/**
 * What is known of policies, namespaces and pods: from the API or, while that does not answer, from the copies that
 * informers keep, and from the agent about its own pods. Who the pods elsewhere were is forgotten with a reboot: then
 * their addresses may be somebody else's. Pods and namespaces are followed only while there are policies: both cost memory on every
 * board.
 */
export class PolicyView {
  readonly #options: PolicyViewOptions;
  readonly #onChange: () => void;
  readonly #policies: Informer<NetworkPolicy>;
  readonly #abort = new AbortController();
  /** Pods whose addresses the agent told, by uid: their status may not say so yet. */
  readonly #local = new Map<string, { readonly pod: Pod; readonly ips: readonly string[] }>();
  /** Pods that the API still has but whose addresses are free. */
  readonly #released = new Set<string>();
  #followed: Followed | undefined;
  #offPolicies: () => void = () => {};
  #learned: Promise<void> = Promise.resolve();

  constructor(options: PolicyViewOptions, onChange: () => void) {
    this.#options = options;
    this.#onChange = onChange;
    this.#policies = options.informers.for(networkPolicies, {
      keep: { as: 'networkpolicies', isUrgent: true },
    });
  }

  start(): void {
    const changed = (): void => {
      this.#follow();
      this.#onChange();
    };
    this.#offPolicies = this.#policies.onChange({ add: changed, update: changed, delete: changed });
    this.#learned = this.#inTime(this.#policies.synced());
    void this.#policies.synced().then(changed, () => {});
  }

  stop(): void {
    this.#abort.abort(new Error('network policy stops'));
    this.#offPolicies();
    for (const off of this.#followed?.off ?? []) off();
  }

  get hasPolicies(): boolean {
    return this.#policies.store.size > 0;
  }

  /** Whether all of it is known: half a picture cuts off pods that may talk, and lets in others. */
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
    const policies = this.#policies.store.list();
    const labels = (this.#followed?.namespaces.store.list() ?? []).map(
      ({ metadata }) => [metadata.name ?? '', metadata.labels ?? {}] as const,
    );
    return {
      policies,
      namespaces: new Map(labels),
      pods: policies.length > 0 ? this.#pods() : [],
    };
  }

  async #inTime(synced: Promise<unknown>): Promise<void> {
    const wait = new AbortController();
    const signal = AbortSignal.any([wait.signal, this.#abort.signal]);
    const patience = sleep(this.#options.clock, LIMITS.informer.offlineAfterMs + SLACK_MS, signal);
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
    const podInformer = informers.for(pods, {
      transform: slimPod,
      keep: { as: 'pods', until: 'reboot' },
    });
    const namespaceInformer = informers.for(namespaces, {
      transform: slimNamespace,
      keep: { as: 'namespaces', isUrgent: true },
    });
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
    return found;
  }
}
