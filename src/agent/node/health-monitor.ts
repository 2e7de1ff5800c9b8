import type { Node } from '../../api/types.gen.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import { type Clock, sleep } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import type { Runtime } from '../../runtime/port.ts';
import { planCollection } from '../images/image-collector.ts';
import type { PulledImages } from '../images/pulled-images.ts';
import { shownImages } from '../images/volume-images.ts';
import type { PodManager } from '../pod/pod-manager.ts';
import { evictionMessage, rankForMemory } from './eviction.ts';
import { type Headroom, type Pressure, pressureOf, thresholds } from './pressure.ts';

export interface HealthMonitorOptions {
  readonly runtime: Runtime;
  readonly pods: PodManager;
  readonly pulled: PulledImages;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly node: () => Node | undefined;
  readonly measure: () => Promise<Headroom>;
  readonly onChange: () => void;
}

/**
 * Looks every ten seconds at what is left of memory and disk (a few file reads) and acts while it is too little:
 * images that nobody uses go first, then one pod at a time.
 */
export class HealthMonitor {
  readonly #options: HealthMonitorOptions;
  readonly #abort = new AbortController();
  #pressure: Pressure = { memory: false, disk: false, pid: false };
  #evictedMono = Number.NEGATIVE_INFINITY;
  #running: Promise<void> = Promise.resolve();

  constructor(options: HealthMonitorOptions) {
    this.#options = options;
  }

  get pressure(): Pressure {
    return this.#pressure;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error('the agent stops'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      await this.look().catch((error) =>
        log.warn('memory and disk of the node cannot be measured', { error: errorText(error) }),
      );
      await sleep(clock, LIMITS.agent.headroomMs, signal).catch(() => {});
    }
  }

  /** One look and what follows from it. */
  async look(): Promise<void> {
    const room = await this.#options.measure();
    const before = this.#pressure;
    this.#pressure = pressureOf(room, before);
    const { memory, disk, pid } = this.#pressure;
    if (memory !== before.memory || disk !== before.disk || pid !== before.pid) this.#options.onChange();
    if (disk) await this.#collectImages(room);
    if (memory) await this.#evict(room);
  }

  async #collectImages(room: Headroom): Promise<void> {
    const { runtime, pulled, clock, log, events, node } = this.#options;
    const [images, containers, known] = await Promise.all([
      runtime.listImages(),
      runtime.listContainers(),
      pulled.all(),
    ]);
    const bytesToFree = thresholds(room).diskBytes * 1.5 - room.diskAvailableBytes;
    const chosen = planCollection({
      images,
      used: new Set([
        ...containers.map(({ image }) => image),
        ...shownImages(
          [...this.#options.pods.workers.values()].map(({ pod }) => pod),
          images,
        ),
      ]),
      pulled: known,
      bytesToFree,
      nowMs: clock.now(),
      minimumAgeMs: LIMITS.agent.imageMinimumAgeMs,
    });
    for (const image of chosen) {
      try {
        await runtime.removeImage(image.id);
        await pulled.remove(image.id);
        log.info('removed an unused image for space', { image: image.references[0] ?? image.id });
      } catch (error) {
        log.warn('an unused image could not be removed', { image: image.id, error: errorText(error) });
      }
    }
    const about = node();
    if (chosen.length === 0 && about !== undefined)
      events.event(
        about,
        'Warning',
        'FreeDiskSpaceFailed',
        `Insufficient free disk space on the node's image filesystem: ${Math.floor(room.diskAvailableBytes / 2 ** 20)} MiB are free and no image can be removed.`,
      );
  }

  async #evict(room: Headroom): Promise<void> {
    const { clock, pods, runtime, events, log } = this.#options;
    // The one before needs time to end and to give back what it held.
    if (clock.monotonicMs() - this.#evictedMono < LIMITS.agent.evictionPauseMs) return;
    const candidates = [];
    for (const worker of pods.workers.values()) {
      if (worker.state.stage.is !== 'active') continue;
      let memoryBytes = 0;
      for (const { id, phase } of worker.state.containers)
        if (phase.is === 'running')
          memoryBytes += (await runtime.stats(id).catch(() => undefined))?.memoryWorkingSetBytes ?? 0;
      candidates.push({ pod: worker.pod, memoryBytes });
    }
    const [victim] = rankForMemory(candidates);
    if (victim === undefined) return;
    this.#evictedMono = clock.monotonicMs();
    const message = evictionMessage('memory', thresholds(room).memoryBytes, room.memoryAvailableBytes);
    const { namespace = '', name = '', uid } = victim.pod.metadata;
    log.warn('evicting a pod: memory is short', { pod: `${namespace}/${name}` });
    events.event(victim.pod, 'Warning', 'Evicted', message);
    pods.find(namespace, name, uid)?.dispatch({ type: 'evict', reason: 'Evicted', message, graceMs: 0 });
  }
}
