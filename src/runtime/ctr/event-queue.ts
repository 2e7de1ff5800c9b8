import { LIMITS } from '../../lib/limits.ts';
import type { RuntimeEvent } from '../port.ts';

/** Hands events to readers, each at its own pace; one that falls behind is told to list instead. */
export class EventQueue {
  readonly #readers = new Set<(event: RuntimeEvent) => void>();

  get readers(): number {
    return this.#readers.size;
  }

  push(event: RuntimeEvent): void {
    for (const reader of this.#readers) reader(event);
  }

  /**
   * Everything pushed from now on. Ends quietly when `signal` aborts or the reader leaves its loop; `onClose` is
   * then called once.
   */
  read(signal: AbortSignal, onClose: () => void): AsyncIterable<RuntimeEvent> {
    let waiting: RuntimeEvent[] = [];
    let wake = (): void => {};
    const reader = (event: RuntimeEvent): void => {
      if (waiting.length >= LIMITS.runtime.eventQueue) waiting = [{ type: 'resync' }];
      else waiting.push(event);
      wake();
    };
    const close = (): void => {
      if (!this.#readers.delete(reader)) return;
      signal.removeEventListener('abort', close);
      onClose();
      wake();
    };
    this.#readers.add(reader);
    signal.addEventListener('abort', close);
    if (signal.aborted) close();
    const isOpen = (): boolean => this.#readers.has(reader);
    return (async function* () {
      try {
        while (isOpen()) {
          const event = waiting.shift();
          if (event) yield event;
          else {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
        }
      } finally {
        close();
      }
    })();
  }
}
