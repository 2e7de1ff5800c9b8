import type { Link, LinkListener } from './link.ts';

/** Two ends of a link in memory. Messages arrive later, in order; `cut` stops them without a word. */
export function linkPair(): { readonly links: readonly [Link, Link]; cut(): void } {
  let isCut = false;
  const [left, right] = [new FakeLink(() => isCut), new FakeLink(() => isCut)];
  left.other = right;
  right.other = left;
  return {
    links: [left, right],
    cut() {
      isCut = true;
    },
  };
}

class FakeLink implements Link {
  other: FakeLink | undefined;
  readonly #isCut: () => boolean;
  readonly #waiting: ((listener: LinkListener) => void)[] = [];
  #listener: LinkListener | undefined;
  #isClosed = false;

  constructor(isCut: () => boolean) {
    this.#isCut = isCut;
  }

  send(message: Buffer): void {
    const copy = Buffer.from(message);
    this.#tell((listener) => listener.onMessage(copy));
  }
  ping(): void {
    this.#tell((listener) => {
      listener.onAlive();
      if (!this.#isCut()) queueMicrotask(() => this.#listener?.onAlive());
    });
  }
  listen(listener: LinkListener): void {
    this.#listener = listener;
    for (const event of this.#waiting.splice(0)) event(listener);
  }
  close(reason: string): void {
    this.#tell(() => this.other?.closed(reason));
    this.closed(reason);
  }
  closed(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listener?.onClosed(reason, false);
  }

  #tell(event: (listener: LinkListener) => void): void {
    if (this.#isCut() || this.#isClosed) return;
    const { other } = this;
    setImmediate(() => {
      if (this.#isCut() || other === undefined || other.#isClosed) return;
      if (other.#listener) event(other.#listener);
      else other.#waiting.push(event);
    });
  }
}
