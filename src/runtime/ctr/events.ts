import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Backoff } from '../../lib/backoff.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Logger } from '../../lib/log.ts';
import { type Ctr, ctrMessage } from './ctr.ts';

/** What the stream tells; the rest of containerd's events is of no interest here. */
export type CtrEvent =
  | { readonly type: 'exit'; readonly id: string; readonly exitCode: number; readonly atMs: number }
  | { readonly type: 'image' }
  /** The stream listens (again): whatever happened before has to be listed. */
  | { readonly type: 'resync' };

export interface EventStreamOptions {
  readonly ctr: Ctr;
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onEvent: (event: CtrEvent) => void;
}

/** Label on the containerd namespace whose change shows that a new stream is listening. */
const PROBE_LABEL = 'kedge.events';

/**
 * One long `ctr events` child. It prints nothing when it begins to listen, so a change that we make ourselves tells:
 * what comes after it is not missed. When the child ends it is started again, with back-off.
 */
export class EventStream {
  readonly #options: EventStreamOptions;
  readonly #backoff = new Backoff({
    baseMs: LIMITS.runtime.eventsRetryBaseMs,
    maxMs: LIMITS.runtime.eventsRetryMaxMs,
  });
  #child: ChildProcess | undefined;
  #timer: Timer | undefined;
  #listening = false;
  #stopped = true;
  #probe = 0;

  constructor(options: EventStreamOptions) {
    this.#options = options;
  }

  /** Whether every change since the last `resync` has been or will be told. */
  get listening(): boolean {
    return this.#listening;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#spawn();
  }

  stop(): void {
    this.#stopped = true;
    this.#listening = false;
    this.#timer?.cancel();
    this.#child?.kill('SIGTERM');
    this.#child = undefined;
  }

  #spawn(): void {
    const { ctr, namespace } = this.#options;
    const child = ctr.start(['events'], { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#child = child;
    const probe = String(++this.#probe);
    if (child.stdout) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (this.#child !== child) return;
        if (
          !this.#listening &&
          line.includes('/namespaces/update') &&
          line.includes(`"${PROBE_LABEL}":"${probe}"`)
        ) {
          this.#listening = true;
          this.#backoff.forget('stream');
          this.#options.onEvent({ type: 'resync' });
          return;
        }
        const event = parseEvent(line, namespace);
        if (event) this.#options.onEvent(event);
      });
    }
    child.once('error', () => this.#ended(child));
    child.once('close', () => this.#ended(child));
    void this.#announce(child, probe, this.#options.clock.monotonicMs() + LIMITS.runtime.eventsReadyMs);
  }

  /** Repeats the change until the stream shows it: the child may not have subscribed yet when the first is made. */
  async #announce(child: ChildProcess, probe: string, deadlineMs: number): Promise<void> {
    const { ctr, namespace, clock, log } = this.#options;
    for (let attempt = 0; this.#child === child && !this.#listening; attempt++) {
      if (clock.monotonicMs() > deadlineMs) {
        child.kill('SIGKILL');
        return;
      }
      try {
        if (attempt > 0) await ctr.run(['namespaces', 'label', namespace, `${PROBE_LABEL}=`]);
        await ctr.run(['namespaces', 'label', namespace, `${PROBE_LABEL}=${probe}`]);
      } catch (error) {
        log.debug('containerd does not answer yet', { error: ctrMessage(error) });
        child.kill('SIGKILL');
        return;
      }
      await new Promise<void>((resolve) => {
        this.#timer = clock.setTimer(50, resolve);
      });
    }
  }

  #ended(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#listening = false;
    if (this.#stopped) return;
    const delayMs = this.#backoff.next('stream');
    this.#options.log.warn('containerd event stream ended, starting it again', { delayMs });
    this.#timer = this.#options.clock.setTimer(delayMs, () => this.#spawn());
  }
}

/** `<date> <time> +0000 UTC <namespace> <topic> <json>`; exits of exec'ed processes are left out. */
export function parseEvent(line: string, namespace: string): CtrEvent | undefined {
  const [, found, topic, body] = /^\S+ \S+ \S+ \S+ (\S+) (\/\S+) (\{.*)$/.exec(line) ?? [];
  if (found !== namespace || topic === undefined || body === undefined) return undefined;
  if (topic.startsWith('/images/')) return { type: 'image' };
  if (topic !== '/tasks/exit') return undefined;
  const exit = JSON.parse(body) as {
    container_id: string;
    id: string;
    exit_status?: number;
    exited_at: string;
  };
  if (exit.id !== exit.container_id) return undefined;
  // containerd leaves a zero exit status out.
  return { type: 'exit', id: exit.id, exitCode: exit.exit_status ?? 0, atMs: Date.parse(exit.exited_at) };
}
