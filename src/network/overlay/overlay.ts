import { nodes } from '../../api/resources.gen.ts';
import type { Node } from '../../api/types.gen.ts';
import type { Informer, InformerFactory } from '../../client/informer.ts';
import type { Client } from '../../client/port.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import { CoalescedWork } from '../../lib/coalesced-work.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import { type BoardNetwork, type NetworkPicture, NoVxlanError, type OverlayKernel } from './kernel.ts';
import { MODE_ANNOTATION, modeOf, type OverlayMode, type OverlayPlan, planOverlay } from './plan.ts';
import { NOTHING, type OverlayState, UDP_PORT } from './state.ts';

export interface OverlayOptions {
  readonly informers: InformerFactory;
  readonly client: Client;
  readonly kernel: OverlayKernel;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeName: string;
  readonly nodeIP: string;
  readonly mode: OverlayMode;
  /** Range of all pods of the cluster. */
  readonly clusterCIDR: string;
}

export interface Overlay {
  /** Largest packet that a pod may send; `undefined` where the overlay has no say. */
  readonly podMtu: number | undefined;
  /** Resolves once the ways to what was known at the start are in the kernel. */
  readonly ready: Promise<void>;
  /** Routes stay in the kernel unless `remove`: pods reach each other while Kedge restarts. */
  stop(options?: { readonly remove?: boolean }): Promise<void>;
}

const DEFAULT_MTU = 1500;

/** What ways are made of. Not the revision: with each heartbeat the copy on the disk would change. */
function slimNode({ metadata, spec, status }: Node): Node {
  const { name, uid, annotations } = metadata;
  return {
    metadata: { ...(name && { name }), ...(uid && { uid }), ...(annotations && { annotations }) },
    spec: {
      ...(spec?.podCIDR && { podCIDR: spec.podCIDR }),
      ...(spec?.podCIDRs && { podCIDRs: spec.podCIDRs }),
    },
    status: status?.addresses ? { addresses: status.addresses } : {},
  };
}

/**
 * Keeps the ways to other boards' pods equal to what the Nodes say. A board alone gets no device and no route. The caller
 * starts the informers.
 */
export async function startOverlay(options: OverlayOptions): Promise<Overlay> {
  const overlay = new BoardOverlay(options);
  await overlay.start();
  return overlay;
}

class BoardOverlay implements Overlay {
  readonly #options: OverlayOptions;
  readonly #nodes: Informer<Node> | undefined;
  readonly #work: CoalescedWork;
  readonly #ready = Promise.withResolvers<void>();
  /** Another than the cluster's where this kernel cannot do that. */
  #mode: OverlayMode;
  #networks: readonly BoardNetwork[] = [];
  /** What is in the kernel; unknown before the first application and after one that failed. */
  #applied: OverlayPlan | undefined;
  #checkTimer: Timer | undefined;
  #stopped = false;
  #unsubscribe: () => void = () => {};

  constructor(options: OverlayOptions) {
    this.#options = options;
    this.#mode = options.mode;
    this.#work = new CoalescedWork({
      clock: options.clock,
      coalesceMs: LIMITS.network.coalesceMs,
      retry: LIMITS.network.retry,
      work: () => this.#sync(),
      onError: (error, delayMs) => {
        const text = 'cannot make the ways to other boards, trying again';
        options.log.error(text, { error: errorText(error), delayMs });
      },
    });
    this.#nodes =
      options.mode === 'none'
        ? undefined
        : options.informers.for(nodes, { transform: slimNode, keep: { as: 'nodes' } });
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get podMtu(): number | undefined {
    if (this.#options.mode === 'none') return undefined;
    return this.#mode === 'vxlan' ? this.#boardMtu() - LIMITS.network.vxlanBytes : this.#boardMtu();
  }

  /** Never rejects: a board whose network cannot be read yet still runs its pods. */
  async start(): Promise<void> {
    try {
      const { state, networks } = await this.#options.kernel.read();
      this.#networks = networks;
      if (isNothing(state)) this.#applied = { state: NOTHING, unreachable: [] };
    } catch (error) {
      this.#options.log.error('cannot read the network of this board', { error: errorText(error) });
    }
    const ask = (): void => this.#work.ask();
    if (this.#nodes === undefined) return ask();
    this.#unsubscribe = this.#nodes.onChange({ add: ask, update: ask, delete: ask });
    // Rejects when it is stopped before the first list came.
    void this.#nodes.synced().then(ask, () => {});
  }

  async stop(stopOptions: { readonly remove?: boolean } = {}): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    await this.#work.stop();
    this.#checkTimer?.cancel();
    if (stopOptions.remove) {
      const { kernel } = this.#options;
      await kernel.change((await kernel.read()).state, NOTHING);
    }
  }

  async #sync(): Promise<void> {
    // Half a picture would cut off boards that are reached.
    if (this.#nodes?.hasSynced === false) return;
    try {
      if (!isSamePlan(this.#applied, this.#plan())) await this.#apply();
      await this.#announce();
      this.#ready.resolve();
      this.#checkLater();
    } catch (error) {
      this.#applied = undefined;
      throw error;
    }
  }

  #plan(): OverlayPlan {
    const { nodeName, nodeIP: address, mode: clusterMode, clusterCIDR } = this.#options;
    return planOverlay({
      nodes: this.#nodes?.store.list() ?? [],
      ...{ nodeName, clusterMode, address, clusterCIDR },
      mode: this.#mode,
      mtu: this.#boardMtu() - LIMITS.network.vxlanBytes,
      onLink: this.#networks.map(({ cidr }) => cidr),
    });
  }

  /** Starts from what the kernel holds: others may have changed it since. */
  async #apply(): Promise<void> {
    const { kernel, log } = this.#options;
    const picture: NetworkPicture = await kernel.read();
    this.#networks = picture.networks;
    const plan = this.#plan();
    let hasChanged: boolean;
    try {
      hasChanged = await kernel.change(picture.state, plan.state);
    } catch (error) {
      if (!(error instanceof NoVxlanError) || this.#mode !== 'vxlan') throw error;
      log.error(
        'this kernel has no vxlan, so only boards on the same network are reached: install the module (on Ubuntu for Raspberry Pi: apt install linux-modules-extra-raspi) and restart',
      );
      this.#mode = 'host-gw';
      return this.#apply();
    }
    for (const { node, why } of plan.unreachable)
      if (!this.#applied?.unreachable.some((known) => known.node === node && known.why === why))
        log.warn('pods of another board cannot be reached', { node, why });
    if (hasChanged)
      log.info('ways to other boards', {
        mode: this.#mode,
        routes: plan.state.routes.size,
        ...(plan.state.device === undefined ? {} : { port: UDP_PORT }),
      });
    this.#applied = plan;
  }

  /** Boards must agree how they talk: one that does otherwise than the cluster says so in its Node. */
  async #announce(): Promise<void> {
    const { client, nodeName, mode } = this.#options;
    const own = this.#nodes?.store.get(undefined, nodeName);
    const wanted = this.#mode === mode ? undefined : this.#mode;
    if (own === undefined || modeOf(own) === wanted) return;
    const body = { metadata: { annotations: { [MODE_ANNOTATION]: wanted ?? null } } };
    await client.patch(nodes, { name: nodeName }, { type: 'merge', body });
  }

  #checkLater(): void {
    this.#checkTimer?.cancel();
    this.#checkTimer = undefined;
    const { state } = this.#applied ?? {};
    if (this.#stopped || state === undefined || state.routes.size === 0) return;
    this.#checkTimer = this.#options.clock.setTimer(LIMITS.network.routeCheckMs, () => {
      this.#options.kernel.hasRoutes(state).then(
        (isThere) => {
          if (isThere) return this.#checkLater();
          this.#applied = undefined;
          this.#work.ask(0);
        },
        (error: unknown) => {
          this.#options.log.error('cannot look for routes', { error: errorText(error) });
          this.#checkLater();
        },
      );
    });
  }

  #boardMtu(): number {
    const { nodeIP } = this.#options;
    return this.#networks.find(({ address }) => address === nodeIP)?.mtu ?? DEFAULT_MTU;
  }
}

function isNothing({ device, routes, neighbours, forwards }: OverlayState): boolean {
  return device === undefined && routes.size + neighbours.size + forwards.size === 0;
}

function isSamePlan(a: OverlayPlan | undefined, b: OverlayPlan): boolean {
  if (a === undefined) return false;
  const text = ({ state, unreachable }: OverlayPlan): string => {
    const { device, routes, neighbours, forwards } = state;
    return JSON.stringify([device, [...routes], [...neighbours], [...forwards], unreachable]);
  };
  return text(a) === text(b);
}
