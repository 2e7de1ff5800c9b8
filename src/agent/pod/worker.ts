import { pods } from '../../api/resources.gen.ts';
import { isConflict, isNotFound } from '../../api/status.ts';
import type { Container, Pod } from '../../api/types.gen.ts';
import { sleep, type Timer } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText } from '../../lib/log.ts';
import type { DownwardContext } from '../env/fields.ts';
import { ensurePodFiles, writePodFiles } from '../files/pod-files.ts';
import { ImageError } from '../images/image-manager.ts';
import type { CheckTarget } from '../probes/check.ts';
import { Prober } from '../probes/prober.ts';
import { VolumeError } from '../volumes/volume-manager.ts';
import { containerId } from './container-id.ts';
import { runHook } from './hooks.ts';
import { initialState, next } from './machine.ts';
import { wakeAt } from './plan.ts';
import { containerResources } from './resources.ts';
import { sandboxConfig } from './sandbox-config.ts';
import { startContainer, type Tell } from './start-container.ts';
import type { Instant, MissingImage, PodAction, PodEvent, PodState } from './state.ts';
import { podStatus } from './status.ts';
import type { WorkerDeps } from './worker-deps.ts';

/**
 * Carries one pod through the state machine: every event goes in, every action is done here and answered. Holds no
 * decisions of its own.
 */
export class PodWorker {
  readonly #deps: WorkerDeps;
  readonly #probers = new Map<string, Prober>();
  readonly #abort = new AbortController();
  #state: PodState;
  #timer: Timer | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(pod: Pod, deps: WorkerDeps) {
    this.#deps = deps;
    this.#state = initialState(pod, this.#now());
  }

  get state(): PodState {
    return this.#state;
  }
  get pod(): Pod {
    return this.#state.pod;
  }

  /** What happened; whatever follows from it is under way when this returns. */
  dispatch(event: PodEvent): void {
    if (this.#abort.signal.aborted) return;
    const { state, actions } = next(this.#state, event, this.#now());
    this.#state = state;
    for (const action of actions) void this.#act(action);
    this.#arm();
    this.#report();
    for (const listener of this.#listeners) listener();
  }

  /** Calls back after every event until the answer is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Lets go of timers and probes. Containers are not touched. */
  stop(): void {
    this.#abort.abort(new Error('the agent stops'));
    this.#timer?.cancel();
    for (const prober of this.#probers.values()) prober.stop();
    this.#probers.clear();
  }

  /** What containers may know of the pod and the node. */
  downward(): DownwardContext {
    const { nodeName, nodeIPs, allocatable } = this.#deps.settings();
    const { pod, ips } = this.#state;
    return {
      nodeName,
      hostIPs: nodeIPs,
      podIPs: pod.spec?.hostNetwork === true ? nodeIPs : ips,
      allocatable,
    };
  }

  #now(): Instant {
    return { wallMs: this.#deps.clock.now(), monoMs: this.#deps.clock.monotonicMs() };
  }

  #arm(): void {
    this.#timer?.cancel();
    const at = wakeAt(this.#state);
    this.#timer =
      at === undefined
        ? undefined
        : this.#deps.clock.setTimer(Math.max(0, at - this.#deps.clock.monotonicMs()), () =>
            this.dispatch({ type: 'tick' }),
          );
  }

  #report(): void {
    const { observed, stage, removed, pod } = this.#state;
    if (!observed || removed || stage.is === 'gone' || stage.is === 'terminated') return;
    this.#deps.statuses.set(pod, this.#status());
  }

  #status() {
    const hostIPs = this.#deps.settings().nodeIPs;
    return podStatus(this.#state, { hostIPs, nowMs: this.#deps.clock.now() });
  }

  readonly #tell: Tell = (warning, reason, message, container) => {
    const fieldPath = container === undefined ? undefined : this.#fieldPath(container);
    this.#deps.events.event(this.#state.pod, warning ? 'Warning' : 'Normal', reason, message, fieldPath);
  };

  #fieldPath(name: string): string {
    const kind = this.#state.containers.find((record) => record.name === name)?.kind;
    if (kind === 'ephemeral') return `spec.ephemeralContainers{${name}}`;
    return kind === 'main' ? `spec.containers{${name}}` : `spec.initContainers{${name}}`;
  }

  async #act(action: PodAction): Promise<void> {
    try {
      await this.#perform(action);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      const { namespace, name } = this.pod.metadata;
      this.#deps.log.warn(`${action.type} failed`, { pod: `${namespace}/${name}`, error });
    }
  }

  #perform(action: PodAction): Promise<void> | void {
    switch (action.type) {
      case 'mountVolumes':
        return this.#mountVolumes();
      case 'createSandbox':
        return this.#createSandbox(action.fresh);
      case 'start':
        return this.#start(action);
      case 'postStart':
        return this.#postStart(action.name, action.id);
      case 'preStop':
        return this.#preStop(action.name, action.id, action.timeoutMs);
      case 'resize':
        return this.#resize(action.name, action.id);
      case 'signal':
        return this.#deps.runtime.signalContainer(action.id, action.signal || 'SIGTERM');
      case 'probe':
        return this.#probe(action.name, action.id);
      case 'stopProbes':
        this.#probers.get(action.id)?.stop();
        this.#probers.delete(action.id);
        return this.#deps.logs.ended(action.id);
      case 'forget':
        return this.#forget(action.id);
      case 'event':
        return this.#tell(action.warning, action.reason, action.message, action.container);
      case 'writeFinalStatus':
        return this.#writeFinalStatus();
      case 'tearDown':
        return this.#tearDown();
      case 'deleteFromApi':
        return this.#deleteFromApi();
      case 'inspect':
        return this.#deps.inspect(this);
      case 'purge':
        return this.#purge();
    }
  }

  async #mountVolumes(): Promise<void> {
    try {
      await this.#deps.volumes.mountAll(this.pod, this.downward());
      this.dispatch({ type: 'volumesReady' });
    } catch (error) {
      this.dispatch({ type: 'volumesFailed', message: errorText(error), ...missingImage(error) });
    }
  }

  async #createSandbox(fresh: boolean): Promise<void> {
    const { runtime, sandboxes, settings, volumes, isolation } = this.#deps;
    const { pod } = this;
    try {
      const sandbox = await sandboxes.run(async () => {
        if (fresh) await runtime.removeSandbox(pod.metadata.uid ?? '');
        return runtime.createSandbox(sandboxConfig(pod, settings()));
      });
      const ips = pod.spec?.hostNetwork === true ? [] : sandbox.ips;
      await Promise.all([
        writePodFiles(pod, ips, volumes.dirs(pod), settings()),
        // Before a container could send its first packet.
        isolation?.ensure(pod, ips),
      ]);
      this.dispatch({ type: 'sandboxReady', ips });
    } catch (error) {
      this.dispatch({ type: 'sandboxFailed', message: errorText(error) });
    }
  }

  async #start(action: Extract<PodAction, { type: 'start' }>): Promise<void> {
    const { settings, volumes } = this.#deps;
    // A failure shows in the start itself, which mounts them.
    await ensurePodFiles(this.pod, this.#state.ips, volumes.dirs(this.pod), settings()).catch(() => {});
    const answer = await this.#deps.starts.run(() =>
      startContainer(this.#deps, this.#state, action, this.downward(), this.#tell),
    );
    this.dispatch(answer);
  }

  #target(name: string, id: string): CheckTarget | undefined {
    const record = this.#state.containers.find((entry) => entry.name === name);
    if (record === undefined) return undefined;
    const { nodeIPs, version } = this.#deps.settings();
    const podIP = (this.pod.spec?.hostNetwork === true ? nodeIPs[0] : this.#state.ips[0]) ?? '127.0.0.1';
    return { runtime: this.#deps.runtime, containerId: id, container: record.spec, podIP, version };
  }

  async #postStart(name: string, id: string): Promise<void> {
    const target = this.#target(name, id);
    const hook = target?.container.lifecycle?.postStart;
    const failure =
      target === undefined || hook === undefined
        ? undefined
        : await runHook(hook, LIMITS.agent.hookTimeoutMs, target, this.#deps.clock);
    if (failure !== undefined)
      this.#deps.log.debug('postStart hook failed', { container: name, output: failure });
    this.dispatch({
      type: 'postStart',
      id,
      ok: failure === undefined,
      ...(failure === undefined ? {} : { message: 'PostStartHook failed' }),
    });
  }

  async #preStop(name: string, id: string, timeoutMs: number): Promise<void> {
    const target = this.#target(name, id);
    const hook = target?.container.lifecycle?.preStop;
    if (target !== undefined && hook !== undefined) {
      const failure = await runHook(hook, timeoutMs, target, this.#deps.clock);
      if (failure !== undefined) this.#tell(true, 'FailedPreStopHook', 'PreStopHook failed', name);
    }
    this.dispatch({ type: 'preStop', id });
  }

  async #resize(name: string, id: string): Promise<void> {
    const record = this.#state.containers.find((entry) => entry.name === name);
    if (record === undefined) return;
    const { resources = {} } = record.spec;
    const { runtime, settings } = this.#deps;
    const amounts = containerResources(this.pod, record.spec as Container, settings().memoryCapacityBytes);
    try {
      await runtime.updateContainer(id, amounts);
      this.dispatch({ type: 'resized', id, resources });
    } catch (error) {
      this.dispatch({ type: 'resized', id, resources, message: errorText(error) });
    }
  }

  async #forget(id: string): Promise<void> {
    await this.#deps.logs.forget(id);
    await this.#deps.runtime.removeContainer(id, { logs: true });
  }

  #probe(name: string, id: string): void {
    const target = this.#target(name, id);
    const record = this.#state.containers.find((entry) => entry.name === name);
    if (target === undefined || record === undefined) return;
    const startedAtMs = record.phase.is === 'running' ? record.phase.startedAtMs : this.#deps.clock.now();
    void this.#deps.logs.follow(id, this.#deps.runtime.logPath(id), startedAtMs);
    if (record.kind === 'init' || record.kind === 'ephemeral') return;
    const { startupProbe, readinessProbe, livenessProbe } = record.spec;
    if (!startupProbe && !readinessProbe && !livenessProbe) return;
    this.#probers.get(id)?.stop();
    const startedMono =
      record.phase.is === 'running' ? record.phase.sinceMono : this.#deps.clock.monotonicMs();
    const prober = new Prober({
      clock: this.#deps.clock,
      target,
      startedMono,
      onVerdict: (kind, ok) => this.dispatch({ type: 'probe', id, kind, ok }),
      onFailure: (kind, output) => {
        const label = `${kind[0]?.toUpperCase()}${kind.slice(1)}`;
        this.#tell(true, 'Unhealthy', `${label} probe failed: ${output}`, name);
      },
    });
    this.#probers.set(id, prober);
    prober.start(record.probes.startup === true);
  }

  async #writeFinalStatus(): Promise<void> {
    if (!this.#state.removed) await this.#deps.statuses.final(this.pod, this.#status());
    this.dispatch({ type: 'statusWritten' });
  }

  /** Tries until it has worked: an address or a mount that stays behind is never forgotten. */
  async #tearDown(): Promise<void> {
    const { runtime, teardowns, volumes, clock, log, isolation } = this.#deps;
    const uid = this.pod.metadata.uid ?? '';
    isolation?.release(uid);
    for (let delayMs = 1000; ; delayMs = Math.min(delayMs * 2, 60_000)) {
      try {
        await teardowns.run(async () => {
          await runtime.removeSandbox(uid);
          await volumes.remove(uid);
        });
        break;
      } catch (error) {
        log.warn('pod cannot be cleaned up yet', { pod: uid, error });
        await sleep(clock, delayMs, this.#abort.signal);
      }
    }
    this.dispatch({ type: 'tornDown' });
  }

  async #deleteFromApi(): Promise<void> {
    const { client, clock } = this.#deps;
    const { name = '', namespace, uid = '' } = this.pod.metadata;
    for (let delayMs = 500; ; delayMs = Math.min(delayMs * 2, 30_000)) {
      if (this.#state.removed) return;
      try {
        await client.delete(pods, { name, namespace }, { gracePeriodSeconds: 0, preconditions: { uid } });
        return;
      } catch (error) {
        if (isNotFound(error) || isConflict(error)) return;
        await sleep(clock, delayMs, this.#abort.signal);
      }
    }
  }

  /** Everything that could still remind of the pod: logs, dead containers, back-offs. */
  async #purge(): Promise<void> {
    const { images, objects, statuses, onGone } = this.#deps;
    const uid = this.pod.metadata.uid ?? '';
    for (const record of this.#state.containers) {
      for (const attempt of [record.attempt, record.attempt - 1].filter((number) => number >= 0))
        await this.#forget(containerId(uid, record.name, attempt)).catch(() => {});
    }
    images.forget(uid);
    objects.forget(uid);
    statuses.forget(uid);
    this.stop();
    onGone(uid);
  }
}

function missingImage(error: unknown): { image?: MissingImage } {
  if (!(error instanceof VolumeError && error.cause instanceof ImageError)) return {};
  const { reason, message, retryMs } = error.cause;
  return { image: { volume: error.volume, reason, message, retryMs } };
}
