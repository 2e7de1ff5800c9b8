import { createHash, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto';
import {
  bitString,
  boolean,
  context,
  integer,
  objectIdentifier,
  octetString,
  parseDer,
  sequence,
  time,
} from './der.ts';
import { fromPem, privateKey, publicKeyDer, toPem } from './key.ts';
import { encodeExtendedKeyUsage, encodeKeyUsage, type KeyUsage } from './key-usages.ts';
import { type AlternativeNames, encodeAlternativeNames, encodeSubject, type Subject } from './names.ts';

export interface CertificateAndKey {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface IssueOptions {
  readonly subject: Subject;
  /** The subject as a request has it, byte for byte, with parts that `subject` does not know. */
  readonly subjectDer?: Uint8Array;
  readonly publicKey: KeyObject;
  /** Who signs; the certificate's own key (a CA) when absent. */
  readonly issuer?: CertificateAndKey;
  /** Signs a certificate without `issuer`. */
  readonly selfSigningKeyPem?: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** `ca` may sign others; the rest is for TLS, or for exactly what these usages say. */
  readonly use: keyof typeof USES | readonly KeyUsage[];
  readonly names?: AlternativeNames;
}

const ECDSA_WITH_SHA256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'));
const USES = {
  ca: ['digital signature', 'cert sign', 'crl sign'],
  server: ['digital signature', 'server auth'],
  client: ['digital signature', 'client auth'],
  'server and client': ['digital signature', 'server auth', 'client auth'],
} as const satisfies Record<string, readonly KeyUsage[]>;

/** An X.509 v3 certificate (RFC 5280), signed with ECDSA and SHA-256, as PEM. */
export function issueCertificate(options: IssueOptions): string {
  const signingPem = options.issuer?.keyPem ?? options.selfSigningKeyPem;
  if (signingPem === undefined) throw new Error('a certificate needs an issuer or its own key');
  const publicDer = publicKeyDer(options.publicKey);
  const issuerName = options.issuer
    ? subjectDer(options.issuer.certificatePem)
    : encodeSubject(options.subject);
  const body = sequence(
    context(0, integer(Buffer.from([2])), true),
    integer(serialNumber()),
    ECDSA_WITH_SHA256,
    issuerName,
    sequence(time(options.notBeforeMs), time(options.notAfterMs)),
    options.subjectDer ?? encodeSubject(options.subject),
    publicDer,
    context(3, extensions(options, publicDer, publicKeyDer(privateKey(signingPem))), true),
  );
  const signature = sign('sha256', body, privateKey(signingPem));
  return toPem('CERTIFICATE', sequence(body, ECDSA_WITH_SHA256, bitString(signature)));
}

/** 126 random bits, positive and never zero. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

function extensions(options: IssueOptions, publicDer: Buffer, issuerPublicDer: Buffer): Buffer {
  const isCa = options.use === 'ca';
  const usages = typeof options.use === 'string' ? USES[options.use] : options.use;
  const bits = encodeKeyUsage(usages);
  const purposes = encodeExtendedKeyUsage(usages);
  const names = options.names ? encodeAlternativeNames(options.names) : undefined;
  return sequence(
    ...(bits ? [extension('2.5.29.15', bits, true)] : []),
    ...(purposes ? [extension('2.5.29.37', purposes)] : []),
    extension('2.5.29.19', isCa ? sequence(boolean(true)) : sequence(), true),
    extension('2.5.29.14', octetString(keyIdentifier(publicDer))),
    extension('2.5.29.35', sequence(context(0, keyIdentifier(issuerPublicDer), false))),
    ...(names ? [names] : []),
  );
}

function extension(id: string, value: Buffer, isCritical = false): Buffer {
  return sequence(objectIdentifier(id), ...(isCritical ? [boolean(true)] : []), octetString(value));
}

/** SHA-1 of the key's bits (RFC 5280, 4.2.1.2); a name, not a protection. */
function keyIdentifier(spki: Buffer): Buffer {
  const [outer] = parseDer(spki);
  const bits = outer ? parseDer(outer.content)[1] : undefined;
  if (!bits) throw new Error('malformed public key');
  return createHash('sha1').update(bits.content.subarray(1)).digest();
}

/** The subject's DER, so that an issuer's name is repeated byte for byte. */
function subjectDer(certificatePem: string): Buffer {
  const [certificate] = parseDer(fromPem('CERTIFICATE', certificatePem));
  const [body] = certificate ? parseDer(certificate.content) : [];
  const fields = body ? parseDer(body.content) : [];
  // version, serial, signature, issuer, validity, subject
  const subject = fields[5];
  if (!subject) throw new Error('malformed certificate');
  return subject.raw;
}

/** `undefined` for a text that is no certificate. */
export function readCertificate(pem: string | undefined): X509Certificate | undefined {
  if (pem === undefined) return undefined;
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** Whether the certificate belongs to the key and is signed by the issuer. */
export function belongsTogether(certificate: X509Certificate, keyPem: string, issuerPem?: string): boolean {
  if (!certificate.checkPrivateKey(privateKey(keyPem))) return false;
  if (issuerPem === undefined) return certificate.verify(certificate.publicKey);
  const issuer = readCertificate(issuerPem);
  return issuer !== undefined && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
