import { apiVersionOf } from '../../api/resource.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Endpoint } from '../registry/registry.ts';
import type { CachedObject } from '../watchcache/port.ts';
import { Piece } from './streamed-body.ts';
import type { Transform } from './transform.ts';

/** One event as a watch shows it. */
export function frame(type: string, object: object): Buffer {
  return Buffer.from(`{"type":"${type}","object":${JSON.stringify(object)}}\n`);
}

/** An otherwise empty object that says: nothing up to this revision is still to come (KEP-956, KEP-3157). */
export function bookmarkFrame({ resource }: Endpoint, revision: number, initialEnd: boolean): Buffer {
  const annotations = initialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
  return frame('BOOKMARK', {
    kind: resource.kind,
    apiVersion: apiVersionOf(resource),
    metadata: { resourceVersion: String(revision), creationTimestamp: null, ...annotations },
  });
}

const ADDED_HEAD = '{"type":"ADDED","object":';
const FRAME_TAIL = '}\n';
const AROUND_BYTES = ADDED_HEAD.length + FRAME_TAIL.length;

/** The state that a watch begins with, encoded only as the client takes it. */
export class InitialEvents {
  readonly #objects: readonly CachedObject[];
  readonly #transform: Transform | undefined;
  readonly #piece: Piece;
  #next = 0;
  /** What follows the last object. */
  #end: Buffer | undefined;

  constructor(objects: readonly CachedObject[], end: Buffer | undefined, transform: Transform | undefined) {
    this.#objects = objects;
    this.#end = end;
    this.#transform = transform;
    this.#piece = new Piece(transform ? LIMITS.http.listChunkBytes : this.#firstBytes());
  }

  get isOver(): boolean {
    return this.#next === this.#objects.length && this.#end === undefined;
  }

  /** Small states need no large piece. */
  #firstBytes(): number {
    let sizeBytes = this.#end?.length ?? 0;
    for (const { jsonBytes } of this.#objects) {
      sizeBytes += jsonBytes + AROUND_BYTES;
      if (sizeBytes >= LIMITS.http.listChunkBytes) return LIMITS.http.listChunkBytes;
    }
    return sizeBytes;
  }

  /** The next part, not empty unless it is over. Its bytes change with the next call, unless `renew` comes first. */
  next(isChunked: boolean): Buffer {
    while (this.#next < this.#objects.length && this.#add(this.#objects[this.#next] as CachedObject))
      this.#next++;
    if (this.#next === this.#objects.length && this.#end && this.#piece.hasRoom(this.#end.length)) {
      this.#piece.addBytes(this.#end);
      this.#end = undefined;
    }
    return this.#piece.take(isChunked);
  }

  renew(): void {
    this.#piece.renew();
  }

  #add(object: CachedObject): boolean {
    const piece = this.#piece;
    if (this.#transform) {
      const bytes = frame('ADDED', this.#transform(object.object()));
      if (!piece.hasRoom(bytes.length)) return false;
      piece.addBytes(bytes);
      return true;
    }
    if (!piece.hasRoom(object.jsonBytes + AROUND_BYTES)) return false;
    piece.addText(ADDED_HEAD);
    piece.addJson(object);
    piece.addText(FRAME_TAIL);
    return true;
  }
}
