import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { podCertificateRequests, serviceAccounts } from '../api/resources.gen.ts';
import { isNotFound } from '../api/status.ts';
import type {
  Condition,
  Node,
  Pod,
  PodCertificateProjection,
  CertificatesPodCertificateRequest as PodCertificateRequest,
} from '../api/types.gen.ts';
import type { Client } from '../client/port.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import { LIMITS } from '../lib/limits.ts';
import { createCertificateRequest } from '../lib/pki/certificate-request.ts';
import { fromPem } from '../lib/pki/key.ts';
import type { PodCertificate } from './volumes/volume.ts';

export interface PodCertificatesOptions {
  readonly client: Client;
  readonly clock: Clock;
  /** This node, once it is registered. */
  readonly node: () => Node | undefined;
}

interface Held {
  issued?: PodCertificate & { readonly expiresAtMs: number };
  /** A request without an answer; it is looked at again before another is made. */
  pending?: { readonly name: string; readonly keyPem: string };
  /** The signer's last word. */
  refused?: string;
}

/**
 * Certificates for pods (KEP-4317): a key made here, a PodCertificateRequest about it, and what its signer answers. Keys
 * are in memory and in the pod's files and nowhere else: an agent that was restarted asks anew.
 */
export class PodCertificates {
  readonly #options: PodCertificatesOptions;
  readonly #held = new Map<string, Held>();

  constructor(options: PodCertificatesOptions) {
    this.#options = options;
  }

  /** Rejects while the signer has not answered; whoever asks again gets the answer to the first request. */
  async certificate(pod: Pod, path: string, source: PodCertificateProjection): Promise<PodCertificate> {
    const key = `${pod.metadata.uid}|${path}`;
    const held = this.#held.get(key) ?? {};
    this.#held.set(key, held);
    const nowMs = this.#options.clock.now();
    const { issued } = held;
    if (issued && nowMs < issued.refreshAtMs) return issued;
    try {
      return await this.#ask(pod, source, held);
    } catch (error) {
      if (!issued || nowMs >= issued.expiresAtMs) throw error;
      return { ...issued, refreshAtMs: nowMs + LIMITS.agent.refreshRetryMs };
    }
  }

  forget(podUid: string): void {
    for (const key of this.#held.keys()) if (key.startsWith(`${podUid}|`)) this.#held.delete(key);
  }

  async #ask(pod: Pod, source: PodCertificateProjection, held: Held): Promise<PodCertificate> {
    if (held.refused !== undefined) throw new Error(held.refused);
    held.pending ??= await this.#request(pod, source);
    const { name, keyPem } = held.pending;
    const { namespace = '' } = pod.metadata;
    const answered = await this.#answer(namespace, name);
    if (answered === 'gone') {
      delete held.pending;
      throw new Error(`PodCertificateRequest "${namespace}/${name}" went without an answer`);
    }
    if (!answered) throw new Error(`PodCertificateRequest "${namespace}/${name}" is not issued yet`);
    delete held.pending;
    const { type, reason, message } = answered.condition;
    if (type !== 'Issued') {
      held.refused = `PodCertificateRequest "${namespace}/${name}" was ${type.toLowerCase()}: ${reason}: ${message}`;
      throw new Error(held.refused);
    }
    const { certificateChain = '', beginRefreshAt = '', notAfter = '' } = answered.request.status ?? {};
    const expiresAtMs = Date.parse(notAfter);
    held.issued = {
      keyPem,
      chainPem: certificateChain,
      refreshAtMs: Date.parse(beginRefreshAt) || expiresAtMs,
      expiresAtMs,
    };
    return held.issued;
  }

  async #request(pod: Pod, source: PodCertificateProjection): Promise<NonNullable<Held['pending']>> {
    const { client, node } = this.#options;
    const { name: podName = '', namespace, uid: podUID = '' } = pod.metadata;
    const nodeUID = node()?.metadata.uid;
    if (nodeUID === undefined) throw new Error('this node is not registered yet');
    const serviceAccountName = pod.spec?.serviceAccountName || 'default';
    const account = await client.get(serviceAccounts, { namespace, name: serviceAccountName });
    const keyPem = await makeKey(source.keyType);
    const request = createCertificateRequest({ subject: { commonName: '' }, keyPem });
    const made = await client.create(podCertificateRequests, {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'PodCertificateRequest',
      metadata: {
        generateName: `req-${podName.slice(0, 200)}-`,
        namespace,
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: podName, uid: podUID }],
      },
      spec: {
        signerName: source.signerName,
        podName,
        podUID,
        serviceAccountName,
        serviceAccountUID: account.metadata.uid ?? '',
        nodeName: pod.spec?.nodeName ?? '',
        nodeUID,
        ...(source.maxExpirationSeconds === undefined
          ? {}
          : { maxExpirationSeconds: source.maxExpirationSeconds }),
        stubPKCS10Request: fromPem('CERTIFICATE REQUEST', request).toString('base64'),
        ...(source.userAnnotations ? { unverifiedUserAnnotations: source.userAnnotations } : {}),
      },
    });
    return { name: made.metadata.name ?? '', keyPem };
  }

  /** Looks a few times, less and less often: a signer that is there answers at once. */
  async #answer(
    namespace: string,
    name: string,
  ): Promise<{ request: PodCertificateRequest; condition: Condition } | 'gone' | undefined> {
    const { client, clock } = this.#options;
    const until = clock.monotonicMs() + LIMITS.agent.certificateWaitMs;
    for (let delayMs = LIMITS.agent.certificateLookMs; ; delayMs *= 2) {
      const request = await client
        .get(podCertificateRequests, { namespace, name })
        .catch((error: unknown) => {
          if (isNotFound(error)) return undefined;
          throw error;
        });
      if (!request) return 'gone';
      const condition = request.status?.conditions?.find(
        ({ type, status }) => ANSWERS.has(type) && status === 'True',
      );
      if (condition) return { request, condition };
      if (clock.monotonicMs() + delayMs > until) return undefined;
      await sleep(clock, delayMs);
    }
  }
}

const ANSWERS: ReadonlySet<string> = new Set(['Issued', 'Denied', 'Failed']);
const generate = promisify(generateKeyPair);
const PEM = { type: 'pkcs8', format: 'pem' } as const;

/** A private key in PKCS #8; the API has refused any other type. */
async function makeKey(type: string): Promise<string> {
  const { privateKey } = await (() => {
    switch (type) {
      case 'RSA3072':
      case 'RSA4096':
        return generate('rsa', { modulusLength: Number(type.slice(3)) });
      case 'ECDSAP256':
      case 'ECDSAP384':
      case 'ECDSAP521':
        return generate('ec', { namedCurve: `P-${type.slice(6)}` });
      case 'ED25519':
        return generate('ed25519');
      default:
        throw new Error(`unknown key type ${JSON.stringify(type)}`);
    }
  })();
  return privateKey.export(PEM).toString();
}
