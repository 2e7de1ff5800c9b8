import { invalidValue, required } from '../../../api/field-errors.ts';
import type { FieldError } from '../../../api/status.ts';
import type { CustomResourceDefinition } from '../../../api/types.gen.ts';

const ANNOTATION = 'api-approved.kubernetes.io';
const PULL = 'see https://github.com/kubernetes/enhancements/pull/1111';

export type ApprovalState = 'Missing' | 'Bypassed' | 'Approved' | 'Invalid';

/** Groups of the Kubernetes community, which only approved APIs may use. */
export function isProtectedGroup(group: string): boolean {
  return /(^|\.)(k8s\.io|kubernetes\.io)$/.test(group);
}

/** What the annotation says, and upstream's words about it. */
export function approvalOf({ metadata }: CustomResourceDefinition): {
  readonly state: ApprovalState;
  readonly reason: string;
} {
  const annotation = metadata.annotations?.[ANNOTATION] ?? '';
  const quoted = JSON.stringify(ANNOTATION);
  if (annotation === '')
    return { state: 'Missing', reason: `protected groups must have approval annotation ${quoted}, ${PULL}` };
  if (annotation.startsWith('unapproved'))
    return { state: 'Bypassed', reason: `not approved: ${JSON.stringify(annotation)}` };
  if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#\s]+/.test(annotation))
    return { state: 'Approved', reason: `approved in ${annotation}` };
  const why = `with either a URL or a reason starting with "unapproved", ${PULL}`;
  return { state: 'Invalid', reason: `protected groups must have approval annotation ${quoted} ${why}` };
}

/** An update may leave the annotation as wrong as it was. */
export function validateApproval(
  definition: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
): FieldError[] {
  if (!isProtectedGroup(definition.spec.group)) return [];
  const { state, reason } = approvalOf(definition);
  if (old && approvalOf(old).state === state) return [];
  const field = `metadata.annotations[${ANNOTATION}]`;
  if (state === 'Missing') return [required(field, reason)];
  if (state === 'Invalid')
    return [invalidValue(field, definition.metadata.annotations?.[ANNOTATION], reason)];
  return [];
}
