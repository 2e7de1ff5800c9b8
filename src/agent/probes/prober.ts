import type { Probe } from '../../api/types.gen.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import { type CheckResult, type CheckTarget, check } from './check.ts';
import { track, UNTRIED } from './tracker.ts';

export type ProbeKind = 'startup' | 'readiness' | 'liveness';

export interface ProberOptions {
  readonly clock: Clock;
  readonly target: CheckTarget;
  /** When the container started, monotonic: `initialDelaySeconds` counts from there. */
  readonly startedMono: number;
  /** A threshold was reached. */
  readonly onVerdict: (kind: ProbeKind, ok: boolean) => void;
  /** One failed answer, for the Unhealthy event. */
  readonly onFailure: (kind: ProbeKind, output: string) => void;
  /** Asks once; replaced in tests of timing. */
  readonly ask?: (probe: Probe, timeoutMs: number, target: CheckTarget) => Promise<CheckResult>;
}

/**
 * The probes of one run of one container, each with its own timer. Until the startup probe has passed the others
 * rest; after it has passed it is never asked again.
 */
export class Prober {
  readonly #options: ProberOptions;
  readonly #timers = new Set<Timer>();
  #stopped = false;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** `started`: the startup probe has passed before (the agent was restarted). */
  start(started: boolean): void {
    const { startupProbe } = this.#options.target.container;
    if (startupProbe === undefined || started) this.#afterStartup();
    else this.#run('startup', startupProbe);
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  #afterStartup(): void {
    const { readinessProbe, livenessProbe } = this.#options.target.container;
    if (readinessProbe !== undefined) this.#run('readiness', readinessProbe);
    if (livenessProbe !== undefined) this.#run('liveness', livenessProbe);
  }

  #run(kind: ProbeKind, probe: Probe): void {
    const { clock, target, startedMono } = this.#options;
    const ask = this.#options.ask ?? check;
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
    let state = UNTRIED;
    const round = async (): Promise<void> => {
      const beganMono = clock.monotonicMs();
      const result = await ask(probe, timeoutMs, target);
      if (this.#stopped) return;
      const step = track(state, result.ok, probe);
      state = step.state;
      if (!result.ok) this.#options.onFailure(kind, result.output);
      if (step.verdict !== undefined) {
        this.#options.onVerdict(kind, step.verdict);
        if (kind === 'startup') {
          if (step.verdict) this.#afterStartup();
          return;
        }
        // The container is being stopped: its successor gets a prober of its own.
        if (kind === 'liveness' && !step.verdict) return;
      }
      if (!this.#stopped) this.#after(periodMs - (clock.monotonicMs() - beganMono), round);
    };
    const delayMs = (probe.initialDelaySeconds ?? 0) * 1000 - (clock.monotonicMs() - startedMono);
    this.#after(delayMs, round);
  }

  #after(delayMs: number, round: () => Promise<void>): void {
    const timer = this.#options.clock.setTimer(Math.max(0, delayMs), () => {
      this.#timers.delete(timer);
      void round();
    });
    this.#timers.add(timer);
  }
}
