import type { CertificateSigningRequest } from '../../api/types.gen.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { type CertificateRequest, parseCertificateRequest } from '../../lib/pki/certificate-request.ts';

export type Condition = NonNullable<NonNullable<CertificateSigningRequest['status']>['conditions']>[number];

export const hasCondition = ({ status }: CertificateSigningRequest, type: string): boolean =>
  (status?.conditions ?? []).some((one) => one.type === type && one.status === 'True');

export function withCondition(
  csr: CertificateSigningRequest,
  condition: Pick<Condition, 'type' | 'reason' | 'message'>,
  nowMs: number,
): CertificateSigningRequest {
  const time = rfc3339(nowMs);
  const added: Condition = { ...condition, status: 'True', lastUpdateTime: time, lastTransitionTime: time };
  return { ...csr, status: { ...csr.status, conditions: [...(csr.status?.conditions ?? []), added] } };
}

/** The request inside; throws what is wrong with it. */
export const requestOf = ({ spec }: CertificateSigningRequest): CertificateRequest =>
  parseCertificateRequest(Buffer.from(spec.request, 'base64').toString('utf8'));
