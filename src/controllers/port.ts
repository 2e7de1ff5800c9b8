import type { EventRecorder } from '../client/event-recorder.ts';
import type { InformerFactory } from '../client/informer.ts';
import type { Client } from '../client/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';

/** One control loop. Adding one is a folder and a line in `table.ts`. */
export interface Controller {
  /** As upstream names it, such as `deployment-controller`; also its user is `system:serviceaccount:kube-system:<name>`. */
  readonly name: string;
  /** Starts watching and working; the returned function stops it and resolves when nothing of it runs any more. */
  start(context: ControllerContext): () => Promise<void>;
}

export interface ControllerContext {
  readonly client: Client;
  /** Shared by all controllers of a process: one watch and one store per resource. */
  readonly informers: InformerFactory;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
}
