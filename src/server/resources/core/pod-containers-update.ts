import { forbiddenField } from '../../../api/field-errors.ts';
import { copyJson, equalJson } from '../../../api/json-value.ts';
import type { FieldError } from '../../../api/status.ts';
import type { Container, Pod, PodSpec } from '../../../api/types.gen.ts';
import type { Subresource } from '../../registry/definition.ts';
import { defaultPod } from '../pod-template/pod-defaults.ts';
import { qosClass } from './pod-qos.ts';
import { validatePod } from './pod-validation.ts';

const specOf = (pod: Pod): PodSpec => pod.spec ?? { containers: [] };

/** Debug containers are added, never changed or removed: upstream's pods/ephemeralcontainers. */
export const ephemeralContainersSubresource: Subresource<Pod> = {
  name: 'ephemeralcontainers',
  update: (submitted, old) => {
    const pod = copyJson(old);
    const { ephemeralContainers } = specOf(submitted);
    pod.spec = { ...specOf(pod), ...(ephemeralContainers && { ephemeralContainers }) };
    if (!ephemeralContainers) delete pod.spec.ephemeralContainers;
    defaultPod(pod);
    return pod;
  },
  validateUpdate: validateEphemeralUpdate,
};

function validateEphemeralUpdate(pod: Pod, old: Pod): FieldError[] {
  const errors = validatePod(pod);
  const field = 'spec.ephemeralContainers';
  const now = new Map((specOf(pod).ephemeralContainers ?? []).map((one) => [one.name, one]));
  for (const before of specOf(old).ephemeralContainers ?? []) {
    const after = now.get(before.name);
    const name = JSON.stringify(before.name);
    if (after === undefined)
      errors.push(forbiddenField(field, `existing ephemeral containers ${name} may not be removed\n`));
    else if (!equalJson(after, before)) {
      errors.push(forbiddenField(field, `existing ephemeral containers ${name} may not be changed\n`));
    }
  }
  return errors;
}

/** CPU and memory of running containers: upstream's pods/resize (KEP-1287). */
export const resizeSubresource: Subresource<Pod> = {
  name: 'resize',
  update: (submitted, old) => {
    const pod = copyJson(old);
    const wanted = specOf(submitted);
    pod.spec = { ...specOf(pod), containers: resized(specOf(pod).containers, wanted.containers) };
    if (pod.spec.initContainers) {
      pod.spec.initContainers = resized(pod.spec.initContainers, wanted.initContainers);
    }
    return pod;
  },
  validateUpdate: validateResize,
};

function resized(containers: readonly Container[], wanted: readonly Container[] | undefined): Container[] {
  const byName = new Map((wanted ?? []).map((one) => [one.name, one]));
  return containers.map((container) => {
    const other = byName.get(container.name);
    return {
      ...container,
      ...(other?.resources && { resources: other.resources }),
      ...(other?.resizePolicy && { resizePolicy: other.resizePolicy }),
    };
  });
}

function validateResize(pod: Pod, old: Pod): FieldError[] {
  const errors = validatePod(pod);
  if (qosClass(specOf(pod)) !== old.status?.qosClass) {
    errors.push({
      field: 'spec',
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${JSON.stringify(qosClass(specOf(pod)))}: Pod QOS Class may not change as a result of resizing`,
    });
  }
  const onlyCompute = (list: Record<string, string> | undefined): object =>
    Object.fromEntries(Object.entries(list ?? {}).filter(([name]) => name !== 'cpu' && name !== 'memory'));
  specOf(pod).containers.forEach((container, at) => {
    const before = specOf(old).containers[at]?.resources;
    for (const part of ['limits', 'requests'] as const) {
      if (!equalJson(onlyCompute(container.resources?.[part]), onlyCompute(before?.[part]))) {
        errors.push(forbiddenField('spec', 'only cpu and memory resources are mutable'));
      }
    }
  });
  return errors;
}
