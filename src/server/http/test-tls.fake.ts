import { issueCertificate } from '../../lib/pki/certificate.ts';
import { generateKeyPem, publicKeyOf } from '../../lib/pki/key.ts';
import type { TlsFiles } from './listener.ts';

const HOUR_MS = 3_600_000;

export interface TestTls extends TlsFiles {
  readonly ca: string;
  clientCertificate(name: string, organization?: string): TlsFiles;
  /** A serving certificate for these names besides localhost. */
  servingCertificate(...dnsNames: string[]): TlsFiles;
}

/** A throw-away authority, a serving certificate for 127.0.0.1, and a client certificate. */
export function testTls(): TestTls {
  const times = { notBeforeMs: Date.now() - HOUR_MS, notAfterMs: Date.now() + HOUR_MS };
  const caKey = generateKeyPem();
  const ca = issueCertificate({
    subject: { commonName: 'test-ca' },
    publicKey: publicKeyOf(caKey),
    selfSigningKeyPem: caKey,
    use: 'ca',
    ...times,
  });
  const issuer = { certificatePem: ca, keyPem: caKey };
  const leaf = (
    commonName: string,
    use: 'server' | 'client',
    { organization = 'system:masters', dnsNames = [] }: { organization?: string; dnsNames?: string[] } = {},
  ): TlsFiles => {
    const key = generateKeyPem();
    const cert = issueCertificate({
      subject: { commonName, organizations: [organization] },
      publicKey: publicKeyOf(key),
      issuer,
      use,
      names: { dnsNames: ['localhost', ...dnsNames], ips: ['127.0.0.1'] },
      ...times,
    });
    return { cert, key };
  };
  return {
    ...leaf('kube-apiserver', 'server'),
    clientCa: ca,
    ca,
    clientCertificate: (name, organization) =>
      leaf(name, 'client', organization === undefined ? {} : { organization }),
    servingCertificate: (...dnsNames) => leaf('server', 'server', { dnsNames }),
  };
}
