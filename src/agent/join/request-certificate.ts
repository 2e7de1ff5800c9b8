import { certificateSigningRequests } from '../../api/resources.gen.ts';
import type { CertificateSigningRequest } from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import { type Clock, sleep } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Logger } from '../../lib/log.ts';
import { type CertificateAndKey, readCertificate } from '../../lib/pki/certificate.ts';
import { createCertificateRequest } from '../../lib/pki/certificate-request.ts';
import { generateKeyPem, privateKey } from '../../lib/pki/key.ts';

/** The cluster will not give a certificate; `reason` is that of the condition. */
export class CertificateRefused extends Error {
  override readonly name = 'CertificateRefused';
  readonly reason: string;
  constructor(reason: string, message: string) {
    super(message);
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

/**
 * A new key and the cluster's certificate for it (`system:node:<name>`), by a CertificateSigningRequest. The key never
 * leaves the board. Throws `CertificateRefused`, or what the client throws.
 */
export async function requestCertificate(options: CertificateOptions): Promise<CertificateAndKey> {
  const { client, nodeName } = options;
  const keyPem = generateKeyPem();
  const subject = { commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] };
  const request = createCertificateRequest({ subject, keyPem });
  const created = await client.create(
    certificateSigningRequests,
    {
      metadata: { generateName: 'node-csr-' },
      spec: {
        request: Buffer.from(request).toString('base64'),
        signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
        usages: ['digital signature', 'client auth'],
      },
    },
    { signal: options.signal },
  );
  const certificatePem = await issued(created, options);
  const certificate = readCertificate(certificatePem);
  if (!certificate?.checkPrivateKey(privateKey(keyPem)))
    throw new Error('the cluster signed a certificate that does not belong to the key of this board');
  return { certificatePem, keyPem };
}

/** Waits until the request is signed or refused. */
async function issued(
  created: CertificateSigningRequest,
  { client, clock, log, signal }: CertificateOptions,
): Promise<string> {
  const { name = '', resourceVersion = '' } = created.metadata;
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
