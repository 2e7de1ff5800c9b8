import { forbiddenField } from '../../../api/field-errors.ts';
import type { FieldError } from '../../../api/status.ts';
import type { Pod } from '../../../api/types.gen.ts';
import { validatePodSpec } from '../pod-template/validate.ts';

/** Everything about a pod that the schema cannot say. */
export function validatePod(pod: Pod): FieldError[] {
  return validatePodSpec(pod.spec ?? { containers: [] }, 'spec');
}

/** Ephemeral containers come later, through their own subresource. */
export function validateNewPod(pod: Pod): FieldError[] {
  return pod.spec?.ephemeralContainers?.length
    ? [forbiddenField('spec.ephemeralContainers', 'cannot be set on create')]
    : [];
}
