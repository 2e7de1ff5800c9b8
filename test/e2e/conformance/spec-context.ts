import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type * as api from '../../../src/api/types.gen.ts';
import type { Query } from './api-client.ts';
import type { Cluster } from './cluster.ts';
import type { KubeObject, ResourceClient } from './resource-client.ts';
import type { WatchEvents } from './watch-events.ts';

/** What one spec works with: the cluster and a namespace of its own, which goes with the spec. */
export class SpecContext {
  readonly cluster: Cluster;
  readonly #cleanups: (() => Promise<unknown>)[] = [];
  #namespace = '';

  private constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  static async open(cluster: Cluster): Promise<SpecContext> {
    const context = new SpecContext(cluster);
    context.#namespace = await context.newNamespace();
    return context;
  }

  get namespace(): string {
    return this.#namespace;
  }

  /** Part of a name that no other spec has. */
  unique(prefix: string): string {
    return `${prefix}-${randomBytes(4).toString('hex')}`;
  }

  /** Another namespace; it goes with the spec, too. Its default service account is there. */
  async newNamespace(labels: Record<string, string> = {}): Promise<string> {
    const name = this.unique('spec');
    await this.cluster.namespaces.create({ metadata: { name, labels: { conformance: 'spec', ...labels } } });
    this.defer(async () => {
      await this.cluster.namespaces.delete(name);
      // Where specs run one after the other, the next finds nothing of this one.
      const isGone = async () => !(await this.cluster.namespaces.find(name));
      if (this.cluster.isExclusive) await this.until(`namespace ${name} to go`, isGone);
    });
    const accounts = this.cluster.resource('v1', 'serviceaccounts', name);
    await this.until(
      'the default service account',
      async () => (await accounts.find('default')) !== undefined,
    );
    return name;
  }

  /** A namespaced resource in the spec's namespace. */
  resource<T extends KubeObject>(
    groupVersion: string,
    plural: string,
    namespace = this.namespace,
  ): ResourceClient<T> {
    return this.cluster.resource<T>(groupVersion, plural, namespace);
  }
  get pods(): ResourceClient<api.Pod> {
    return this.resource('v1', 'pods');
  }
  get configMaps(): ResourceClient<api.ConfigMap> {
    return this.resource('v1', 'configmaps');
  }
  get secrets(): ResourceClient<api.Secret> {
    return this.resource('v1', 'secrets');
  }
  get services(): ResourceClient<api.Service> {
    return this.resource('v1', 'services');
  }
  get deployments(): ResourceClient<api.Deployment> {
    return this.resource('apps/v1', 'deployments');
  }
  get replicaSets(): ResourceClient<api.ReplicaSet> {
    return this.resource('apps/v1', 'replicasets');
  }

  /** Watches until the spec ends. */
  watch<T extends KubeObject>(resource: ResourceClient<T>, query: Query = {}): WatchEvents<T> {
    const events = resource.watch(query);
    this.defer(async () => events.stop());
    return events;
  }

  async kubectl(args: readonly string[], input?: string) {
    return await this.cluster.kubectl(args, { namespace: this.namespace, ...(input ? { input } : {}) });
  }
  /** kubectl that must succeed; what it printed. */
  async ok(args: readonly string[], input?: string): Promise<string> {
    return await this.cluster.ok(args, { namespace: this.namespace, ...(input ? { input } : {}) });
  }

  /** Runs when the spec has ended, however it ended; last in, first out. What fails because it is gone is fine. */
  defer(cleanup: () => Promise<unknown>): void {
    this.#cleanups.push(cleanup);
  }

  /** Looks again until `check` gives something true; resolves with that. */
  async until<R>(what: string, check: () => Promise<R | false | undefined>, timeoutMs = 30_000): Promise<R> {
    const deadline = performance.now() + timeoutMs;
    for (let waitMs = 10; ; waitMs = Math.min(waitMs * 2, 250)) {
      const result = await check();
      if (result !== false && result !== undefined) return result;
      if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`);
      await delay(waitMs);
    }
  }

  /** Holds for the whole time: throws as soon as `check` does not. */
  async throughout(what: string, forMs: number, check: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + forMs;
    do {
      if (!(await check())) throw new Error(`did not hold for ${forMs} ms: ${what}`);
      await delay(200);
    } while (performance.now() < end);
  }

  async close(): Promise<void> {
    for (const cleanup of this.#cleanups.reverse()) await cleanup().catch(() => {});
  }
}
