import type { Node, Service } from '../../api/types.gen.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import type { Client } from '../../client/port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Exec } from '../../lib/exec.ts';
import type { Logger } from '../../lib/log.ts';
import type { PodIsolation } from '../../netpolicy/enforcer.ts';
import type { Runtime } from '../../runtime/port.ts';
import type { ImageManager } from '../images/image-manager.ts';
import type { LogKeeper } from '../logs/log-keeper.ts';
import type { ReferencedObjects } from '../referenced-objects.ts';
import type { Semaphore } from '../semaphore.ts';
import type { AgentSettings } from '../settings.ts';
import type { VolumeManager } from '../volumes/volume-manager.ts';
import type { StatusWriter } from './status-writer.ts';
import type { PodWorker } from './worker.ts';

/** What all pod workers share. */
export interface WorkerDeps {
  readonly client: Client;
  readonly runtime: Runtime;
  readonly images: ImageManager;
  readonly logs: LogKeeper;
  readonly volumes: VolumeManager;
  readonly objects: ReferencedObjects;
  readonly statuses: StatusWriter;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly exec: Exec;
  readonly log: Logger;
  readonly settings: () => AgentSettings;
  /** This node, as far as it is known. */
  readonly node: () => Node | undefined;
  readonly services: () => readonly Service[];
  /** Absent where network policies are not enforced. */
  readonly isolation?: PodIsolation;
  readonly starts: Semaphore;
  readonly sandboxes: Semaphore;
  readonly teardowns: Semaphore;
  /** Tells the worker what the runtime has of its pod. */
  readonly inspect: (worker: PodWorker) => Promise<void>;
  /** The pod is gone, from the API and from here. */
  readonly onGone: (uid: string) => void;
}
