import type { KeyObject, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import {
  belongsTogether,
  type CertificateAndKey,
  issueCertificate,
  readCertificate,
} from '../../lib/pki/certificate.ts';
import { generateKeyPem, isPrivateKey, publicKeyOf } from '../../lib/pki/key.ts';
import type { AlternativeNames, Subject } from '../../lib/pki/names.ts';
import {
  CA_LIFETIME_MS,
  LEAF_LIFETIME_MS,
  needsRenewal,
  RENEW_BEFORE_MS,
  validity,
} from '../../lib/pki/validity.ts';
import { ensureSecretDirectory, readText, writeFileAtomic } from '../../lib/secret-file.ts';

export interface ServerPkiOptions {
  /** Such as `/var/lib/kedge/server/tls`. */
  readonly directory: string;
  /** What the API server is called (`servingNames`). */
  readonly names: AlternativeNames;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Who the aggregation layer is; aggregated servers believe nobody else what user asks. */
export const FRONT_PROXY_NAME = 'system:auth-proxy';

/** Keys and certificates of one server, all of them on disk. */
export interface ServerPki {
  /** Signs serving certificates; what clients trust. */
  readonly serverCa: CertificateAndKey;
  /** Signs client certificates: users, nodes. */
  readonly clientCa: CertificateAndKey;
  /** Signs the client certificate of the aggregation layer. */
  readonly requestHeaderCa: CertificateAndKey;
  readonly serving: CertificateAndKey;
  /** `system:admin` in `system:masters`. */
  readonly admin: CertificateAndKey;
  /** The aggregation layer, as aggregated API servers see it. */
  readonly frontProxy: CertificateAndKey;
  /** Signs service account tokens (ES256). */
  readonly serviceAccountKeyPem: string;
  /** Epoch milliseconds after which calling `ensureServerPki` again renews something. */
  readonly renewAtMs: number;
}

/**
 * Loads or makes everything the server needs, and renews leaves that lack a name or have less than 90 days left.
 * Keys that are there stay. May be called again at any time, and after a crash between any two of its writes:
 * a key is always on disk before the certificate that speaks of it.
 */
export async function ensureServerPki(options: ServerPkiOptions): Promise<ServerPki> {
  await ensureSecretDirectory(options.directory);
  const store = new Store(options);
  const [serverCa, clientCa, requestHeaderCa, serviceAccountKeyPem] = await Promise.all([
    store.authority('server-ca', 'kedge-server-ca'),
    store.authority('client-ca', 'kedge-client-ca'),
    store.authority('request-header-ca', 'kedge-request-header-ca'),
    store.key('service'),
  ]);
  const [serving, admin, frontProxy] = await Promise.all([
    store.leaf('serving-kube-apiserver', {
      issuer: serverCa,
      use: 'server',
      subject: { commonName: 'kube-apiserver' },
      names: options.names,
    }),
    store.leaf('client-admin', {
      issuer: clientCa,
      use: 'client',
      subject: { commonName: 'system:admin', organizations: ['system:masters'] },
    }),
    store.leaf('client-auth-proxy', {
      issuer: requestHeaderCa,
      use: 'client',
      subject: { commonName: FRONT_PROXY_NAME },
    }),
  ]);
  const renewAtMs = store.earliestRenewalMs;
  return { serverCa, clientCa, requestHeaderCa, serving, admin, frontProxy, serviceAccountKeyPem, renewAtMs };
}

/** A client certificate for somebody who holds the key, valid for a year. */
export function issueClientCertificate(
  clientCa: CertificateAndKey,
  options: { readonly subject: Subject; readonly publicKey: KeyObject; readonly nowMs: number },
): string {
  return issueCertificate({
    subject: options.subject,
    publicKey: options.publicKey,
    issuer: clientCa,
    use: 'client',
    ...validity(options.nowMs, LEAF_LIFETIME_MS),
  });
}

/** A serving certificate for an agent's own endpoint, valid for a year. */
export function issueServingCertificate(
  serverCa: CertificateAndKey,
  options: {
    readonly subject: Subject;
    readonly publicKey: KeyObject;
    readonly names: AlternativeNames;
    readonly nowMs: number;
  },
): string {
  return issueCertificate({
    subject: options.subject,
    publicKey: options.publicKey,
    issuer: serverCa,
    use: 'server',
    names: options.names,
    ...validity(options.nowMs, LEAF_LIFETIME_MS),
  });
}

interface LeafOptions {
  readonly issuer: CertificateAndKey;
  readonly use: 'server' | 'client';
  readonly subject: Subject;
  readonly names?: AlternativeNames;
}

class Store {
  readonly #options: ServerPkiOptions;
  earliestRenewalMs = Number.POSITIVE_INFINITY;

  constructor(options: ServerPkiOptions) {
    this.#options = options;
  }

  /** The private key `<name>.key`, made when missing or unreadable. */
  async key(name: string): Promise<string> {
    const path = this.#path(`${name}.key`);
    const known = await readText(path);
    if (isPrivateKey(known)) return known;
    if (known !== undefined) await this.#setAside(path, known);
    const pem = generateKeyPem();
    await writeFileAtomic(path, pem);
    return pem;
  }

  async authority(name: string, commonName: string): Promise<CertificateAndKey> {
    const keyPem = await this.key(name);
    const path = this.#path(`${name}.crt`);
    const known = await readText(path);
    const certificate = readCertificate(known);
    if (known !== undefined && certificate?.ca && belongsTogether(certificate, keyPem))
      return { certificatePem: known, keyPem };
    if (known !== undefined) await this.#setAside(path, known);
    const certificatePem = issueCertificate({
      subject: { commonName },
      publicKey: publicKeyOf(keyPem),
      selfSigningKeyPem: keyPem,
      use: 'ca',
      ...validity(this.#options.clock.now(), CA_LIFETIME_MS),
    });
    await writeFileAtomic(path, certificatePem);
    this.#options.log.info('made a certificate authority', { name });
    return { certificatePem, keyPem };
  }

  async leaf(name: string, options: LeafOptions): Promise<CertificateAndKey> {
    const keyPem = await this.key(name);
    const path = this.#path(`${name}.crt`);
    const known = await readText(path);
    const why = this.#whyReissue(readCertificate(known), keyPem, options);
    if (known !== undefined && why === undefined) {
      this.#noteRenewal(known);
      return { certificatePem: known, keyPem };
    }
    const certificatePem = issueCertificate({
      ...options,
      publicKey: publicKeyOf(keyPem),
      ...validity(this.#options.clock.now(), LEAF_LIFETIME_MS),
    });
    await writeFileAtomic(path, certificatePem);
    this.#noteRenewal(certificatePem);
    this.#options.log.info('issued a certificate', { name, why });
    return { certificatePem, keyPem };
  }

  #whyReissue(
    certificate: X509Certificate | undefined,
    keyPem: string,
    { issuer, names }: LeafOptions,
  ): string | undefined {
    if (certificate === undefined) return 'there is none that can be read';
    if (!belongsTogether(certificate, keyPem, issuer.certificatePem))
      return 'it belongs to another key or authority';
    if (needsRenewal(Date.parse(certificate.validTo), this.#options.clock.now())) return 'it ends soon';
    const missing = names ? missingName(certificate, names) : undefined;
    return missing === undefined ? undefined : `it lacks ${missing}`;
  }

  #noteRenewal(pem: string): void {
    const endsMs = Date.parse(readCertificate(pem)?.validTo ?? '');
    this.earliestRenewalMs = Math.min(this.earliestRenewalMs, endsMs - RENEW_BEFORE_MS);
  }

  /** Keeps what cannot be used, for whoever wants to know what happened. */
  async #setAside(path: string, content: string): Promise<void> {
    this.#options.log.error('replacing a damaged file; the old one is kept beside it', { path });
    await writeFileAtomic(`${path}.damaged`, content);
  }

  #path(name: string): string {
    return join(this.#options.directory, name);
  }
}

function missingName(certificate: X509Certificate, names: AlternativeNames): string | undefined {
  const text = certificate.subjectAltName ?? '';
  const has = new Set(text.split(', '));
  return (
    names.dnsNames.find((name) => !has.has(`DNS:${name}`)) ??
    names.ips.find((ip) => certificate.checkIP(ip) === undefined)
  );
}
