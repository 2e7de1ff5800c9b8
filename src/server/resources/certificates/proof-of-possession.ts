import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { invalidValue, required } from '../../../api/field-errors.ts';
import type { FieldError } from '../../../api/status.ts';
import type { CertificatesPodCertificateRequestSpec as Spec } from '../../../api/types.gen.ts';
import { parseCertificateRequest } from '../../../lib/pki/certificate-request.ts';
import { toPem } from '../../../lib/pki/key.ts';

const OMITTED = '<omitted>';
const MAX_BYTES = 10 * 1024;
const CURVES: ReadonlySet<string | undefined> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
const KEYS = 'RSA3072, RSA4096, ECDSAP256, ECDSAP384, ECDSAP521, ED25519';

/** Whether the sender holds the key: by an empty PKCS #10 request, or by a signature over the pod's UID. */
export function validateProof(spec: Spec): FieldError[] {
  const request = bytesOf(spec.stubPKCS10Request);
  const key = bytesOf(spec.pkixPublicKey);
  const proof = bytesOf(spec.proofOfPossession);
  if (request.length > 0) {
    const beside = (field: string): FieldError =>
      invalidValue(`spec.${field}`, OMITTED, 'must be empty when stubPKCS10Request is set');
    return [
      ...(key.length > 0 ? [beside('pkixPublicKey')] : []),
      ...(proof.length > 0 ? [beside('proofOfPossession')] : []),
      ...refusalOf('spec.stubPKCS10Request', request, requestProblem),
    ];
  }
  if (key.length === 0 && proof.length === 0) return [required('spec.stubPKCS10Request', 'must be set')];
  const errors = refusalOf('spec.pkixPublicKey', key, (bytes) => keyProblem(publicKeyOf(bytes)));
  if (errors.length > 0) return errors;
  return refusalOf('spec.proofOfPossession', proof, (bytes) =>
    signs(publicKeyOf(key), spec.podUID, bytes) ? undefined : 'could not verify proof-of-possession',
  );
}

const bytesOf = (base64: string | undefined): Buffer => Buffer.from(base64 ?? '', 'base64');
const publicKeyOf = (key: Buffer): KeyObject => createPublicKey({ key, format: 'der', type: 'spki' });

function refusalOf(field: string, bytes: Buffer, check: (bytes: Buffer) => string | undefined): FieldError[] {
  if (bytes.length > MAX_BYTES)
    return [invalidValue(field, OMITTED, `may not be more than ${MAX_BYTES} bytes`)];
  let problem: string | undefined;
  try {
    problem = check(bytes);
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  return problem === undefined ? [] : [invalidValue(field, OMITTED, problem)];
}

function requestProblem(der: Buffer): string | undefined {
  return keyProblem(parseCertificateRequest(toPem('CERTIFICATE REQUEST', der)).publicKey);
}

function keyProblem({
  asymmetricKeyType: type,
  asymmetricKeyDetails: details,
}: KeyObject): string | undefined {
  const isKnown =
    type === 'ed25519' ||
    (type === 'ec' && CURVES.has(details?.namedCurve)) ||
    (type === 'rsa' && (details?.modulusLength === 3072 || details?.modulusLength === 4096));
  return isKnown ? undefined : `unknown key type; supported key types: ${KEYS}`;
}

function signs(key: KeyObject, podUID: string, signature: Buffer): boolean {
  const data = Buffer.from(podUID);
  if (key.asymmetricKeyType === 'ed25519') return verify(null, data, key, signature);
  const padding = key.asymmetricKeyType === 'rsa' ? { padding: constants.RSA_PKCS1_PSS_PADDING } : {};
  return verify('sha256', data, { key, ...padding }, signature);
}
