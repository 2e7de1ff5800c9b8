import { ChunkedAnswer } from './chunked-answer.ts';
import { RawReader, type Target } from './raw-client.ts';

const MARK = Buffer.from('"name":"event-');
const DASH = 0x2d;
const LF = 0x0a;
/** The longest that a mark with its number can be. */
const NAME_BYTES = MARK.length + 12;

/** When each event was sent, and how long each delivery to each watcher took. */
export class Deliveries {
  readonly sentAt: Float64Array;
  readonly #latenciesMs: Float64Array;
  #count = 0;

  constructor(events: number, watchers: number) {
    this.sentAt = new Float64Array(events);
    // Some room for what may come doubled; that is counted on its own.
    this.#latenciesMs = new Float64Array(events * watchers * 2);
  }

  add(event: number, atMs: number): void {
    this.#latenciesMs[this.#count++] = atMs - (this.sentAt[event] ?? atMs);
  }

  get count(): number {
    return this.#count;
  }

  sorted(): Float64Array {
    return this.#latenciesMs.slice(0, this.#count).sort();
  }
}

/**
 * One watcher: finds every `event-<n>-` in the body of its watch, whichever way the bytes are cut, and counts how often
 * it came and after what time.
 */
export class FollowedWatch {
  readonly #seen: Uint8Array;
  readonly #deliveries: Deliveries;
  /** The end of what came before, where a name may be cut in two. */
  #rest: Buffer | undefined;
  #reader: RawReader | undefined;

  constructor(events: number, deliveries: Deliveries) {
    this.#seen = new Uint8Array(events);
    this.#deliveries = deliveries;
  }

  /** Resolves when the server has begun to answer. */
  async open(target: Target, path: string): Promise<void> {
    const answer = new ChunkedAnswer((buffer, from, to) => this.take(buffer.subarray(from, to)));
    let begun: () => void = () => {};
    const beginning = new Promise<void>((resolve) => {
      begun = resolve;
    });
    this.#reader = await RawReader.open(target, (buffer, length) => {
      answer.take(buffer, length);
      begun();
    });
    this.#reader.ask(path);
    await beginning;
    if (answer.status !== 200) throw new Error(`a watch was answered ${answer.status}`);
  }

  close(): void {
    this.#reader?.close();
  }

  /** How many events came never, and how many more than once, of those that were made. */
  count(made: number): { lost: number; doubled: number } {
    const came = this.#seen.reduce((sum, times) => sum + (times > 0 ? 1 : 0), 0);
    return { lost: made - came, doubled: this.#seen.reduce((sum, times) => sum + (times > 1 ? 1 : 0), 0) };
  }

  take(bytes: Buffer): void {
    const now = performance.now();
    const all = this.#rest ? Buffer.concat([this.#rest, bytes]) : bytes;
    this.#rest = undefined;
    let from = 0;
    for (let at = all.indexOf(MARK); at >= 0; at = all.indexOf(MARK, from)) {
      let end = at + MARK.length;
      let event = 0;
      for (; end < all.length && all[end] !== DASH; end++) event = event * 10 + (all[end] ?? 0) - 0x30;
      if (end === all.length) {
        this.#rest = Buffer.from(all.subarray(at));
        return;
      }
      this.#seen[event] = (this.#seen[event] ?? 0) + 1;
      this.#deliveries.add(event, now);
      from = end;
    }
    // A whole line is an event with its end: nothing of the next one is here.
    if (all[all.length - 1] !== LF)
      this.#rest = Buffer.from(all.subarray(Math.max(from, all.length - NAME_BYTES)));
  }
}
