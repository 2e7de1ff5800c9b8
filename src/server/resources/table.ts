import type { KubeObject } from '../../api/resource.ts';
import type { ResourceDefinition } from '../registry/definition.ts';
import {
  mutatingAdmissionPolicy,
  mutatingAdmissionPolicyBinding,
  validatingAdmissionPolicy,
  validatingAdmissionPolicyBinding,
} from './admissionregistration/policies.ts';
import {
  mutatingWebhookConfiguration,
  validatingWebhookConfiguration,
} from './admissionregistration/webhook-configurations.ts';
import { customResourceDefinition } from './apiextensions/custom-resource-definition.ts';
import { apiService } from './apiregistration/api-service.ts';
import { controllerRevision } from './apps/controller-revision.ts';
import { daemonSet } from './apps/daemon-set.ts';
import { deployment } from './apps/deployment.ts';
import { replicaSet } from './apps/replica-set.ts';
import { statefulSet } from './apps/stateful-set.ts';
import { selfSubjectReview, tokenReview } from './authentication/reviews.ts';
import {
  localSubjectAccessReview,
  selfSubjectAccessReview,
  selfSubjectRulesReview,
  subjectAccessReview,
} from './authorization/reviews.ts';
import { horizontalPodAutoscaler } from './autoscaling/horizontal-pod-autoscaler.ts';
import { cronJob } from './batch/cron-job.ts';
import { job } from './batch/job.ts';
import { certificateSigningRequest } from './certificates/certificate-signing-request.ts';
import { clusterTrustBundle } from './certificates/cluster-trust-bundle.ts';
import { podCertificateRequest } from './certificates/pod-certificate-request.ts';
import { lease } from './coordination/lease.ts';
import { binding } from './core/binding.ts';
import { componentStatus } from './core/component-status.ts';
import { configMap } from './core/config-map.ts';
import { endpoints } from './core/endpoints.ts';
import { event } from './core/event.ts';
import { limitRange } from './core/limit-range.ts';
import { namespace } from './core/namespace.ts';
import { node } from './core/node.ts';
import { persistentVolume } from './core/persistent-volume.ts';
import { persistentVolumeClaim } from './core/persistent-volume-claim.ts';
import { pod } from './core/pod.ts';
import { podTemplate } from './core/pod-template.ts';
import { replicationController } from './core/replication-controller.ts';
import { resourceQuota } from './core/resource-quota.ts';
import { secret } from './core/secret.ts';
import { service } from './core/service.ts';
import { serviceAccount } from './core/service-account.ts';
import { endpointSlice } from './discovery/endpoint-slice.ts';
import { flowSchema } from './flowcontrol/flow-schema.ts';
import { priorityLevelConfiguration } from './flowcontrol/priority-level-configuration.ts';
import { ingress } from './networking/ingress.ts';
import { ingressClass } from './networking/ingress-class.ts';
import { ipAddress } from './networking/ip-address.ts';
import { networkPolicy } from './networking/network-policy.ts';
import { serviceCidr } from './networking/service-cidr.ts';
import { runtimeClass } from './node/runtime-class.ts';
import { podDisruptionBudget } from './policy/pod-disruption-budget.ts';
import { clusterRole } from './rbac/cluster-role.ts';
import { clusterRoleBinding } from './rbac/cluster-role-binding.ts';
import { role } from './rbac/role.ts';
import { roleBinding } from './rbac/role-binding.ts';
import { deviceTaintRule } from './resource/device-taint-rule.ts';
import { deviceClass, resourceClaim, resourceClaimTemplate, resourceSlice } from './resource/devices.ts';
import { priorityClass } from './scheduling/priority-class.ts';
import { csiDriver, csiNode, csiStorageCapacity } from './storage/csi.ts';
import { storageClass } from './storage/storage-class.ts';
import { volumeAttachment, volumeAttributesClass } from './storage/volumes.ts';
import { storageVersionMigration } from './storagemigration/storage-version-migration.ts';

/** Every built-in resource. Adding one is a file and a line here. */
export const RESOURCES: readonly ResourceDefinition[] = [
  erase(binding),
  erase(componentStatus),
  erase(configMap),
  erase(endpoints),
  erase(event),
  erase(limitRange),
  erase(namespace),
  erase(node),
  erase(persistentVolume),
  erase(persistentVolumeClaim),
  erase(pod),
  erase(podTemplate),
  erase(replicationController),
  erase(resourceQuota),
  erase(secret),
  erase(service),
  erase(serviceAccount),
  erase(mutatingAdmissionPolicy),
  erase(mutatingAdmissionPolicyBinding),
  erase(validatingAdmissionPolicy),
  erase(validatingAdmissionPolicyBinding),
  erase(mutatingWebhookConfiguration),
  erase(validatingWebhookConfiguration),
  erase(customResourceDefinition),
  erase(apiService),
  erase(controllerRevision),
  erase(daemonSet),
  erase(deployment),
  erase(replicaSet),
  erase(statefulSet),
  erase(selfSubjectReview),
  erase(tokenReview),
  erase(localSubjectAccessReview),
  erase(selfSubjectAccessReview),
  erase(selfSubjectRulesReview),
  erase(subjectAccessReview),
  erase(horizontalPodAutoscaler),
  erase(cronJob),
  erase(job),
  erase(certificateSigningRequest),
  erase(clusterTrustBundle),
  erase(podCertificateRequest),
  erase(lease),
  erase(endpointSlice),
  erase(flowSchema),
  erase(priorityLevelConfiguration),
  erase(ingress),
  erase(ingressClass),
  erase(ipAddress),
  erase(networkPolicy),
  erase(serviceCidr),
  erase(runtimeClass),
  erase(podDisruptionBudget),
  erase(clusterRole),
  erase(clusterRoleBinding),
  erase(role),
  erase(roleBinding),
  erase(deviceClass),
  erase(deviceTaintRule),
  erase(storageVersionMigration),
  erase(resourceClaim),
  erase(resourceClaimTemplate),
  erase(resourceSlice),
  erase(priorityClass),
  erase(csiDriver),
  erase(csiNode),
  erase(csiStorageCapacity),
  erase(storageClass),
  erase(volumeAttachment),
  erase(volumeAttributesClass),
];

/**
 * Forgets which kind a definition is of. Sound because the engine only ever hands a definition objects that passed
 * that kind's own schema.
 */
function erase<T extends KubeObject>(definition: ResourceDefinition<T>): ResourceDefinition {
  return definition as unknown as ResourceDefinition;
}
