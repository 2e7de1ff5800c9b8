import { IMMUTABLE, invalidValue, notSupported, required } from '../../api/field-errors.ts';
import { equalJson } from '../../api/json-value.ts';
import { SelectorError, selectorFromObject, validateLabelSelector } from '../../api/labels.ts';
import { percentProblems } from '../../api/names.ts';
import type { KubeObject } from '../../api/resource.ts';
import type { FieldError } from '../../api/status.ts';
import type { IntOrString, LabelSelector, PodTemplateSpec } from '../../api/types.gen.ts';
import type { Subresource } from '../registry/definition.ts';
import { AT_LEAST_ZERO, problemsOf } from './field-checks.ts';
import { validatePodTemplate } from './pod-template/validate.ts';
import { podTemplateWarnings } from './pod-template/warnings.ts';

/** Anything that makes pods from a template. */
export interface Templated extends KubeObject {
  spec?: { selector?: LabelSelector; template?: PodTemplateSpec };
}

/** What Deployments, ReplicaSets and their like have in common. */
export interface Workload extends KubeObject {
  spec?: { selector?: LabelSelector; template?: PodTemplateSpec; replicas?: number };
  status?: { replicas?: number };
}

/** The selector must be there, select something, and select what the template makes. */
export function validateSelector(
  selector: LabelSelector | undefined,
  template: PodTemplateSpec | undefined,
  kind: string,
): FieldError[] {
  const field = 'spec.selector';
  if (selector === undefined) return [required(field)];
  const errors = validateLabelSelector(selector, field);
  const isEmpty =
    Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0;
  if (isEmpty) errors.push(invalidValue(field, selector, `empty selector is invalid for ${kind}`));
  try {
    const labels = template?.metadata?.labels ?? {};
    if (!isEmpty && !selectorFromObject(selector).matches(labels)) {
      errors.push(
        invalidValue('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'),
      );
    }
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    errors.push(invalidValue(field, selector, 'invalid label selector'));
  }
  return errors;
}

export function validateSelectorUpdate(object: Templated, old: Templated): FieldError[] {
  return equalJson(object.spec?.selector, old.spec?.selector)
    ? []
    : [invalidValue('spec.selector', object.spec?.selector, IMMUTABLE)];
}

/** A template of pods that must run for ever. */
export function validateRunningTemplate(template: PodTemplateSpec | undefined): FieldError[] {
  const errors = validatePodTemplate(template, 'spec.template');
  const spec = template?.spec;
  if (spec?.restartPolicy && spec.restartPolicy !== 'Always') {
    errors.push(notSupported('spec.template.spec.restartPolicy', spec.restartPolicy, ['Always']));
  }
  if (spec?.activeDeadlineSeconds !== undefined) {
    errors.push({
      field: 'spec.template.spec.activeDeadlineSeconds',
      reason: 'FieldValueForbidden',
      message: 'Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported',
    });
  }
  return errors;
}

export function validateCount(field: string, value: number | undefined): FieldError[] {
  return value !== undefined && value < 0 ? [invalidValue(field, value, AT_LEAST_ZERO)] : [];
}

/** A count or a percentage of at most 100 where `capped`. */
export function validateIntOrPercent(
  field: string,
  value: IntOrString | undefined,
  capped: boolean,
): FieldError[] {
  if (value === undefined) return [];
  if (typeof value === 'number') return validateCount(field, value);
  const errors = problemsOf(field, value, percentProblems);
  if (errors.length > 0) return errors;
  return capped && Number(value.slice(0, -1)) > 100
    ? [invalidValue(field, value, 'must not be greater than 100%')]
    : [];
}

/** A percentage of nothing is nothing: for the rule that surge and unavailability cannot both be 0. */
export const isZero = (value: IntOrString | undefined): boolean =>
  value === undefined || (typeof value === 'string' ? /^0*%?$/.test(value) : value === 0);

/** `kubectl scale` on anything with `spec.replicas`. */
export function scaleSubresource<T extends Workload>(): Subresource<T> {
  return {
    name: 'scale',
    get: ({ spec, status }) => ({
      spec: spec?.replicas ?? 0,
      status: status?.replicas ?? 0,
      selector: selectorFromObject(spec?.selector).toString(),
    }),
    set: (object, replicas) => {
      object.spec = { ...object.spec, replicas };
    },
  };
}

export function workloadWarnings(object: Templated, old: Templated | undefined): string[] {
  return old === undefined ? podTemplateWarnings(object.spec?.template, 'spec.template') : [];
}
