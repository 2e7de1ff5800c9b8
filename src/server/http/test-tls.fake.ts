import { issueCertificate } from '../../lib/pki/certificate.ts';
import { objectIdentifier, sequence, setOf, utf8String } from '../../lib/pki/der.ts';
import { generateKeyPem, publicKeyOf } from '../../lib/pki/key.ts';
import type { TlsFiles } from './listener.ts';

const HOUR_MS = 3_600_000;

export interface TestTls extends TlsFiles {
  readonly ca: string;
  /** `before`: a common name that stands before the last. */
  clientCertificate(name: string, organization?: string, before?: string): TlsFiles;
  /** A serving certificate for these names besides localhost. */
  servingCertificate(...dnsNames: string[]): TlsFiles;
}

interface LeafOptions {
  organization?: string;
  dnsNames?: string[];
  before?: string;
}

const subjectOf = (...commonNames: readonly string[]): Buffer =>
  sequence(...commonNames.map((name) => setOf(sequence(objectIdentifier('2.5.4.3'), utf8String(name)))));

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
    { organization = 'system:masters', dnsNames = [], before }: LeafOptions = {},
  ): TlsFiles => {
    const key = generateKeyPem();
    const subject = { commonName, organizations: [organization] };
    const cert = issueCertificate({
      subject,
      ...(before === undefined ? {} : { subjectDer: subjectOf(before, commonName) }),
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
    clientCertificate: (name, organization, before) =>
      leaf(name, 'client', {
        ...(organization === undefined ? {} : { organization }),
        ...(before === undefined ? {} : { before }),
      }),
    servingCertificate: (...dnsNames) => leaf('server', 'server', { dnsNames }),
  };
}
