import { certificateSigningRequests } from '../../api/resources.gen.ts';
import type { CertificateSigningRequest } from '../../api/types.gen.ts';
import type { Authorizer } from '../authz/port.ts';
import { mayActForSigner } from '../authz/signer-rights.ts';
import type { AdmissionPlugin } from './port.ts';
import { refuse } from './refuse.ts';

/** Who approves or denies a request must hold `approve` on its signer, besides `update` on `approval`. */
export function certificateApproval(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'CertificateApproval',
    concerns: ({ operation, resource, subresource }) =>
      operation === 'UPDATE' &&
      subresource === 'approval' &&
      resource.resource === certificateSigningRequests.resource &&
      resource.group === certificateSigningRequests.group,
    validate(attributes) {
      const { signerName = '' } = (attributes.oldObject as CertificateSigningRequest).spec;
      if (mayActForSigner(authorizer, { user: attributes.user, verb: 'approve', signerName })) return;
      throw refuse(
        attributes,
        `user not permitted to approve requests with signerName ${JSON.stringify(signerName)}`,
      );
    },
  };
}
