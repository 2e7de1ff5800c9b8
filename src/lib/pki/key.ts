import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';

/** A fresh P-256 private key as PEM (PKCS #8). ECDSA keys are small and their handshakes cheap on a small board. */
export function generateKeyPem(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' });
}

export const privateKey = (pem: string): KeyObject => createPrivateKey(pem);
export const publicKeyOf = (privatePem: string): KeyObject => createPublicKey(privatePem);

/** SubjectPublicKeyInfo in DER. */
export const publicKeyDer = (key: KeyObject): Buffer =>
  (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' });

/** Whether a text is a private key that can be used. */
export function isPrivateKey(pem: string | undefined): pem is string {
  if (pem === undefined) return false;
  try {
    return createPrivateKey(pem).asymmetricKeyType === 'ec';
  } catch {
    return false;
  }
}

export function toPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** The bytes of the first PEM block with this label. Throws when there is none. */
export function fromPem(label: string, pem: string): Buffer {
  const match = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`).exec(pem);
  if (!match) throw new Error(`no PEM block of type ${label}`);
  return Buffer.from(match[1] ?? '', 'base64');
}
