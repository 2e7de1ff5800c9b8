import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import {
  bitString,
  context,
  identifierText,
  integer,
  objectIdentifier,
  parseDer,
  sequence,
  setOf,
} from './der.ts';
import { fromPem, privateKey, publicKeyDer, toPem } from './key.ts';
import {
  type AlternativeNames,
  decodeAlternativeNames,
  decodeSubject,
  encodeAlternativeNames,
  encodeSubject,
  SUBJECT_ALT_NAME,
  type Subject,
} from './names.ts';

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const RSA_WITH_SHA256 = '1.2.840.113549.1.1.11';
const ED25519 = '1.3.101.112';
const NULL = Buffer.from([5, 0]);
const SIGNATURES: Readonly<Record<string, string>> = {
  [ECDSA_WITH_SHA256]: 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  [RSA_WITH_SHA256]: 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
};

export interface CertificateRequest {
  readonly subject: Required<Subject>;
  /** The whole subject, with parts that `subject` does not know. */
  readonly subjectDer: Buffer;
  readonly publicKey: KeyObject;
  readonly names: Required<AlternativeNames>;
}

const NO_NAMES: Required<AlternativeNames> = { dnsNames: [], ips: [], emails: [], uris: [] };

/** A PKCS #10 signing request (RFC 2986) as PEM, for a key on a curve, of RSA or Ed25519. */
export function createCertificateRequest(options: {
  readonly subject: Subject;
  readonly keyPem: string;
  readonly names?: AlternativeNames;
}): string {
  const key = privateKey(options.keyPem);
  const [algorithm, hash] = signatureOf(key);
  const names = options.names ? encodeAlternativeNames(options.names) : undefined;
  const attributes = names
    ? sequence(objectIdentifier(EXTENSION_REQUEST), setOf(sequence(names)))
    : Buffer.alloc(0);
  const body = sequence(
    integer(Buffer.from([0])),
    encodeSubject(options.subject),
    publicKeyDer(key),
    context(0, attributes, true),
  );
  return toPem('CERTIFICATE REQUEST', sequence(body, algorithm, bitString(sign(hash, body, key))));
}

/** The algorithm identifier and what is hashed with: SHA-256, which Ed25519 has no use for. */
function signatureOf({ asymmetricKeyType: type }: KeyObject): readonly [Buffer, string | null] {
  if (type === 'ed25519') return [sequence(objectIdentifier(ED25519)), null];
  if (type === 'rsa') return [sequence(objectIdentifier(RSA_WITH_SHA256), NULL), 'sha256'];
  return [sequence(objectIdentifier(ECDSA_WITH_SHA256)), 'sha256'];
}

/** Reads a request and checks that its sender holds the key. Throws an `Error` that says what is wrong with it. */
export function parseCertificateRequest(pem: string): CertificateRequest {
  const [request] = parseDer(fromPem('(?:NEW )?CERTIFICATE REQUEST', pem));
  const [body, algorithm, signature] = request ? parseDer(request.content) : [];
  if (!body || !algorithm || !signature) throw new Error('malformed certificate request');
  const [version, subject, spki, attributes] = parseDer(body.content);
  if (!version || !subject || !spki) throw new Error('malformed certificate request');
  const publicKey = createPublicKey({ key: spki.raw, format: 'der', type: 'spki' });
  const [algorithmId] = parseDer(algorithm.content);
  const hash = algorithmId ? SIGNATURES[identifierText(algorithmId.content)] : undefined;
  const isEd25519 = publicKey.asymmetricKeyType === 'ed25519';
  if (hash === undefined && !isEd25519) throw new Error('signature algorithm is not supported');
  if (!verify(isEd25519 ? null : hash, body.raw, publicKey, signature.content.subarray(1)))
    throw new Error('signature does not match the key');
  return {
    subject: decodeSubject(subject.content),
    subjectDer: subject.raw,
    publicKey,
    names: attributes ? requestedNames(attributes.content) : NO_NAMES,
  };
}

function requestedNames(attributes: Buffer): Required<AlternativeNames> {
  for (const attribute of parseDer(attributes)) {
    const [type, values] = parseDer(attribute.content);
    if (!type || !values || identifierText(type.content) !== EXTENSION_REQUEST) continue;
    const [list] = parseDer(values.content);
    for (const extension of list ? parseDer(list.content) : []) {
      const parts = parseDer(extension.content);
      const value = parts.at(-1);
      if (parts[0] && value && identifierText(parts[0].content) === SUBJECT_ALT_NAME)
        return decodeAlternativeNames(value.content);
    }
  }
  return NO_NAMES;
}
