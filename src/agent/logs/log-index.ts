/** All bytes before `offset` had arrived at `atMs`. */
export interface Sample {
  readonly offset: number;
  readonly atMs: number;
}

/** Kept per log; older samples thin out, so that old lines have coarser times. */
const MAX_SAMPLES = 4096;

/**
 * When which part of a raw log arrived: the runtime's file has no times, and a copy with them would double what is
 * written to the card. Sparse, ordered by offset.
 */
export class LogIndex {
  #samples: Sample[];
  readonly #beganMs: number;

  constructor(beganMs: number, samples: readonly Sample[] = []) {
    this.#beganMs = beganMs;
    this.#samples = [...samples];
  }

  get samples(): readonly Sample[] {
    return this.#samples;
  }
  /** Up to where times are known. */
  get end(): number {
    return this.#samples.at(-1)?.offset ?? 0;
  }

  /** Answers whether this told anything new. */
  add(sample: Sample): boolean {
    if (sample.offset <= this.end) return false;
    this.#samples.push(sample);
    if (this.#samples.length > MAX_SAMPLES)
      this.#samples = this.#samples.filter((_, index) => index % 2 === 1 || index > MAX_SAMPLES / 2);
    return true;
  }

  /** When the byte at `offset` had arrived: of the first sample beyond it, `nowMs` past the last. */
  timeOf(offset: number, nowMs: number): number {
    const at = this.#firstBeyond(offset);
    return this.#samples[at]?.atMs ?? nowMs;
  }

  /** The first byte that may have arrived at or after `sinceMs`. */
  offsetSince(sinceMs: number): number {
    if (sinceMs <= this.#beganMs) return 0;
    let offset = 0;
    for (const sample of this.#samples) {
      if (sample.atMs >= sinceMs) return offset;
      offset = sample.offset;
    }
    return offset;
  }

  /** The first `bytes` of the file are gone and everything moved to the front. */
  shift(bytes: number): void {
    this.#samples = this.#samples
      .map(({ offset, atMs }) => ({ offset: offset - bytes, atMs }))
      .filter(({ offset }) => offset > 0);
  }

  #firstBeyond(offset: number): number {
    let low = 0;
    let high = this.#samples.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#samples[middle]?.offset ?? 0) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
