import type { Container, EphemeralContainer, Pod, ResourceRequirements } from '../../api/types.gen.ts';

/** The same instant on both clocks: wall time for what is written down, monotonic time for what is waited for. */
export interface Instant {
  readonly wallMs: number;
  readonly monoMs: number;
}

export type ContainerKind = 'init' | 'sidecar' | 'main' | 'ephemeral';

/** How one run of a container ended. */
export interface Termination {
  readonly id: string;
  readonly attempt: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message?: string;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  /** Monotonic; back-off counts from here. */
  readonly finishedMono: number;
}

export type ContainerPhase =
  /** Nothing runs. `retryAt` (monotonic) holds it back. */
  | { readonly is: 'waiting'; readonly reason: string; readonly message?: string; readonly retryAt?: number }
  /** A start was asked of the executor and has not been answered. */
  | { readonly is: 'starting' }
  | { readonly is: 'running'; readonly startedAtMs: number; readonly sinceMono: number }
  | {
      readonly is: 'stopping';
      readonly startedAtMs: number;
      readonly step: 'preStop' | 'term' | 'kill';
      /** Monotonic: SIGKILL is due. */
      readonly deadline: number;
      /** Start again whatever the restart policy says: its definition changed. */
      readonly restart: boolean;
    }
  | { readonly is: 'exited'; readonly termination: Termination; readonly restart: boolean };

/** What is known of one container of the pod. */
export interface ContainerRecord {
  readonly name: string;
  readonly kind: ContainerKind;
  readonly spec: Container | EphemeralContainer;
  readonly phase: ContainerPhase;
  /** Of the current or, when it has exited, the last run; the API's `restartCount`. */
  readonly attempt: number;
  readonly id: string;
  /** Of the definition the running container was started with. */
  readonly hash: string;
  /** What the running container has; its definition may ask for other amounts meanwhile (KEP-1287). */
  readonly resources?: ResourceRequirements;
  /** The change from those to these, while it is under way or after it has failed. */
  readonly resize?:
    | { readonly is: 'busy' }
    /** `retryAt` is monotonic. */
    | { readonly is: 'failed'; readonly message: string; readonly retryAt: number };
  readonly image?: string;
  readonly imageId?: string;
  /** The run before the current one. */
  readonly last?: Termination;
  /** The startup probe has passed (or there is none) and postStart has ended. */
  readonly started: boolean;
  readonly ready: boolean;
  readonly postStart: 'pending' | 'done';
  readonly backoff?: { readonly delayMs: number; readonly updatedMono: number };
  /** CrashLoopBackOff or ImagePullBackOff was told for this wait. */
  readonly failures: number;
  /** Things of a half-made start are to be removed before the next. */
  readonly leftover: boolean;
  /** Last answers of the probes of this run. */
  readonly probes: { readonly startup?: boolean; readonly readiness?: boolean };
}

export type Stage =
  /** Containers are kept as the spec wants them. */
  | { readonly is: 'active' }
  /** Every container is being stopped. */
  | { readonly is: 'terminating'; readonly graceMs: number; readonly outcome?: Outcome }
  /** Nothing runs. The final status is written, then sandbox and volumes go. */
  | { readonly is: 'terminated'; readonly step: 'status' | 'teardown'; readonly outcome?: Outcome }
  /** Clean; only records and logs are left. */
  | { readonly is: 'released'; readonly outcome?: Outcome; readonly deleting: boolean }
  /** The API object is gone and so is everything else. */
  | { readonly is: 'gone' };

/** Why a pod ends that was not simply deleted or completed: `Evicted`, `DeadlineExceeded`. */
export interface Outcome {
  readonly reason?: string;
  readonly message?: string;
  readonly failed: boolean;
}

/** Why the amounts that a running pod asks for cannot be given now, or on this node ever. */
export interface ResizeProblem {
  readonly reason: 'Deferred' | 'Infeasible';
  readonly message: string;
}

/** One attempt at a time of something the pod needs before its containers. */
export type Step =
  | {
      readonly is: 'idle';
      readonly retryAt?: number;
      readonly failures: number;
      readonly message?: string;
      readonly image?: MissingImage;
    }
  | { readonly is: 'busy'; readonly failures: number; readonly image?: MissingImage }
  | { readonly is: 'done' };

/** A volume that shows an image which is not to be had; containers that mount it wait for that reason. */
export interface MissingImage {
  readonly volume: string;
  readonly reason: string;
  readonly message: string;
  /** When another try makes sense. */
  readonly retryMs: number;
}

export interface PodState {
  readonly pod: Pod;
  /** False until the runtime said what it has of this pod: before that nothing may be decided. */
  readonly observed: boolean;
  readonly stage: Stage;
  readonly volumes: Step;
  readonly sandbox: Step;
  readonly ips: readonly string[];
  readonly containers: readonly ContainerRecord[];
  /** Set: containers keep what they have. */
  readonly resize?: ResizeProblem;
  /** A main container has started once in this sandbox: init containers are not looked at again. */
  readonly initialized: boolean;
  /** The API no longer has the pod. */
  readonly removed: boolean;
  readonly startedAt: Instant;
}

/** What the runtime has of one container, newest attempt first within a name. */
export interface ObservedContainer {
  readonly id: string;
  readonly name: string;
  readonly attempt: number;
  readonly hash: string;
  readonly image: string;
  readonly imageId?: string;
  readonly state: 'running' | 'exited' | 'created' | 'unknown';
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message?: string;
}

export type PodEvent =
  | { readonly type: 'desired'; readonly pod: Pod; readonly resize?: ResizeProblem }
  | { readonly type: 'removed' }
  | {
      readonly type: 'observed';
      readonly sandbox: { readonly ready: boolean; readonly ips: readonly string[] } | undefined;
      readonly containers: readonly ObservedContainer[];
      /** Monotonic instant before the runtime was asked: later starts are unknown to this answer. */
      readonly asOfMono: number;
    }
  | { readonly type: 'volumesReady' }
  | { readonly type: 'volumesFailed'; readonly message: string; readonly image?: MissingImage }
  | { readonly type: 'sandboxReady'; readonly ips: readonly string[] }
  | { readonly type: 'sandboxFailed'; readonly message: string }
  | {
      readonly type: 'started';
      readonly name: string;
      readonly id: string;
      readonly startedAtMs: number;
      readonly image: string;
      readonly imageId: string;
      readonly resources: ResourceRequirements;
    }
  | {
      readonly type: 'startFailed';
      readonly name: string;
      readonly id: string;
      /** `image`: back off as for pulls; `config`: retry soon; `run`: counts as a run that failed. */
      readonly stage: 'image' | 'config' | 'run';
      readonly reason: string;
      readonly message: string;
      readonly retryMs?: number;
    }
  | { readonly type: 'postStart'; readonly id: string; readonly ok: boolean; readonly message?: string }
  | { readonly type: 'preStop'; readonly id: string }
  /** The container has these amounts now, or `message` says why not. */
  | {
      readonly type: 'resized';
      readonly id: string;
      readonly resources: ResourceRequirements;
      readonly message?: string;
    }
  | {
      readonly type: 'exited';
      readonly id: string;
      readonly exitCode: number;
      readonly reason: string;
      readonly message?: string;
      readonly finishedAtMs: number;
    }
  | {
      readonly type: 'probe';
      readonly id: string;
      readonly kind: 'startup' | 'readiness' | 'liveness';
      readonly ok: boolean;
    }
  /** Nothing but time has passed, or a referenced object changed (`retry`). */
  | { readonly type: 'tick'; readonly retry?: boolean }
  | { readonly type: 'evict'; readonly reason: string; readonly message: string; readonly graceMs: number }
  | { readonly type: 'statusWritten' }
  | { readonly type: 'tornDown' };

/** Orders to the executor. Each is answered by an event unless noted. */
export type PodAction =
  | { readonly type: 'mountVolumes' }
  | { readonly type: 'createSandbox'; readonly fresh: boolean }
  | {
      readonly type: 'start';
      readonly name: string;
      readonly id: string;
      readonly attempt: number;
      readonly clean: boolean;
    }
  | { readonly type: 'postStart'; readonly name: string; readonly id: string }
  | { readonly type: 'preStop'; readonly name: string; readonly id: string; readonly timeoutMs: number }
  /** Gives a running container what its definition asks for. Answered by `resized`. */
  | { readonly type: 'resize'; readonly name: string; readonly id: string }
  /** Answered by `exited`. */
  | { readonly type: 'signal'; readonly id: string; readonly signal: string }
  /** Starts the probes of a run; its end stops them. Answered by `probe` events. */
  | { readonly type: 'probe'; readonly name: string; readonly id: string }
  | { readonly type: 'stopProbes'; readonly id: string }
  /** A dead run that nobody needs: the one before the last. Not answered. */
  | { readonly type: 'forget'; readonly id: string }
  | {
      readonly type: 'event';
      readonly warning: boolean;
      readonly reason: string;
      readonly message: string;
      readonly container?: string;
    }
  | { readonly type: 'writeFinalStatus' }
  | { readonly type: 'tearDown' }
  /** Not answered: the informer tells. */
  | { readonly type: 'deleteFromApi' }
  /** Answered by `observed`: an exit may have gone unheard. */
  | { readonly type: 'inspect' }
  | { readonly type: 'purge' };

export interface Transition {
  readonly state: PodState;
  readonly actions: readonly PodAction[];
}
