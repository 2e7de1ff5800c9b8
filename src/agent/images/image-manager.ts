import { formatGoDuration } from '../../api/durations.ts';
import type { Container, EphemeralContainer, Pod, Secret } from '../../api/types.gen.ts';
import { Backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText } from '../../lib/log.ts';
import { normalizeReference } from '../../runtime/image-reference.ts';
import type { Image, Runtime } from '../../runtime/port.ts';
import { Semaphore } from '../semaphore.ts';
import { credentialsFor } from './pull-secrets.ts';
import type { PulledImages } from './pulled-images.ts';

/** Tells what happens to an image; `warning` and the words are upstream's. */
export type ImageEvent = (warning: boolean, reason: string, message: string) => void;

/** Why a container has no image; `reason` is the waiting reason of its status. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
  readonly reason: string;
  /** When another try makes sense. */
  readonly retryMs: number;
  constructor(reason: string, message: string, retryMs: number, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
    this.retryMs = retryMs;
  }
}

export interface ImageManagerOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly pulled: PulledImages;
}

/**
 * Sees to it that a container's image is here, by its pull policy. A reference that several containers ask for at
 * once is pulled once. Failing pulls back off per pod and image from 10 s to 5 min.
 */
export class ImageManager {
  readonly #runtime: Runtime;
  readonly #clock: Clock;
  readonly #backoff = new Backoff({
    baseMs: LIMITS.agent.pullBackoffMs,
    maxMs: LIMITS.agent.pullBackoffMaxMs,
  });
  readonly #until = new Map<string, { readonly atMono: number; readonly message: string }>();
  readonly #pulling = new Map<string, Promise<Image>>();
  readonly #pulls = new Semaphore(LIMITS.agent.concurrentPulls);
  readonly #pulled: PulledImages;

  constructor(options: ImageManagerOptions) {
    this.#runtime = options.runtime;
    this.#clock = options.clock;
    this.#pulled = options.pulled;
  }

  async ensure(
    pod: Pod,
    container: Container | EphemeralContainer,
    secrets: readonly Secret[],
    tell: ImageEvent,
  ): Promise<Image> {
    const name = container.image ?? '';
    const quoted = JSON.stringify(name);
    try {
      normalizeReference(name);
    } catch (cause) {
      const message = `Failed to apply default image tag ${quoted}: ${errorText(cause)}`;
      tell(true, 'InspectFailed', message);
      throw new ImageError('InvalidImageName', message, LIMITS.agent.pullBackoffMaxMs, { cause });
    }
    const present = await this.#runtime.image(name);
    const policy = container.imagePullPolicy ?? 'IfNotPresent';
    if (present !== undefined && policy !== 'Always') {
      tell(
        false,
        'Pulled',
        `Container image ${quoted} already present on machine and can be accessed by the pod`,
      );
      return this.#used(present);
    }
    if (policy === 'Never') {
      const message = `Container image ${quoted} is not present with pull policy of Never`;
      tell(true, 'ErrImageNeverPull', message);
      throw new ImageError('ErrImageNeverPull', message, LIMITS.agent.pullBackoffMs);
    }
    return this.#used(await this.#pull(`${pod.metadata.uid}_${name}`, name, secrets, tell));
  }

  /** Forgets the back-off of a pod that is gone. */
  forget(podUid: string): void {
    for (const key of this.#until.keys())
      if (key.startsWith(`${podUid}_`)) {
        this.#until.delete(key);
        this.#backoff.forget(key);
      }
  }

  async #pull(key: string, name: string, secrets: readonly Secret[], tell: ImageEvent): Promise<Image> {
    const quoted = JSON.stringify(name);
    const now = this.#clock.monotonicMs();
    const held = this.#until.get(key);
    if (held !== undefined && held.atMono > now) {
      tell(false, 'BackOff', `Back-off pulling image ${quoted}`);
      tell(true, 'Failed', 'Error: ImagePullBackOff');
      const message = `Back-off pulling image ${quoted}: ErrImagePull: ${held.message}`;
      throw new ImageError('ImagePullBackOff', message, held.atMono - now);
    }
    tell(false, 'Pulling', `Pulling image ${quoted}`);
    try {
      const image = await this.#pullOnce(name, secrets);
      const took = formatGoDuration(Math.round(this.#clock.monotonicMs() - now));
      tell(
        false,
        'Pulled',
        `Successfully pulled image ${quoted} in ${took} (${took} including waiting). Image size: ${image.sizeBytes} bytes.`,
      );
      this.#until.delete(key);
      this.#backoff.forget(key);
      return image;
    } catch (cause) {
      const message = errorText(cause);
      tell(true, 'Failed', `Failed to pull image ${quoted}: ${message}`);
      tell(true, 'Failed', 'Error: ErrImagePull');
      const delayMs = this.#backoff.next(key);
      this.#until.set(key, { atMono: this.#clock.monotonicMs() + delayMs, message });
      // Shown as ErrImagePull first, a little later as ImagePullBackOff, as upstream's next sync does.
      throw new ImageError('ErrImagePull', message, Math.min(2000, delayMs), { cause });
    }
  }

  #pullOnce(name: string, secrets: readonly Secret[]): Promise<Image> {
    const running = this.#pulling.get(name);
    if (running !== undefined) return running;
    const credentials = credentialsFor(name, secrets);
    const pull = this.#pulls
      .run(async () => {
        const imported = new Set((await this.#runtime.listImages()).map(({ id }) => id));
        const image = await this.#runtime.pullImage(name, credentials === undefined ? {} : { credentials });
        // One that was here before the pull, imported by hand, stays not ours.
        if (!imported.has(image.id)) await this.#pulled.add(image.id, this.#clock.now());
        return image;
      })
      .finally(() => this.#pulling.delete(name));
    this.#pulling.set(name, pull);
    return pull;
  }

  #used(image: Image): Image {
    this.#pulled.used(image.id, this.#clock.now());
    return image;
  }
}
