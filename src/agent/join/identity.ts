import { join } from 'node:path';
import { type CertificateAndKey, readCertificate } from '../../lib/pki/certificate.ts';
import { ensureSecretDirectory, readText, writeFileAtomic } from '../../lib/secret-file.ts';

/** Who this board is to its cluster, and how it knows the cluster. */
export interface Identity extends CertificateAndKey {
  /** The authority of the server, as PEM, exactly as the server showed it. */
  readonly caPem: string;
}

const WHOLE =
  /^(-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n)(-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n)(-----BEGIN CERTIFICATE-----.*)$/s;

/**
 * The identity in one file of mode 0600, so that certificate, key and authority always belong together, whenever the
 * power fails: `openssl x509 -in` shows the certificate.
 */
export class IdentityFile {
  readonly #directory: string;

  /** `directory` such as `/var/lib/kedge/agent/tls`. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  get path(): string {
    return join(this.#directory, 'client-kubelet.pem');
  }

  /** `undefined` where there is none, or none that can be read. */
  async read(): Promise<Identity | undefined> {
    const [, certificatePem, keyPem, caPem] = WHOLE.exec((await readText(this.path)) ?? '') ?? [];
    if (certificatePem === undefined || keyPem === undefined || caPem === undefined) return undefined;
    if (readCertificate(certificatePem) === undefined || readCertificate(caPem) === undefined)
      return undefined;
    return { certificatePem, keyPem, caPem };
  }

  async write({ certificatePem, keyPem, caPem }: Identity): Promise<void> {
    await ensureSecretDirectory(this.#directory);
    await writeFileAtomic(this.path, certificatePem + keyPem + caPem);
  }
}

/** The node an identity is for. */
export function nodeNameOf({ certificatePem }: CertificateAndKey): string | undefined {
  const subject = readCertificate(certificatePem)?.subject ?? '';
  return /^CN=system:node:(.+)$/m.exec(subject)?.[1];
}

/** Epoch milliseconds at which an identity ends. */
export const endOf = ({ certificatePem }: CertificateAndKey): number =>
  Date.parse(readCertificate(certificatePem)?.validTo ?? '');
