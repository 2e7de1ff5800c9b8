import { type ApiError, forbidden } from '../../api/status.ts';
import type { AdmissionAttributes, AdmissionTarget } from './port.ts';

/** Upstream's `admission.NewForbidden`: names the object, or what its name will start with. */
export function refuse({ resource, name, object }: AdmissionAttributes, why: string): ApiError {
  return forbidden(resource, name || (object?.metadata.generateName ?? 'Unknown'), why);
}

/** Several reasons in the form of upstream's aggregated errors. */
export function joinReasons(reasons: readonly string[]): string {
  return reasons.length === 1 ? (reasons[0] as string) : `[${reasons.join(', ')}]`;
}

/** Whether the request creates a pod itself, not one of its subresources. */
export function createsPod({ operation, resource, subresource }: AdmissionTarget): boolean {
  return (
    operation === 'CREATE' && subresource === '' && resource.group === '' && resource.resource === 'pods'
  );
}
