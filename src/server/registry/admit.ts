import type { KubeObject } from '../../api/resource.ts';
import { rfc3339 } from '../../lib/clock.ts';
import type { AdmissionAttributes, AdmissionOperation } from '../admission/port.ts';
import { Reinvocation } from '../admission/reinvocation.ts';
import type { StrategyContext } from './definition.ts';
import type { ServedResource, WriteRequest } from './served-resource.ts';

export interface Admission {
  readonly operation: AdmissionOperation;
  readonly subresource: string;
  readonly object?: KubeObject;
  readonly oldObject?: KubeObject;
  /** Of the object, where the request does not name it (create). */
  readonly name?: string;
  /** Where the request shows something else than the object (scale). */
  readonly shown?: AdmissionAttributes['shown'];
  /** Of a delete, as the caller gave them. */
  readonly deleteOptions?: object;
}

function attributesOf(
  served: ServedResource,
  request: WriteRequest,
  { deleteOptions, ...admission }: Admission,
): AdmissionAttributes {
  const { engine, definition } = served;
  return {
    ...admission,
    resource: definition.resource,
    requested: (request.resource && engine.findResource(request.resource)) ?? definition.resource,
    get options() {
      return operationOptions(admission.operation, request, deleteOptions);
    },
    namespace: request.namespace,
    name: admission.name ?? request.name,
    user: request.user,
    dryRun: request.dryRun,
    reinvocation: new Reinvocation(),
    client: engine.client,
    clock: engine.clock,
    warn: request.warn,
    annotate: (key, value) => request.annotate?.(key, value),
  };
}

const OPTIONS_KINDS = { CREATE: 'CreateOptions', UPDATE: 'UpdateOptions', DELETE: 'DeleteOptions' } as const;

/** What the caller asked for besides the object, in the form of `meta.k8s.io/v1`. */
function operationOptions(
  operation: AdmissionOperation,
  { dryRun, given }: WriteRequest,
  deleteOptions: object = {},
): object | undefined {
  if (operation === 'CONNECT') return undefined;
  // Ours is a boolean, the API's a list.
  const { dryRun: _, ...rest } = deleteOptions as { dryRun?: boolean };
  return {
    ...(operation === 'DELETE' ? rest : given),
    kind: OPTIONS_KINDS[operation],
    apiVersion: 'meta.k8s.io/v1',
    ...(dryRun ? { dryRun: ['All'] } : {}),
  };
}

/**
 * Runs every mutating plugin in order, and all of them once more when a webhook or policy changed the object. True when
 * one of them saw the object and may have changed it.
 */
export async function admitMutating(
  served: ServedResource,
  request: WriteRequest,
  admission: Admission,
): Promise<boolean> {
  const attributes = attributesOf(served, request, admission);
  const { reinvocation } = attributes;
  const touched = await mutateOnce(served, attributes);
  if (!reinvocation.isWanted) return touched;
  reinvocation.isReinvoke = true;
  await mutateOnce(served, attributes);
  return true;
}

async function mutateOnce(served: ServedResource, attributes: AdmissionAttributes): Promise<boolean> {
  let touched = false;
  for (const plugin of served.engine.admission) {
    if (!plugin.mutate || plugin.handles?.(attributes) === false) continue;
    touched = true;
    // Most answer at once; each await would cost a turn.
    const running = plugin.mutate(attributes);
    if (running) await running;
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
    if (!plugin.validate || plugin.handles?.(attributes) === false) continue;
    const running = plugin.validate(attributes);
    if (running) await running;
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
