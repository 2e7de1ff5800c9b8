import type { KubeObject } from '../../../api/resource.ts';
import type {
  AutoscalingHorizontalPodAutoscaler,
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerSpec,
  MetricSpec,
} from '../../../api/types.gen.ts';

/** autoscaling/v1 knows the CPU target only; the rest travels in this annotation, so that nothing is lost. */
const REST_ANNOTATION = 'autoscaling.alpha.kubernetes.io/metrics';
const BEHAVIOR_ANNOTATION = 'autoscaling.alpha.kubernetes.io/behavior';
const CONDITIONS_ANNOTATION = 'autoscaling.alpha.kubernetes.io/conditions';
const OWN = [REST_ANNOTATION, BEHAVIOR_ANNOTATION, CONDITIONS_ANNOTATION] as const;

const isCpuTarget = ({ type, resource }: MetricSpec): boolean =>
  type === 'Resource' && resource?.name === 'cpu' && resource.target.averageUtilization !== undefined;

export function toV1(storage: HorizontalPodAutoscaler): KubeObject {
  const { spec, status, metadata } = storage;
  const metrics = spec?.metrics ?? [];
  const cpu = metrics.find(isCpuTarget);
  const rest = metrics.filter((one) => one !== cpu);
  const annotations: Record<string, string> = { ...metadata.annotations };
  if (rest.length > 0) annotations[REST_ANNOTATION] = JSON.stringify(rest);
  if (spec?.behavior) annotations[BEHAVIOR_ANNOTATION] = JSON.stringify(spec.behavior);
  if (status?.conditions?.length) annotations[CONDITIONS_ANNOTATION] = JSON.stringify(status.conditions);
  const target = cpu?.resource?.target.averageUtilization;
  const used = status?.currentMetrics?.find((one) => one.resource?.name === 'cpu')?.resource?.current;
  const converted: AutoscalingHorizontalPodAutoscaler = {
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: { ...metadata, ...(Object.keys(annotations).length > 0 && { annotations }) },
    spec: {
      scaleTargetRef: spec?.scaleTargetRef,
      ...(spec?.minReplicas !== undefined && { minReplicas: spec.minReplicas }),
      maxReplicas: spec?.maxReplicas,
      ...(target !== undefined && { targetCPUUtilizationPercentage: target }),
    },
  };
  if (status !== undefined) {
    converted.status = {
      currentReplicas: status.currentReplicas ?? 0,
      desiredReplicas: status.desiredReplicas,
      ...(status.observedGeneration !== undefined && { observedGeneration: status.observedGeneration }),
      ...(status.lastScaleTime !== undefined && { lastScaleTime: status.lastScaleTime }),
      ...(used?.averageUtilization !== undefined && {
        currentCPUUtilizationPercentage: used.averageUtilization,
      }),
    };
  }
  return converted;
}

export function fromV1(object: KubeObject): HorizontalPodAutoscaler {
  const { spec, status, metadata } = object as AutoscalingHorizontalPodAutoscaler;
  const annotations = { ...metadata.annotations };
  const rest = parsed<MetricSpec[]>(annotations[REST_ANNOTATION]) ?? [];
  const behavior = parsed<HorizontalPodAutoscalerSpec['behavior']>(annotations[BEHAVIOR_ANNOTATION]);
  for (const key of OWN) delete annotations[key];
  const target = spec?.targetCPUUtilizationPercentage;
  const cpu: MetricSpec[] =
    target === undefined
      ? []
      : [
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: target } },
          },
        ];
  const metrics = [...cpu, ...rest];
  const { annotations: _, ...others } = metadata;
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: Object.keys(annotations).length > 0 ? { ...others, annotations } : others,
    spec: {
      scaleTargetRef: spec?.scaleTargetRef as HorizontalPodAutoscalerSpec['scaleTargetRef'],
      maxReplicas: spec?.maxReplicas as number,
      ...(spec?.minReplicas !== undefined && { minReplicas: spec.minReplicas }),
      ...(metrics.length > 0 && { metrics }),
      ...(behavior && { behavior }),
    },
    ...(status && {
      status: {
        desiredReplicas: status.desiredReplicas,
        currentReplicas: status.currentReplicas,
        ...(status.observedGeneration !== undefined && { observedGeneration: status.observedGeneration }),
        ...(status.lastScaleTime !== undefined && { lastScaleTime: status.lastScaleTime }),
      },
    }),
  };
}

/** An annotation somebody broke is as good as none. */
function parsed<T>(text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
