import type { X509Certificate } from 'node:crypto';
import * as resources from '../../api/resources.gen.ts';
import type { CertificateSigningRequest } from '../../api/types.gen.ts';
import { type CertificateAndKey, issueCertificate, readCertificate } from '../../lib/pki/certificate.ts';
import type { CertificateRequest } from '../../lib/pki/certificate-request.ts';
import { isKeyUsage } from '../../lib/pki/key-usages.ts';
import { LEAF_LIFETIME_MS, validity } from '../../lib/pki/validity.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import type { Controller } from '../port.ts';
import { hasCondition, requestOf, withCondition } from './conditions.ts';
import { SIGNERS } from './signers.ts';

/** As upstream: shorter ones are of no use to anybody whose clock is a little off. */
const SHORTEST_MS = 10 * 60_000;

/** How long a certificate is to be good for: what was asked for, at most a year. */
export function lifetimeMs(expirationSeconds: number | undefined): number {
  if (expirationSeconds === undefined) return LEAF_LIFETIME_MS;
  return Math.min(LEAF_LIFETIME_MS, Math.max(SHORTEST_MS, expirationSeconds * 1000));
}

/** The certificate for an approved request, as PEM. It never outlives its authority. */
export function signRequest(
  ca: CertificateAndKey,
  request: CertificateRequest,
  options: {
    readonly usages: readonly string[];
    readonly expirationSeconds: number | undefined;
    readonly nowMs: number;
  },
): string {
  const { notBeforeMs, notAfterMs } = validity(options.nowMs, lifetimeMs(options.expirationSeconds));
  const { subject, subjectDer, publicKey, names } = request;
  return issueCertificate({
    ...{ subject, subjectDer, publicKey, names, notBeforeMs },
    issuer: ca,
    use: options.usages.filter(isKeyUsage),
    notAfterMs: Math.min(notAfterMs, endOf(readCertificate(ca.certificatePem))),
  });
}

const endOf = (certificate: X509Certificate | undefined): number => Date.parse(certificate?.validTo ?? '');

/** Signs approved requests to the built-in signers, or says for good why one cannot be signed. */
export const signingController: Controller = {
  name: 'certificatesigningrequest-signing-controller',
  start(context) {
    const { client, clock, cluster } = context;
    const requests = context.informers.for(resources.certificateSigningRequests);
    const loop = startControlLoop({
      context,
      name: 'csrsigning',
      informers: [requests],
      reconcile: async (name) => {
        const csr = requests.store.get(undefined, name);
        if (!csr || !isToSign(csr)) return undefined;
        const signed = signedOrFailed(csr, cluster.clientCA, clock.now());
        await client.update(resources.certificateSigningRequests, signed, { subresource: 'status' });
        return undefined;
      },
    });
    loop.enqueueAll(requests);
    return loop.stop;
  },
};

function isToSign(csr: CertificateSigningRequest): boolean {
  if (csr.status?.certificate || !Object.hasOwn(SIGNERS, csr.spec.signerName)) return false;
  return hasCondition(csr, 'Approved') && !hasCondition(csr, 'Denied') && !hasCondition(csr, 'Failed');
}

/** The request with its certificate, or with a condition that says why it gets none. Pure but for the signature. */
export function signedOrFailed(
  csr: CertificateSigningRequest,
  ca: CertificateAndKey,
  nowMs: number,
): CertificateSigningRequest {
  const { signerName, usages = [], expirationSeconds } = csr.spec;
  let request: CertificateRequest;
  try {
    request = requestOf(csr);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return failed(csr, `unable to parse csr "${csr.metadata.name}": ${why}`, nowMs);
  }
  const wrong = SIGNERS[signerName]?.(request, usages);
  if (wrong !== undefined) return failed(csr, wrong, nowMs);
  const pem = signRequest(ca, request, { usages, expirationSeconds, nowMs });
  return { ...csr, status: { ...csr.status, certificate: Buffer.from(pem).toString('base64') } };
}

const failed = (csr: CertificateSigningRequest, message: string, nowMs: number): CertificateSigningRequest =>
  withCondition(csr, { type: 'Failed', reason: 'SignerValidationFailure', message }, nowMs);
