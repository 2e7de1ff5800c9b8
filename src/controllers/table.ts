import { tokenCleanerController } from './bootstrap-token/controller.ts';
import { approvingController } from './certificates/approving-controller.ts';
import { cleanerController } from './certificates/cleaner-controller.ts';
import { signingController } from './certificates/signing-controller.ts';
import { clusterRoleAggregationController } from './clusterrole-aggregation/controller.ts';
import { cronJobController } from './cronjob/controller.ts';
import { daemonSetController } from './daemonset/controller.ts';
import { deploymentController } from './deployment/controller.ts';
import { disruptionController } from './disruption/controller.ts';
import { endpointSliceController } from './endpointslice/controller.ts';
import { endpointsController } from './endpointslice/endpoints-controller.ts';
import { endpointSliceMirroringController } from './endpointslice/mirroring-controller.ts';
import { garbageCollector } from './garbage-collector/controller.ts';
import { jobController } from './job/controller.ts';
import { namespaceController } from './namespace/controller.ts';
import { nodeIpamController } from './node-ipam/controller.ts';
import { nodeLifecycleController, taintEvictionController } from './node-lifecycle/controller.ts';
import { podGCController } from './pod-gc/controller.ts';
import type { Controller, ControllerContext } from './port.ts';
import { replicaSetController, replicationController } from './replicaset/controller.ts';
import { resourceQuotaController } from './resourcequota/controller.ts';
import { rootCAController } from './root-ca/controller.ts';
import { serviceAccountController } from './serviceaccount/controller.ts';
import { statefulSetController } from './statefulset/controller.ts';
import {
  claimProtectionController,
  volumeAttributesClassProtectionController,
  volumeProtectionController,
} from './storage-protection/controller.ts';
import { storageVersionMigrationController } from './storage-version-migration/controller.ts';
import { tokenSecretController } from './token-secret/controller.ts';
import { policyStatusController } from './validatingadmissionpolicy-status/controller.ts';

/** Every controller that needs nothing but the context, one line each. */
export const CONTROLLERS = [
  namespaceController,
  serviceAccountController,
  rootCAController,
  clusterRoleAggregationController,
  replicaSetController,
  replicationController,
  deploymentController,
  statefulSetController,
  daemonSetController,
  jobController,
  cronJobController,
  endpointSliceController,
  endpointsController,
  endpointSliceMirroringController,
  garbageCollector,
  nodeLifecycleController,
  taintEvictionController,
  podGCController,
  disruptionController,
  tokenSecretController,
  tokenCleanerController,
  approvingController,
  signingController,
  cleanerController,
  resourceQuotaController,
  claimProtectionController,
  volumeProtectionController,
  volumeAttributesClassProtectionController,
  policyStatusController,
  storageVersionMigrationController,
] as const satisfies readonly Controller[];

/**
 * Starts all but the `disabled` ones over one set of informers, and those informers. The returned function stops the
 * controllers and resolves when none does anything any more; the informers stay the caller's to stop.
 */
export function startControllers(
  context: ControllerContext,
  disabled: ReadonlySet<string> = new Set(),
): () => Promise<void> {
  const { clusterCIDR } = context.cluster;
  const all: Controller[] = [...CONTROLLERS];
  if (clusterCIDR !== undefined) all.push(nodeIpamController(clusterCIDR));
  const wanted = all.filter(({ name }) => !disabled.has(name));
  const stops = wanted.map((controller) => controller.start(context));
  context.informers.start().catch((error: unknown) => {
    context.log.error('informers did not start', { error });
  });
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
    await context.events.flush();
  };
}
