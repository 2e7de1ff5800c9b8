import { certificateSigningRequests } from '../../api/resources.gen.ts';
import type { CertificateSigningRequest } from '../../api/types.gen.ts';
import { parseCertificateRequest } from '../../lib/pki/certificate-request.ts';
import type { AdmissionPluginFactory } from './port.ts';
import { refuse } from './refuse.ts';

const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';
const MASTERS = 'system:masters';

/** Nobody asks for a client certificate of `system:masters`: it could never be taken back. */
export const certificateSubjectRestriction: AdmissionPluginFactory = () => ({
  name: 'CertificateSubjectRestriction',
  concerns: ({ operation, resource, subresource }) =>
    operation === 'CREATE' &&
    subresource === '' &&
    resource.resource === certificateSigningRequests.resource &&
    resource.group === certificateSigningRequests.group,
  validate(attributes) {
    const { spec } = attributes.object as CertificateSigningRequest;
    if (spec.signerName !== CLIENT_SIGNER) return;
    if (organizationsOf(attributes, spec.request ?? '').includes(MASTERS))
      throw refuse(attributes, `use of ${CLIENT_SIGNER} signer with ${MASTERS} group is not allowed`);
  },
});

function organizationsOf(attributes: Parameters<typeof refuse>[0], request: string): readonly string[] {
  try {
    return parseCertificateRequest(Buffer.from(request, 'base64').toString('utf8')).subject.organizations;
  } catch (error) {
    throw refuse(
      attributes,
      `failed to parse CSR: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
