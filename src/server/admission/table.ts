import { certificateSubjectRestriction } from './certificate-subject-restriction.ts';
import { defaultIngressClass } from './default-ingress-class.ts';
import { defaultStorageClass } from './default-storage-class.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { persistentVolumeClaimResize } from './persistent-volume-claim-resize.ts';
import { podSecurity } from './pod-security.ts';
import { mutatingAdmissionPolicy } from './policy/mutating.ts';
import { validatingAdmissionPolicy } from './policy/validating.ts';
import type { AdmissionContext, AdmissionPlugin, AdmissionPluginFactory } from './port.ts';
import { priority } from './priority.ts';
import { resourceQuota } from './resource-quota.ts';
import { runtimeClass } from './runtime-class.ts';
import { serviceAccount } from './service-account.ts';
import { storageObjectInUseProtection } from './storage-object-in-use-protection.ts';
import { taintNodesByCondition } from './taint-nodes-by-condition.ts';
import { mutatingAdmissionWebhook } from './webhook/mutating.ts';
import { validatingAdmissionWebhook } from './webhook/validating.ts';

/** Every admission plugin, in upstream's order (pkg/kubeapiserver/options/plugins.go): quota comes last. */
const PLUGINS: readonly AdmissionPluginFactory[] = [
  namespaceLifecycle,
  limitRanger,
  serviceAccount,
  nodeRestriction,
  taintNodesByCondition,
  podSecurity,
  priority,
  defaultTolerationSeconds,
  defaultStorageClass,
  storageObjectInUseProtection,
  persistentVolumeClaimResize,
  runtimeClass,
  certificateSubjectRestriction,
  defaultIngressClass,
  mutatingAdmissionPolicy,
  mutatingAdmissionWebhook,
  validatingAdmissionPolicy,
  validatingAdmissionWebhook,
  resourceQuota,
];

export function createAdmission(context: AdmissionContext): readonly AdmissionPlugin[] {
  return PLUGINS.map((make) => make(context));
}
