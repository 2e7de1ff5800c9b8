import type { Image } from '../../runtime/port.ts';

export interface CollectInput {
  readonly images: readonly Image[];
  /** Ids of images that containers were made from. */
  readonly used: ReadonlySet<string>;
  /** Ids of images that this node pulled itself; all others were imported and are never taken. */
  readonly pulled: ReadonlyMap<string, { readonly lastUsedMs: number }>;
  readonly bytesToFree: number;
  readonly nowMs: number;
  /** Younger than this an image is left alone, as upstream's minimum age. */
  readonly minimumAgeMs: number;
}

/** Which images to remove, longest unused first, until enough is free. */
export function planCollection(input: CollectInput): readonly Image[] {
  const candidates = input.images
    .filter(({ id }) => !input.used.has(id))
    .flatMap((image) => {
      const known = input.pulled.get(image.id);
      return known === undefined || input.nowMs - known.lastUsedMs < input.minimumAgeMs
        ? []
        : [{ image, lastUsedMs: known.lastUsedMs }];
    })
    .sort((a, b) => a.lastUsedMs - b.lastUsedMs);
  const chosen: Image[] = [];
  let freed = 0;
  for (const { image } of candidates) {
    if (freed >= input.bytesToFree) break;
    chosen.push(image);
    freed += image.sizeBytes;
  }
  return chosen;
}
