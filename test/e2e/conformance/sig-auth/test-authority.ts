import { issueCertificate } from '../../../../src/lib/pki/certificate.ts';
import { generateKeyPem, publicKeyOf } from '../../../../src/lib/pki/key.ts';

/** A certificate that calls itself an authority, as PEM. */
export function testAuthority(commonName: string): string {
  const key = generateKeyPem();
  return issueCertificate({
    subject: { commonName },
    publicKey: publicKeyOf(key),
    selfSigningKeyPem: key,
    use: 'ca',
    notBeforeMs: 0,
    notAfterMs: Date.now() + 3_600_000,
  });
}
