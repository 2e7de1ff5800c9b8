import { equalJson } from '../../api/json-value.ts';
import { certificateSigningRequests, podCertificateRequests } from '../../api/resources.gen.ts';
import type { CertificateSigningRequest } from '../../api/types.gen.ts';
import type { Authorizer } from '../authz/port.ts';
import { mayActForSigner } from '../authz/signer-rights.ts';
import type { AdmissionPlugin } from './port.ts';
import { refuse } from './refuse.ts';

const REQUESTS: ReadonlySet<string> = new Set([
  certificateSigningRequests.resource,
  podCertificateRequests.resource,
]);

/** Who writes a certificate, or that there will be none, must hold `sign` on the signer. */
export function certificateSigning(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'CertificateSigning',
    concerns: ({ operation, resource, subresource }) =>
      operation === 'UPDATE' &&
      subresource === 'status' &&
      resource.group === certificateSigningRequests.group &&
      REQUESTS.has(resource.resource),
    validate(attributes) {
      const next = attributes.object as CertificateSigningRequest;
      const old = attributes.oldObject as CertificateSigningRequest;
      if (equalJson(next.status ?? {}, old.status ?? {})) return;
      const { signerName = '' } = old.spec;
      if (mayActForSigner(authorizer, { user: attributes.user, verb: 'sign', signerName })) return;
      throw refuse(
        attributes,
        `user not permitted to sign requests with signerName ${JSON.stringify(signerName)}`,
      );
    },
  };
}
