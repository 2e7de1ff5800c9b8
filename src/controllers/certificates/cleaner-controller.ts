import * as resources from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { CertificateSigningRequest } from '../../api/types.gen.ts';
import { keyOf } from '../../client/informer.ts';
import { LIMITS } from '../../lib/limits.ts';
import { readCertificate } from '../../lib/pki/certificate.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { timeMs } from '../framework/pods.ts';
import type { Controller } from '../port.ts';

/** When a request is of no use to anybody any more, in epoch milliseconds: upstream's rules. Pure. */
export function endOfUseMs(csr: CertificateSigningRequest): number {
  const { csrSettledMs, csrPendingMs } = LIMITS.controllers;
  const conditions = csr.status?.conditions ?? [];
  const createdMs = timeMs(csr.metadata.creationTimestamp);
  if (conditions.length === 0) return createdMs + csrPendingMs;
  const ends: number[] = [];
  for (const { type, lastUpdateTime } of conditions) {
    const isSettled =
      type === 'Denied' || type === 'Failed' || (type === 'Approved' && csr.status?.certificate);
    if (isSettled) ends.push(timeMs(lastUpdateTime ?? csr.metadata.creationTimestamp) + csrSettledMs);
  }
  const pem = csr.status?.certificate;
  const certificate = pem && readCertificate(Buffer.from(pem, 'base64').toString('utf8'));
  if (certificate) ends.push(Date.parse(certificate.validTo));
  return ends.length === 0 ? Number.POSITIVE_INFINITY : Math.min(...ends);
}

/** Deletes signing requests that were settled an hour ago, waited a day, or whose certificate has ended. */
export const cleanerController: Controller = {
  name: 'certificatesigningrequest-cleaner-controller',
  start(context) {
    const { client, clock } = context;
    const requests = context.informers.for(resources.certificateSigningRequests);
    const loop = startControlLoop({
      context,
      name: 'csrcleaner',
      informers: [requests],
      reconcile: async (name) => {
        const csr = requests.store.get(undefined, name);
        if (!csr) return undefined;
        const leftMs = endOfUseMs(csr) - clock.now();
        // The clock may be set meanwhile, so nobody sleeps for longer than this.
        if (leftMs > 0)
          return Number.isFinite(leftMs) ? Math.min(leftMs, LIMITS.controllers.csrPendingMs) : undefined;
        const preconditions = { uid: csr.metadata.uid ?? '' };
        await client
          .delete(resources.certificateSigningRequests, { name }, { preconditions })
          .catch((error) => {
            if (!isNotFound(error)) throw error;
          });
        return undefined;
      },
    });
    loop.onAny(requests, (csr) => loop.add(keyOf(csr)));
    return loop.stop;
  },
};
