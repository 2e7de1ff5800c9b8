import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Container, Pod } from '../../api/types.gen.ts';
import { initialState, next } from './machine.ts';
import { wakeAt } from './plan.ts';
import type { ObservedContainer, PodAction, PodEvent, PodState } from './state.ts';
import { podStatus } from './status.ts';

/** A runtime and an executor that answer in any order, fail, lose answers and forget things. */
class World {
  state: PodState;
  nowMs = 0;
  sandbox = false;
  readonly running = new Map<string, { name: string; attempt: number; hash: string }>();
  readonly dead = new Map<string, ObservedContainer>();
  readonly inFlight: PodAction[] = [];
  pod: Pod;

  constructor(pod: Pod) {
    this.pod = pod;
    this.state = initialState(pod, this.#at());
    this.observe();
  }

  #at() {
    return { wallMs: 1_700_000_000_000 + this.nowMs, monoMs: this.nowMs };
  }

  dispatch(event: PodEvent): void {
    const before = this.state;
    const { state, actions } = next(before, event, this.#at());
    this.state = state;
    for (const action of actions) {
      if (action.type === 'start') {
        const twin = [...this.running.values()].find(({ name }) => name === action.name);
        expect(twin, `second instance of ${action.name}`).toBeUndefined();
        const asked = this.inFlight.some((other) => other.type === 'start' && other.name === action.name);
        expect(asked, `${action.name} is being started already`).toBe(false);
      }
      this.inFlight.push(action);
    }
    // Every state has a status, and it is one the API would take.
    const status = podStatus(state, { hostIPs: ['10.0.0.1'], nowMs: this.#at().wallMs });
    expect(['Pending', 'Running', 'Succeeded', 'Failed']).toContain(status.phase);
  }

  observe(): void {
    this.dispatch({
      type: 'observed',
      sandbox: this.sandbox ? { ready: true, ips: ['10.42.0.2'] } : undefined,
      containers: [
        ...this.dead.values(),
        ...[...this.running].map(([id, { name, attempt, hash }]) => ({
          ...{ id, name, attempt, hash },
          image: 'busybox',
          state: 'running' as const,
          startedAtMs: 0,
          finishedAtMs: 0,
          exitCode: 0,
          reason: '',
        })),
      ],
      asOfMono: this.nowMs,
    });
  }

  exit(id: string, exitCode: number, tell: boolean): void {
    const run = this.running.get(id);
    if (run === undefined) return;
    this.running.delete(id);
    const reason = exitCode === 0 ? 'Completed' : 'Error';
    const ended = { startedAtMs: 0, finishedAtMs: this.#at().wallMs, exitCode, reason, image: 'busybox' };
    this.dead.set(id, { id, ...run, state: 'exited', ...ended });
    if (tell) this.dispatch({ type: 'exited', id, exitCode, reason, finishedAtMs: this.#at().wallMs });
  }

  /** Answers one action; `luck` decides how. */
  answer(action: PodAction, luck: number): void {
    const bad = luck % 5 === 0;
    switch (action.type) {
      case 'mountVolumes':
        this.dispatch(bad ? { type: 'volumesFailed', message: 'no' } : { type: 'volumesReady' });
        return;
      case 'createSandbox':
        if (bad) {
          this.dispatch({ type: 'sandboxFailed', message: 'no' });
          return;
        }
        if (action.fresh) for (const id of [...this.running.keys()]) this.exit(id, 137, true);
        this.sandbox = true;
        this.dispatch({ type: 'sandboxReady', ips: ['10.42.0.2'] });
        return;
      case 'start': {
        const { name, id, attempt } = action;
        if (bad) {
          const stage = (['image', 'config', 'run'] as const)[luck % 3] ?? 'run';
          this.dispatch({ type: 'startFailed', name, id, stage, reason: 'X', message: 'y' });
          return;
        }
        if (action.clean) this.dead.delete(id);
        expect(this.running.has(id) || this.dead.has(id), `run ${attempt} of ${name} exists already`).toBe(
          false,
        );
        const hash = this.state.containers.find((record) => record.name === name)?.hash ?? '';
        this.running.set(id, { name, attempt, hash });
        const imageId = 'sha256:1';
        this.dispatch({
          type: 'started',
          name,
          id,
          startedAtMs: 0,
          image: 'busybox',
          imageId,
          resources: {},
        });
        return;
      }
      case 'postStart':
        this.dispatch({ type: 'postStart', id: action.id, ok: !bad });
        return;
      case 'preStop':
        this.dispatch({ type: 'preStop', id: action.id });
        return;
      case 'signal':
        if (action.signal === 'SIGKILL' || !bad) this.exit(action.id, 137, true);
        return;
      case 'inspect':
        this.observe();
        return;
      case 'writeFinalStatus':
        this.dispatch({ type: 'statusWritten' });
        return;
      case 'tearDown':
        expect(this.running.size, 'teardown while something runs').toBe(0);
        this.sandbox = false;
        this.dead.clear();
        this.dispatch({ type: 'tornDown' });
        return;
      case 'deleteFromApi':
        this.dispatch({ type: 'removed' });
        return;
      case 'forget':
        this.dead.delete(action.id);
        return;
    }
  }

  step(command: Command): void {
    switch (command.do) {
      case 'answer': {
        const [action] = this.inFlight.splice(command.pick % Math.max(1, this.inFlight.length), 1);
        if (action !== undefined) this.answer(action, command.luck);
        return;
      }
      case 'exit': {
        const id = [...this.running.keys()][command.pick % Math.max(1, this.running.size)];
        if (id !== undefined) this.exit(id, command.luck % 3, command.luck % 4 !== 0);
        return;
      }
      case 'time':
        this.nowMs += command.pick * 100;
        this.dispatch({ type: 'tick' });
        return;
      case 'observe':
        this.observe();
        return;
      case 'reboot':
        for (const id of [...this.running.keys()]) this.exit(id, 255, false);
        this.sandbox = false;
        this.observe();
        return;
      case 'probe': {
        const id = [...this.running.keys()][command.pick % Math.max(1, this.running.size)];
        const kind = (['startup', 'readiness', 'liveness'] as const)[command.luck % 3] ?? 'liveness';
        if (id !== undefined) this.dispatch({ type: 'probe', id, kind, ok: command.luck % 2 === 0 });
        return;
      }
      case 'image': {
        const spec = {
          ...this.pod.spec,
          containers: (this.pod.spec?.containers ?? []).map((container) => ({
            ...container,
            image: `busybox:${command.luck}`,
          })),
        };
        this.pod = { ...this.pod, spec };
        this.dispatch({ type: 'desired', pod: this.pod });
        return;
      }
      case 'delete':
        this.pod = {
          ...this.pod,
          metadata: {
            ...this.pod.metadata,
            deletionTimestamp: '2026-01-01T00:00:00Z',
            deletionGracePeriodSeconds: 3,
          },
        };
        this.dispatch({ type: 'desired', pod: this.pod });
        return;
      case 'restart':
        // A new agent: nothing is remembered, what was under way finishes unheard.
        for (const action of this.inFlight.splice(0)) this.finishUnheard(action);
        this.state = initialState(this.pod, this.#at());
        this.observe();
        return;
    }
  }

  finishUnheard(action: PodAction): void {
    if (action.type === 'start') {
      const hash = this.state.containers.find((record) => record.name === action.name)?.hash ?? '';
      if (!this.dead.has(action.id))
        this.running.set(action.id, { name: action.name, attempt: action.attempt, hash });
    }
    if (action.type === 'createSandbox') {
      if (action.fresh) for (const id of [...this.running.keys()]) this.exit(id, 137, false);
      this.sandbox = true;
    }
    if (action.type === 'signal') this.exit(action.id, 143, false);
  }
}

interface Command {
  readonly do: 'answer' | 'exit' | 'time' | 'observe' | 'reboot' | 'probe' | 'image' | 'delete' | 'restart';
  readonly pick: number;
  readonly luck: number;
}

const command: fc.Arbitrary<Command> = fc.record({
  do: fc.oneof(
    { weight: 12, arbitrary: fc.constant('answer' as const) },
    { weight: 4, arbitrary: fc.constant('exit' as const) },
    { weight: 4, arbitrary: fc.constant('time' as const) },
    { weight: 2, arbitrary: fc.constantFrom('observe' as const, 'probe' as const, 'image' as const) },
    { weight: 1, arbitrary: fc.constantFrom('reboot' as const, 'restart' as const, 'delete' as const) },
  ),
  pick: fc.nat(200),
  luck: fc.nat(60),
});

const containers = (prefix: string, min: number, kinds: readonly (string | undefined)[]) =>
  fc
    .array(
      fc.record({
        policy: fc.constantFrom(...kinds),
        hooks: fc.boolean(),
        probes: fc.boolean(),
      }),
      { minLength: min, maxLength: 2 },
    )
    .map((list) =>
      list.map(
        ({ policy, hooks, probes }, index): Container => ({
          name: `${prefix}${index}`,
          image: 'busybox',
          ...(policy === undefined ? {} : { restartPolicy: policy }),
          ...(hooks ? { lifecycle: { postStart: { exec: {} }, preStop: { exec: {} } } } : {}),
          ...(probes ? { startupProbe: { exec: {} }, livenessProbe: { exec: {} } } : {}),
        }),
      ),
    );

const pod: fc.Arbitrary<Pod> = fc
  .record({
    restartPolicy: fc.constantFrom('Always', 'OnFailure', 'Never'),
    main: containers('main', 1, [undefined]),
    init: containers('init', 0, [undefined, 'Always']),
  })
  .map(({ restartPolicy, main, init }) => ({
    metadata: { name: 'web', namespace: 'default', uid: 'uid-1' },
    spec: { restartPolicy, containers: main, initContainers: init },
  }));

describe('pod state machine, whatever happens', () => {
  it('never runs two instances of a container, and always ends when it is deleted', () => {
    fc.assert(
      fc.property(pod, fc.array(command, { maxLength: 120 }), (start, commands) => {
        const world = new World(start);
        for (const each of commands) world.step(each);
        world.step({ do: 'delete', pick: 0, luck: 0 });
        for (let round = 0; round < 400 && world.state.stage.is !== 'gone'; round++) {
          const action = world.inFlight.shift();
          if (action !== undefined) {
            world.answer(action, 1);
            continue;
          }
          const due = wakeAt(world.state);
          if (due === undefined) world.observe();
          else {
            world.nowMs = Math.max(world.nowMs, due);
            world.dispatch({ type: 'tick' });
          }
        }
        expect(world.state.stage.is).toBe('gone');
        expect([...world.running.values()]).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });

  it('ends by itself when every container succeeds and none is to be restarted', () => {
    fc.assert(
      fc.property(pod, (start) => {
        const once: Pod = {
          ...start,
          spec: { ...start.spec, containers: start.spec?.containers ?? [], restartPolicy: 'Never' },
        };
        const world = new World(once);
        for (let round = 0; round < 400 && world.state.stage.is !== 'released'; round++) {
          const action = world.inFlight.shift();
          if (action !== undefined) {
            world.answer(action, 1);
            continue;
          }
          const sidecars = new Set(
            (once.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always').map((c) => c.name),
          );
          const starting = world.state.containers.find(
            (record) => record.kind === 'sidecar' && record.phase.is === 'running' && !record.started,
          );
          if (starting !== undefined) {
            world.dispatch({ type: 'probe', id: starting.id, kind: 'startup', ok: true });
            continue;
          }
          for (const [id, { name }] of world.running) if (!sidecars.has(name)) world.exit(id, 0, true);
          const due = wakeAt(world.state);
          if (due !== undefined) {
            world.nowMs = Math.max(world.nowMs, due);
            world.dispatch({ type: 'tick' });
          }
        }
        expect(world.state.stage.is).toBe('released');
        expect(podStatus(world.state, { hostIPs: [], nowMs: 0 }).phase).toBe('Succeeded');
      }),
      { numRuns: 150 },
    );
  });
});
