import type { Worker } from 'node:worker_threads';
import { StorageError } from '../port.ts';
import type { Envelope, Opened, OperationName, Operations, Reply } from './protocol.ts';

interface Waiting {
  resolve(response: unknown): void;
  reject(error: Error): void;
}

/** Requests to the worker thread and their answers, which come in the same order (snapshots aside). */
export class WorkerLink {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #broken: Error | undefined;
  /** Called once when the thread has ended, for whatever reason. */
  onBreak: (error: Error) => void = () => {};

  constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** Resolves when the database is open. Rejects with `StorageError`, and then the thread has ended. */
  async opened(): Promise<Opened> {
    try {
      return await new Promise<Opened>((resolve, reject) => {
        this.#worker.on('error', (error) => {
          this.#break(new StorageError('io', 'the datastore thread failed', { cause: error }));
          reject(this.#broken);
        });
        this.#worker.on('exit', () => {
          this.#break(new StorageError('closed', 'the datastore thread has ended'));
          reject(this.#broken);
        });
        this.#worker.on('message', (reply: Reply) => {
          if ('opened' in reply) resolve(reply.opened);
          else if ('failed' in reply) reject(new StorageError(reply.failed.reason, reply.failed.message));
          else if ('id' in reply) this.#settle(reply);
        });
      });
    } catch (error) {
      await this.#worker.terminate();
      throw error;
    }
  }

  request<N extends OperationName>(
    request: Operations[N]['request'] & { op: N },
    transfer: ArrayBuffer[] = [],
  ): Promise<Operations[N]['response']> {
    if (this.#broken) return Promise.reject(this.#broken);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (response: unknown) => void, reject });
      this.#worker.postMessage({ id, request } satisfies Envelope, transfer);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(reply: Extract<Reply, { id: number }>): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('error' in reply) waiting?.reject(new StorageError(reply.error.reason, reply.error.message));
    else waiting?.resolve(reply.response);
  }

  #break(error: Error): void {
    const isFirst = this.#broken === undefined;
    this.#broken ??= error;
    if (isFirst) this.onBreak(error);
    for (const { reject } of this.#waiting.values()) reject(this.#broken);
    this.#waiting.clear();
  }
}
