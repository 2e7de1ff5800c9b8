import type { StoredBytes } from './stored-object.ts';

interface Slab {
  readonly buffer: Buffer;
  readonly slots: Set<Slot>;
  used: number;
  liveBytes: number;
}

/** Where some bytes lie. Moves when its slab is tidied up, so it is asked each time. */
export class Slot implements StoredBytes {
  slab: Slab;
  start: number;
  readonly length: number;
  constructor(slab: Slab, start: number, length: number) {
    this.slab = slab;
    this.start = start;
    this.length = length;
  }
  get buffer(): Buffer {
    return this.slab.buffer;
  }
}

/**
 * Keeps many byte strings in few buffers outside the V8 heap: a buffer object for each would cost more than many
 * strings are long. Bytes never change in place: whoever still looks at some keeps their slab alive, nothing more.
 */
export class Slabs {
  readonly #slabBytes: number;
  readonly #slabs = new Set<Slab>();
  #current: Slab | undefined;

  constructor(slabBytes: number) {
    this.#slabBytes = slabBytes;
  }

  /** Bytes taken from the system. */
  get reservedBytes(): number {
    let total = 0;
    for (const slab of this.#slabs) total += slab.buffer.length;
    return total;
  }

  /** Copies `bytes` in. */
  store(bytes: Uint8Array): Slot {
    const slab = this.#roomFor(bytes.length);
    const slot = new Slot(slab, slab.used, bytes.length);
    slab.buffer.set(bytes, slab.used);
    this.#settle(slot, slab);
    return slot;
  }

  /** Gives the room back; the slot must not be read again. */
  release(slot: Slot): void {
    const { slab } = slot;
    if (!slab.slots.delete(slot)) return;
    slab.liveBytes -= slot.length;
    if (slab === this.#current) return;
    if (slab.slots.size === 0) this.#slabs.delete(slab);
    else if (slab.liveBytes < slab.buffer.length / 2 && slab.buffer.length <= this.#slabBytes)
      this.#empty(slab);
  }

  /** Moves what lives in a slab that is mostly garbage, so that the slab can go. */
  #empty(slab: Slab): void {
    this.#slabs.delete(slab);
    for (const slot of slab.slots) {
      const target = this.#roomFor(slot.length);
      slab.buffer.copy(target.buffer, target.used, slot.start, slot.start + slot.length);
      slot.slab = target;
      slot.start = target.used;
      this.#settle(slot, target);
    }
  }

  #settle(slot: Slot, slab: Slab): void {
    slab.used += slot.length;
    slab.liveBytes += slot.length;
    slab.slots.add(slot);
  }

  #roomFor(length: number): Slab {
    if (length > this.#slabBytes / 4) return this.#newSlab(length);
    if (this.#current && this.#current.used + length <= this.#current.buffer.length) return this.#current;
    const full = this.#current;
    this.#current = this.#newSlab(Math.max(length, this.#nextSlabBytes()));
    if (full && full.slots.size === 0) this.#slabs.delete(full);
    return this.#current;
  }

  /** Most resources have few objects: the first slabs are small. */
  #nextSlabBytes(): number {
    return Math.min(this.#slabBytes, Math.max(this.#slabBytes / 16, this.reservedBytes));
  }

  #newSlab(bytes: number): Slab {
    const slab = { buffer: Buffer.allocUnsafeSlow(bytes), slots: new Set<Slot>(), used: 0, liveBytes: 0 };
    this.#slabs.add(slab);
    return slab;
  }
}
