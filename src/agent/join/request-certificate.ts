import { createHash } from 'node:crypto';
import { certificateSigningRequests } from '../../api/resources.gen.ts';
import { isAlreadyExists } from '../../api/status.ts';
import type { CertificateSigningRequest } from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import { type Clock, sleep } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Logger } from '../../lib/log.ts';
import { type CertificateAndKey, readCertificate } from '../../lib/pki/certificate.ts';
import { createCertificateRequest } from '../../lib/pki/certificate-request.ts';
import { generateKeyPem, privateKey, publicKeyDer } from '../../lib/pki/key.ts';

/** The cluster will not give a certificate; `reason` is that of the condition. */
export class CertificateRefused extends Error {
  override readonly name = 'CertificateRefused';
  readonly reason: string;
  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export interface CertificateOptions {
  /** Whoever may ask: a board that joins, or the node itself. */
  readonly client: Client;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const SUBJECT_GROUP = 'system:nodes';
const USAGES = ['digital signature', 'client auth'] as const;

/** A request of which nobody has said yet what becomes of it. */
interface OpenRequest {
  readonly keyPem: string;
  readonly csr: CertificateSigningRequest;
}

/**
 * Asks for certificates of one board. A request that nobody answers is taken up again by the next try, under the same
 * name, as a kubelet does: a board that waits for a person leaves one request behind, not one for each try.
 */
export class CertificateRequests {
  #open: OpenRequest | undefined;

  /**
   * A new key and the cluster's certificate for it (`system:node:<name>`), by a CertificateSigningRequest. The key never
   * leaves the board. Throws `CertificateRefused`, or what the client throws.
   */
  async request(options: CertificateOptions): Promise<CertificateAndKey> {
    this.#open ??= newRequest(options.nodeName);
    const { keyPem, csr } = this.#open;
    try {
      const certificatePem = await issued(await submitted(csr, options), options);
      this.#open = undefined;
      const certificate = readCertificate(certificatePem);
      if (!certificate?.checkPrivateKey(privateKey(keyPem)))
        throw new Error('the cluster signed a certificate that does not belong to the key of this board');
      return { certificatePem, keyPem };
    } catch (error) {
      // The next try must not meet the same refusal.
      if (error instanceof CertificateRefused) this.#open = undefined;
      throw error;
    }
  }
}

function newRequest(nodeName: string): OpenRequest {
  const keyPem = generateKeyPem();
  const subject = { commonName: `system:node:${nodeName}`, organizations: [SUBJECT_GROUP] };
  const request = createCertificateRequest({ subject, keyPem });
  const csr: CertificateSigningRequest = {
    metadata: { name: digestedName(keyPem, subject.commonName) },
    spec: {
      request: Buffer.from(request).toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
      usages: [...USAGES],
    },
  };
  return { keyPem, csr };
}

/** As a kubelet names its first request: by the key and by what is asked for. */
function digestedName(keyPem: string, commonName: string): string {
  const hash = createHash('sha512-256');
  const parts = [publicKeyDer(privateKey(keyPem)), commonName, SUBJECT_GROUP, ...USAGES];
  for (const part of parts) hash.update(`${Buffer.from(part).toString('base64url')}|`);
  return `node-csr-${hash.digest('base64url')}`;
}

/** The request as the cluster has it, since now or since an earlier try. */
async function submitted(
  csr: CertificateSigningRequest,
  { client, signal }: CertificateOptions,
): Promise<CertificateSigningRequest> {
  try {
    return await client.create(certificateSigningRequests, csr, { signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const found = await client.get(certificateSigningRequests, { name: csr.metadata.name ?? '' });
    if (found.spec.request !== csr.spec.request)
      throw new CertificateRefused('NameTaken', `${csr.metadata.name} is a request of somebody else`, {
        cause: error,
      });
    return found;
  }
}

/** Waits until the request is signed or refused. */
async function issued(
  created: CertificateSigningRequest,
  { client, clock, log, signal }: CertificateOptions,
): Promise<string> {
  const { name = '', resourceVersion = '' } = created.metadata;
  const already = certificateOf(created);
  if (already !== undefined) return already;
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  void sleep(clock, LIMITS.join.certificateMs, either).then(
    () => over.abort(),
    () => {},
  );
  const sayLater = clock.setTimer(LIMITS.join.certificateSayMs, () =>
    log.info('waiting for the cluster to sign the certificate of this board', { csr: name }),
  );
  try {
    const events = client.watch(certificateSigningRequests, {
      fieldSelector: `metadata.name=${name}`,
      resourceVersion,
      signal: either,
    });
    for await (const event of events) {
      if (event.type === 'BOOKMARK') continue;
      const pem = certificateOf(event.object);
      if (pem !== undefined) return pem;
    }
  } finally {
    sayLater.cancel();
    over.abort();
  }
  signal.throwIfAborted();
  throw new Error(
    `nobody approved and signed ${name} within ${LIMITS.join.certificateMs / 1000} s: kubectl get csr`,
  );
}

function certificateOf({ status }: CertificateSigningRequest): string | undefined {
  const refused = status?.conditions?.find(({ type }) => type === 'Denied' || type === 'Failed');
  if (refused) throw new CertificateRefused(refused.reason ?? refused.type, refused.message ?? '');
  return status?.certificate ? Buffer.from(status.certificate, 'base64').toString('utf8') : undefined;
}
