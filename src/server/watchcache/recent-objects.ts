import type { KubeObject } from '../../api/resource.ts';

/** Who keeps a parsed object until told to forget it. */
export interface Keeper {
  forget(object: KubeObject): void;
}

/**
 * The objects parsed last, so that all who are told of a change share one. Held by number and by the size of their
 * JSON. Weak references would keep each of them over a collection of young garbage, and so make old garbage of what
 * most often is read within a turn and never again.
 */
export class RecentObjects {
  readonly #limits: { readonly objects: number; readonly bytes: number };
  #entries: { readonly keeper: Keeper; readonly object: KubeObject; readonly sizeBytes: number }[] = [];
  #bytes = 0;

  constructor(limits: { readonly objects: number; readonly bytes: number }) {
    this.#limits = limits;
  }

  /** Holds on to `object` for `keeper`; others, or this one where it alone is too large, may be forgotten for it. */
  keep(keeper: Keeper, object: KubeObject, sizeBytes: number): void {
    this.#entries.push({ keeper, object, sizeBytes });
    this.#bytes += sizeBytes;
    if (this.#entries.length > this.#limits.objects || this.#bytes > this.#limits.bytes) this.#shrink();
  }

  /** To half of the bounds, so that moving what is left is rare. */
  #shrink(): void {
    const { objects, bytes } = this.#limits;
    let first = 0;
    while (
      first < this.#entries.length &&
      (this.#entries.length - first > objects / 2 || this.#bytes > bytes / 2)
    ) {
      const { keeper, object, sizeBytes } = this.#entries[first++]!;
      this.#bytes -= sizeBytes;
      keeper.forget(object);
    }
    this.#entries = this.#entries.slice(first);
  }
}
