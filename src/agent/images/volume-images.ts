import type { Pod, Secret, Volume } from '../../api/types.gen.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import { normalizeReference } from '../../runtime/image-reference.ts';
import type { Image, Runtime } from '../../runtime/port.ts';
import type { VolumeObjects } from '../volumes/volume.ts';
import type { ImageManager } from './image-manager.ts';

export interface VolumeImagesOptions {
  readonly images: ImageManager;
  readonly runtime: Runtime;
  readonly objects: VolumeObjects;
  readonly events: EventRecorder;
}

/** Sees to it that the image of a volume is here, as for a container; resolves with its directories. */
export async function volumeImage(
  { images, runtime, objects, events }: VolumeImagesOptions,
  pod: Pod,
  { name, image }: Volume,
): Promise<readonly string[]> {
  const secrets: Secret[] = [];
  for (const { name: secret = '' } of pod.spec?.imagePullSecrets ?? []) {
    const found = await objects.secret(pod.metadata.namespace ?? '', secret).catch(() => undefined);
    if (found) secrets.push(found);
  }
  const { reference = '', pullPolicy } = image ?? {};
  const wanted = { name, image: reference, ...(pullPolicy ? { imagePullPolicy: pullPolicy } : {}) };
  const { id } = await images.ensure(pod, wanted, secrets, (warning, reason, message) =>
    events.event(pod, warning ? 'Warning' : 'Normal', reason, message),
  );
  return runtime.imageDirs(id);
}

/** Ids of the images that volumes of these pods show; what is under a mount must not go. */
export function shownImages(pods: readonly Pod[], images: readonly Image[]): readonly string[] {
  const named = new Set(
    pods.flatMap(({ spec }) =>
      (spec?.volumes ?? []).flatMap(({ image }) => (image?.reference ? namesOf(image.reference) : [])),
    ),
  );
  return images
    .filter(({ id, references, digests }) => [id, ...references, ...digests].some((name) => named.has(name)))
    .map(({ id }) => id);
}

/** None for what is no reference: nothing can be mounted of that. */
function namesOf(reference: string): readonly string[] {
  try {
    return [reference, normalizeReference(reference)];
  } catch {
    return [];
  }
}
