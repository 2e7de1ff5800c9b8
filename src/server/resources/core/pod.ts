import { pods } from '../../../api/resources.gen.ts';
import { invalid } from '../../../api/status.ts';
import type { Pod, PodSpec } from '../../../api/types.gen.ts';
import type { ResourceDefinition, StrategyContext } from '../../registry/definition.ts';
import { defaultPod } from '../pod-template/pod-defaults.ts';
import { mergeMatchLabelKeys } from './pod-affinity-keys.ts';
import { bindingSubresource } from './pod-binding.ts';
import { podColumns } from './pod-columns.ts';
import { ephemeralContainersSubresource, resizeSubresource } from './pod-containers-update.ts';
import { evictionSubresource } from './pod-eviction.ts';
import { qosClass } from './pod-qos.ts';
import { validatePodStatusUpdate, validatePodUpdate } from './pod-update.ts';
import { validateNewPod, validatePod } from './pod-validation.ts';
import { podWarnings } from './pod-warnings.ts';

function prepareCreate(pod: Pod, { now }: StrategyContext): void {
  const refused = validateNewPod(pod);
  if (refused.length > 0) throw invalid({ group: '', kind: 'Pod' }, pod.metadata.name ?? '', refused);
  const spec = pod.spec as PodSpec;
  pod.status = { phase: 'Pending', qosClass: qosClass(spec) };
  mergeMatchLabelKeys(pod);
  if (spec.schedulingGates?.length) {
    pod.status.conditions = [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'SchedulingGated',
        message: 'Scheduling is blocked due to non-empty scheduling gates',
        lastTransitionTime: now(),
      },
    ];
  }
}

/** Pods that never ran, or run no more, have nothing to be graceful about. */
function gracePeriodSeconds({ spec, status }: Pod, requested: number | undefined): number {
  if (!spec?.nodeName || status?.phase === 'Failed' || status?.phase === 'Succeeded') return 0;
  const seconds = requested ?? spec.terminationGracePeriodSeconds ?? 30;
  return seconds < 0 ? 1 : seconds;
}

export const pod: ResourceDefinition<Pod> = {
  resource: pods,
  singular: 'pod',
  shortNames: ['po'],
  categories: ['all'],
  returnsDeleted: true,
  columns: podColumns,
  selectableFields: {
    'spec.nodeName': ({ spec }) => spec?.nodeName ?? '',
    'spec.restartPolicy': ({ spec }) => spec?.restartPolicy ?? '',
    'spec.schedulerName': ({ spec }) => spec?.schedulerName ?? '',
    'spec.serviceAccountName': ({ spec }) => spec?.serviceAccountName ?? '',
    'spec.hostNetwork': ({ spec }) => String(spec?.hostNetwork ?? false),
    'status.phase': ({ status }) => status?.phase ?? '',
    'status.podIP': ({ status }) => status?.podIPs?.[0]?.ip ?? status?.podIP ?? '',
    'status.nominatedNodeName': ({ status }) => status?.nominatedNodeName ?? '',
  },
  strategy: {
    default: defaultPod,
    prepareCreate,
    validate: validatePod,
    validateUpdate: validatePodUpdate,
    warnings: podWarnings,
    gracePeriodSeconds,
  },
  subresources: [
    {
      name: 'status',
      // Agents of old corrupted them.
      keeps: 'ownerReferences',
      validateUpdate: validatePodStatusUpdate,
      prepareUpdate: (object, old) => {
        // The class of service is decided once; agents that do not send it do not clear it.
        if (object.status !== undefined && !object.status.qosClass && old.status?.qosClass) {
          object.status.qosClass = old.status.qosClass;
        }
      },
    },
    bindingSubresource,
    evictionSubresource,
    ephemeralContainersSubresource,
    resizeSubresource,
    { name: 'log', connect: true },
    { name: 'exec', connect: true },
    { name: 'attach', connect: true },
    { name: 'portforward', connect: true },
    { name: 'proxy', connect: true },
  ],
};
