import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import type { AdmissionPlugin, AdmissionPluginFactory } from './port.ts';
import { priority } from './priority.ts';
import { serviceAccount } from './service-account.ts';

/** Every admission plugin, in upstream's order (pkg/kubeapiserver/options/plugins.go). */
const PLUGINS: readonly AdmissionPluginFactory[] = [
  namespaceLifecycle,
  limitRanger,
  serviceAccount,
  priority,
  defaultTolerationSeconds,
];

export function createAdmission(context: Parameters<AdmissionPluginFactory>[0]): readonly AdmissionPlugin[] {
  return PLUGINS.map((make) => make(context));
}
