import { invalidValue, notSupported, required } from '../../../api/field-errors.ts';
import type { FieldError } from '../../../api/status.ts';
import type { ClusterTrustBundleProjection, PodCertificateProjection } from '../../../api/types.gen.ts';
import { validateSignerName } from '../certificates/signer-name.ts';

const KEY_TYPES = ['RSA3072', 'RSA4096', 'ECDSAP256', 'ECDSAP384', 'ECDSAP521', 'ED25519'];
const MIN_SECONDS = 3600;
const MAX_SECONDS = 91 * 86_400;

/** A bundle by name, or all of a signer. */
export function validateTrustProjection(
  { name, signerName, labelSelector, path: to }: ClusterTrustBundleProjection,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  if (name !== undefined && signerName !== undefined)
    errors.push(invalidValue(path, { name, signerName }, 'only one of name and signerName may be used'));
  else if (name !== undefined) {
    if (name === '') errors.push(required(`${path}.name`, 'must be a valid object name'));
    if (labelSelector !== undefined)
      errors.push(
        invalidValue(
          `${path}.labelSelector`,
          labelSelector,
          'labelSelector must be unset if name is specified',
        ),
      );
  } else if (signerName !== undefined) errors.push(...validateSignerName(`${path}.signerName`, signerName));
  else errors.push(required(path, 'either name or signerName must be specified'));
  return to ? errors : [...errors, required(`${path}.path`)];
}

/** A key and a certificate that the node asks a signer for. */
export function validatePodCertificate(projection: PodCertificateProjection, path: string): FieldError[] {
  const { signerName = '', keyType = '', maxExpirationSeconds: seconds } = projection;
  const errors = validateSignerName(`${path}.signerName`, signerName);
  if (!KEY_TYPES.includes(keyType)) errors.push(notSupported(`${path}.keyType`, keyType, KEY_TYPES));
  const limit = (why: string): FieldError =>
    invalidValue(`${path}.maxExpirationSeconds`, seconds, `if provided, maxExpirationSeconds must be ${why}`);
  if (seconds !== undefined && seconds < MIN_SECONDS) errors.push(limit(`>= ${MIN_SECONDS}`));
  if (seconds !== undefined && seconds > MAX_SECONDS) errors.push(limit(`<= ${MAX_SECONDS}`));
  if (certificatePaths(projection).length === 0)
    errors.push(
      required(path, 'specify at least one of credentialBundlePath, keyPath, and certificateChainPath'),
    );
  return errors;
}

export function certificatePaths(projection: PodCertificateProjection): string[] {
  const { credentialBundlePath, keyPath, certificateChainPath } = projection;
  return [credentialBundlePath, keyPath, certificateChainPath].filter((one): one is string => !!one);
}
