import { deploymentController } from './deployment/controller.ts';
import { namespaceController } from './namespace/controller.ts';
import type { Controller, ControllerContext } from './port.ts';
import { replicaSetController, replicationController } from './replicaset/controller.ts';
import { rootCAController } from './root-ca/controller.ts';
import { serviceAccountController } from './serviceaccount/controller.ts';

/** Every controller, one line each. */
export const CONTROLLERS = [
  namespaceController,
  serviceAccountController,
  rootCAController,
  replicaSetController,
  replicationController,
  deploymentController,
] as const satisfies readonly Controller[];

/**
 * Starts all of them over one set of informers, and those informers. The returned function stops the controllers and
 * resolves when none does anything any more; the informers stay the caller's to stop.
 */
export function startControllers(
  context: ControllerContext,
  controllers: readonly Controller[] = CONTROLLERS,
): () => Promise<void> {
  const stops = controllers.map((controller) => controller.start(context));
  context.informers.start().catch((error: unknown) => {
    context.log.error('informers did not start', { error });
  });
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
    await context.events.flush();
  };
}
