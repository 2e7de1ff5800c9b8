import type { KubeObject } from '../../api/resource.ts';
import { rfc3339 } from '../../lib/clock.ts';
import type { AdmissionAttributes, AdmissionOperation } from '../admission/port.ts';
import type { StrategyContext } from './definition.ts';
import type { ServedResource, WriteRequest } from './served-resource.ts';

export interface Admission {
  readonly operation: AdmissionOperation;
  readonly subresource: string;
  readonly object?: KubeObject;
  readonly oldObject?: KubeObject;
  /** Of the object, where the request does not name it (create). */
  readonly name?: string;
}

function attributesOf(
  served: ServedResource,
  request: WriteRequest,
  admission: Admission,
): AdmissionAttributes {
  const { engine, definition } = served;
  return {
    ...admission,
    resource: definition.resource,
    namespace: request.namespace,
    name: admission.name ?? request.name,
    user: request.user,
    dryRun: request.dryRun,
    client: engine.client,
    clock: engine.clock,
    warn: request.warn,
  };
}

/** Runs every mutating plugin in order. True when one of them saw the object and may have changed it. */
export async function admitMutating(
  served: ServedResource,
  request: WriteRequest,
  admission: Admission,
): Promise<boolean> {
  const attributes = attributesOf(served, request, admission);
  let touched = false;
  for (const plugin of served.engine.admission) {
    if (!plugin.mutate || plugin.handles?.(attributes) === false) continue;
    touched = true;
    await plugin.mutate(attributes);
  }
  return touched;
}

/** Runs every validating plugin in order; the first refusal ends it. */
export async function admitValidating(
  served: ServedResource,
  request: WriteRequest,
  admission: Admission,
): Promise<void> {
  const attributes = attributesOf(served, request, admission);
  for (const plugin of served.engine.admission) {
    if (plugin.validate && plugin.handles?.(attributes) !== false) await plugin.validate(attributes);
  }
}

export function strategyContext(served: ServedResource, request: WriteRequest): StrategyContext {
  const { engine } = served;
  const { client, allocators, clock } = engine;
  return {
    client,
    allocators,
    // Only there once authorization is, which itself starts by writing default roles.
    get reviews() {
      return engine.reviews;
    },
    user: request.user,
    now: () => rfc3339(clock.now()),
    dryRun: request.dryRun,
  };
}
