import { type ApiError, apiError } from '../../api/status.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { decodeFrame, encodeFrame, type Frame } from './frames.ts';
import { Lane } from './lane.ts';
import type { Link } from './link.ts';
import { fromWireError, toWireError } from './wire-error.ts';

export interface TunnelSessionOptions {
  readonly link: Link;
  readonly clock: Clock;
  /** Answers a call of the other side with `accept` or `close`; without it, a call ends the link. */
  readonly onCall?: (request: unknown, call: TunnelCall) => void;
  /** What calls end with when the link is gone. */
  readonly lost: (reason: string) => Error;
  readonly onClosed?: (reason: string, isSilent: boolean) => void;
}

/**
 * Many calls over one link. While there are calls, silence of the other side for two intervals ends the link; without
 * calls no timer runs.
 */
export class TunnelSession {
  readonly #options: TunnelSessionOptions;
  readonly #calls = new Map<number, TunnelCall>();
  #last = 0;
  #timer: Timer | undefined;
  #heardMs: number;
  #closedBy: string | undefined;

  constructor(options: TunnelSessionOptions) {
    this.#options = options;
    this.#heardMs = options.clock.monotonicMs();
    options.link.listen({
      onMessage: (message) => this.#receive(message),
      onAlive: () => this.#heard(),
      onClosed: (reason, isSilent) => this.#closed(reason, isSilent),
    });
  }

  get isOpen(): boolean {
    return this.#closedBy === undefined;
  }

  /**
   * Opens a call; resolves when the other side accepts it and rejects with its error when it does not. `prepare` opens
   * the lanes: bytes may arrive together with the answer. An abort before the answer ends the call on both sides and
   * rejects with the signal's reason; after it the signal means nothing.
   */
  async call<T>(request: unknown, prepare: (call: TunnelCall) => T, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#closedBy !== undefined) throw this.#options.lost(this.#closedBy);
    if (this.#calls.size >= LIMITS.tunnel.calls) throw tooManyCalls();
    this.#last = (this.#last + 1) % 2 ** 32;
    const call = this.#add(this.#last);
    const prepared = prepare(call);
    this.#send({ type: 'open', call: call.id, message: request });
    const giveUp = (): void => call.close(signal?.reason);
    signal?.addEventListener('abort', giveUp, { once: true });
    try {
      await call.accepted;
      return prepared;
    } finally {
      signal?.removeEventListener('abort', giveUp);
    }
  }

  /** Ends the link and every call on it. */
  close(reason: string): void {
    this.#end(reason, false);
  }

  #add(id: number): TunnelCall {
    const call = new TunnelCall({
      id,
      send: (frame) => this.#send(frame),
      onOver: () => {
        this.#calls.delete(id);
        this.#watch();
      },
    });
    this.#calls.set(id, call);
    this.#watch();
    return call;
  }

  #send(frame: Frame): void {
    if (this.#closedBy === undefined) this.#options.link.send(encodeFrame(frame));
  }

  #receive(message: Buffer): void {
    this.#heard();
    if (this.#closedBy !== undefined) return;
    try {
      const frame = decodeFrame(message);
      if (frame.type === 'open') this.#opened(frame.call, frame.message);
      else this.#calls.get(frame.call)?.receive(frame);
    } catch (error) {
      this.close(`protocol error: ${error instanceof Error ? error.message : error}`);
    }
  }

  #opened(id: number, request: unknown): void {
    if (this.#calls.has(id)) throw new Error(`call ${id} is open already`);
    const { onCall } = this.#options;
    if (onCall === undefined) throw new Error('this side takes no calls');
    if (this.#calls.size >= LIMITS.tunnel.calls)
      this.#send({ type: 'close', call: id, message: toWireError(tooManyCalls()) });
    else onCall(request, this.#add(id));
  }

  #heard(): void {
    this.#heardMs = this.#options.clock.monotonicMs();
  }

  /** The kernel watches an idle connection; one in use may have unsent bytes, which keep it from asking. */
  #watch(): void {
    if (this.#calls.size === 0 || this.#closedBy !== undefined) {
      this.#timer?.cancel();
      this.#timer = undefined;
      return;
    }
    if (this.#timer !== undefined) return;
    this.#options.link.ping();
    const pingedMs = this.#options.clock.monotonicMs();
    this.#timer = this.#options.clock.setTimer(LIMITS.tunnel.pingMs, () => {
      this.#timer = undefined;
      if (this.#heardMs < pingedMs) this.#end('no answer', true);
      else this.#watch();
    });
  }

  #end(reason: string, isSilent: boolean): void {
    if (this.#closedBy !== undefined) return;
    this.#closed(reason, isSilent);
    this.#options.link.close(reason);
  }

  #closed(reason: string, isSilent: boolean): void {
    if (this.#closedBy !== undefined) return;
    this.#closedBy = reason;
    for (const call of [...this.#calls.values()]) call.over(this.#options.lost(reason));
    this.#watch();
    this.#options.onClosed?.(reason, isSilent);
  }
}

const tooManyCalls = (): ApiError =>
  apiError('TooManyRequests', `${LIMITS.tunnel.calls} streams of this node are open already`);

interface CallOptions {
  readonly id: number;
  readonly send: (frame: Frame) => void;
  readonly onOver: () => void;
}

/** One request and what streams because of it, at either side. */
export class TunnelCall {
  readonly id: number;
  readonly accepted: Promise<unknown>;
  readonly #options: CallOptions;
  readonly #lanes = new Map<number, Lane>();
  readonly #answer = Promise.withResolvers<unknown>();
  readonly #over = Promise.withResolvers<Error | undefined>();
  #isOver = false;
  #onNote: (message: unknown) => void = () => {};

  constructor(options: CallOptions) {
    this.#options = options;
    this.id = options.id;
    this.accepted = this.#answer.promise;
    this.accepted.catch(() => {});
  }

  /** Resolves when the call is over, with what went wrong. */
  get ended(): Promise<Error | undefined> {
    return this.#over.promise;
  }

  accept(message: unknown = {}): void {
    if (!this.#isOver) this.#options.send({ type: 'accept', call: this.id, message });
  }

  /** A stream of the call. To be opened before the call is asked for, or accepted. */
  lane(lane: number, direction: 'in' | 'out' | 'both', onAbandoned: () => void = () => this.close()): Lane {
    const { id: call } = this;
    const send = (frame: Frame): void => {
      if (!this.#isOver) this.#options.send(frame);
    };
    const opened = new Lane({
      reads: direction !== 'out',
      writes: direction !== 'in',
      send: (bytes) => send({ type: 'data', call, lane, bytes }),
      sendEnd: () => send({ type: 'end', call, lane }),
      sendCredit: (bytes) => send({ type: 'credit', call, lane, bytes }),
      onAbandoned,
    });
    this.#lanes.set(lane, opened);
    return opened;
  }

  note(message: unknown): void {
    if (!this.#isOver) this.#options.send({ type: 'note', call: this.id, message });
  }

  onNote(listener: (message: unknown) => void): void {
    this.#onNote = listener;
  }

  /** Ends the call here and there. */
  close(error?: unknown): void {
    if (this.#isOver) return;
    const message = error === undefined ? null : toWireError(error);
    this.#options.send({ type: 'close', call: this.id, message });
    this.over(error === undefined || error instanceof Error ? error : new Error(String(error)));
  }

  receive(frame: Exclude<Frame, { type: 'open' }>): void {
    switch (frame.type) {
      case 'accept':
        this.#answer.resolve(frame.message);
        break;
      case 'data':
        this.#lanes.get(frame.lane)?.receive(frame.bytes);
        break;
      case 'end':
        this.#lanes.get(frame.lane)?.receiveEnd();
        break;
      case 'credit':
        this.#lanes.get(frame.lane)?.credit(frame.bytes);
        break;
      case 'note':
        this.#onNote(frame.message);
        break;
      case 'close':
        this.over(frame.message === null ? undefined : fromWireError(frame.message));
        break;
    }
  }

  /** Nothing more comes or goes. */
  over(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#answer.reject(error ?? new Error('the other side ended the call instead of answering it'));
    this.#over.resolve(error);
    for (const lane of this.#lanes.values()) lane.cut(error);
    this.#options.onOver();
  }
}
