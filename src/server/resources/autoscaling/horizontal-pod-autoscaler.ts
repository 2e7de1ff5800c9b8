import { invalidValue, required } from '../../../api/field-errors.ts';
import { pathSegmentProblems } from '../../../api/names.ts';
import { horizontalPodAutoscalers, horizontalPodAutoscalersV1 } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type {
  HorizontalPodAutoscaler,
  HPAScalingRules,
  MetricSpec,
  MetricTarget,
  MetricValueStatus,
} from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, integerColumn, nameColumn, textColumn } from '../columns.ts';
import { eachOf, problemsOf } from '../field-checks.ts';
import { fromV1, toV1 } from './hpa-conversion.ts';

const UNKNOWN = '<unknown>';
const SHOWN_METRICS = 2;
const DEFAULT_UTILIZATION = 80;
const MAX_WINDOW_SECONDS = 3600;
const MAX_PERIOD_SECONDS = 1800;

type Source = 'pods' | 'object' | 'resource' | 'containerResource' | 'external';
const SOURCES: Readonly<Record<string, Source>> = {
  Pods: 'pods',
  Object: 'object',
  Resource: 'resource',
  ContainerResource: 'containerResource',
  External: 'external',
};

function metricText(spec: MetricSpec, current: MetricValueStatus | undefined): string {
  const source = Object.hasOwn(SOURCES, spec.type) ? SOURCES[spec.type] : undefined;
  const target: MetricTarget | undefined = source && spec[source]?.target;
  if (target === undefined) return '<unknown type>';
  const prefix = spec.resource
    ? `${spec.resource.name}: `
    : spec.containerResource
      ? `${spec.containerResource.name}: `
      : '';
  if (target.averageUtilization !== undefined) {
    const now = current?.averageUtilization === undefined ? UNKNOWN : `${current.averageUtilization}%`;
    return `${prefix}${now}/${target.averageUtilization}%`;
  }
  if (target.averageValue !== undefined) {
    const average = spec.type === 'Object' || spec.type === 'External' ? ' (avg)' : '';
    return `${prefix}${current?.averageValue ?? UNKNOWN}/${target.averageValue}${average}`;
  }
  return `${prefix}${current?.value ?? UNKNOWN}/${target.value ?? '<auto>'}`;
}

function targets({ spec, status }: HorizontalPodAutoscaler): string {
  const metrics = spec?.metrics ?? [];
  if (metrics.length === 0) return '<none>';
  const texts = metrics.map((one, at) => {
    const now = status?.currentMetrics?.[at];
    const source = now && Object.hasOwn(SOURCES, now.type) ? SOURCES[now.type] : undefined;
    return metricText(one, source && now?.[source]?.current);
  });
  const list = texts.slice(0, SHOWN_METRICS).join(', ');
  return texts.length > SHOWN_METRICS ? `${list} + ${texts.length - SHOWN_METRICS} more...` : list;
}

function defaultRules(rules: HPAScalingRules | undefined, defaults: HPAScalingRules): HPAScalingRules {
  return { ...defaults, ...rules, ...(rules?.policies ? { policies: rules.policies } : {}) };
}

function defaultAutoscaler({ spec }: HorizontalPodAutoscaler): void {
  if (spec === undefined) return;
  spec.minReplicas ??= 1;
  if (!spec.metrics?.length) {
    const target = { type: 'Utilization', averageUtilization: DEFAULT_UTILIZATION };
    spec.metrics = [{ type: 'Resource', resource: { name: 'cpu', target } }];
  }
  if (spec.behavior === undefined) return;
  spec.behavior.scaleUp = defaultRules(spec.behavior.scaleUp, {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
  });
  spec.behavior.scaleDown = defaultRules(spec.behavior.scaleDown, {
    selectPolicy: 'Max',
    policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
  });
}

function validateMetric(metric: MetricSpec, path: string): FieldError[] {
  const source = Object.hasOwn(SOURCES, metric.type) ? SOURCES[metric.type] : undefined;
  if (!metric.type) return [required(`${path}.type`, 'must specify a metric source type')];
  if (source === undefined) return [];
  const target = metric[source]?.target;
  if (target === undefined) {
    return [required(`${path}.${source}`, 'must populate information for the given metric source')];
  }
  const at = `${path}.${source}.target`;
  const errors: FieldError[] = [];
  if (target.averageUtilization !== undefined && target.averageUtilization < 1) {
    errors.push(
      invalidValue(`${at}.averageUtilization`, target.averageUtilization, 'must be greater than 0'),
    );
  }
  if (
    target.averageUtilization === undefined &&
    target.averageValue === undefined &&
    target.value === undefined
  ) {
    errors.push(required(`${at}.averageValue`, 'must set either a target raw value or a target utilization'));
  }
  return errors;
}

function validateRules(rules: HPAScalingRules | undefined, path: string): FieldError[] {
  if (rules === undefined) return [];
  const errors: FieldError[] = [];
  const seconds = rules.stabilizationWindowSeconds;
  if (seconds !== undefined && seconds < 0) {
    errors.push(
      invalidValue(`${path}.stabilizationWindowSeconds`, seconds, 'must be greater than or equal to zero'),
    );
  }
  if (seconds !== undefined && seconds > MAX_WINDOW_SECONDS) {
    const why = `must be less than or equal to ${MAX_WINDOW_SECONDS}`;
    errors.push(invalidValue(`${path}.stabilizationWindowSeconds`, seconds, why));
  }
  if (rules.policies?.length === 0)
    errors.push(required(`${path}.policies`, 'must specify at least one Policy'));
  return [
    ...errors,
    ...eachOf(rules.policies, `${path}.policies`, ({ value, periodSeconds }, at) => {
      const found: FieldError[] = [];
      if (value <= 0) found.push(invalidValue(`${at}.value`, value, 'must be greater than zero'));
      if (periodSeconds <= 0)
        found.push(invalidValue(`${at}.periodSeconds`, periodSeconds, 'must be greater than zero'));
      if (periodSeconds > MAX_PERIOD_SECONDS) {
        found.push(
          invalidValue(
            `${at}.periodSeconds`,
            periodSeconds,
            `must be less than or equal to ${MAX_PERIOD_SECONDS}`,
          ),
        );
      }
      return found;
    }),
  ];
}

function validateAutoscaler({ spec }: HorizontalPodAutoscaler): FieldError[] {
  const errors: FieldError[] = [];
  const { minReplicas = 1, maxReplicas, scaleTargetRef } = spec;
  // Zero needs a metric that exists without pods.
  const lowest = spec.metrics?.some(({ type }) => type === 'Object' || type === 'External') ? 0 : 1;
  if (minReplicas < lowest) {
    errors.push(invalidValue('spec.minReplicas', minReplicas, `must be greater than or equal to ${lowest}`));
  }
  if (maxReplicas < 1) errors.push(invalidValue('spec.maxReplicas', maxReplicas, 'must be greater than 0'));
  if (maxReplicas < minReplicas) {
    errors.push(
      invalidValue('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'),
    );
  }
  for (const field of ['kind', 'name'] as const) {
    const value = scaleTargetRef?.[field];
    if (value) errors.push(...problemsOf(`spec.scaleTargetRef.${field}`, value, pathSegmentProblems));
    else errors.push(required(`spec.scaleTargetRef.${field}`));
  }
  return [
    ...errors,
    ...eachOf(spec.metrics, 'spec.metrics', validateMetric),
    ...validateRules(spec.behavior?.scaleUp, 'spec.behavior.scaleUp'),
    ...validateRules(spec.behavior?.scaleDown, 'spec.behavior.scaleDown'),
  ];
}

export const horizontalPodAutoscaler: ResourceDefinition<HorizontalPodAutoscaler> = {
  resource: horizontalPodAutoscalers,
  singular: 'horizontalpodautoscaler',
  shortNames: ['hpa'],
  categories: ['all'],
  otherVersions: [{ resource: horizontalPodAutoscalersV1, toStorage: fromV1, fromStorage: toV1 }],
  columns: [
    nameColumn,
    textColumn(
      'Reference',
      'What it scales.',
      ({ spec }: HorizontalPodAutoscaler) => `${spec?.scaleTargetRef?.kind}/${spec?.scaleTargetRef?.name}`,
    ),
    textColumn('Targets', 'Metrics now and as wanted.', targets),
    textColumn('MinPods', 'Fewest pods.', ({ spec }: HorizontalPodAutoscaler) =>
      String(spec?.minReplicas ?? '<unset>'),
    ),
    integerColumn('MaxPods', 'Most pods.', ({ spec }: HorizontalPodAutoscaler) => spec?.maxReplicas),
    integerColumn('Replicas', 'Pods now.', ({ status }: HorizontalPodAutoscaler) => status?.currentReplicas),
    ageColumn,
  ],
  strategy: {
    hasGeneration: false,
    default: defaultAutoscaler,
    prepareCreate: (object) => {
      object.status = { desiredReplicas: 0 };
    },
    validate: validateAutoscaler,
  },
  subresources: [{ name: 'status' }],
};
