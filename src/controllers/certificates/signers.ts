import type { CertificateRequest } from '../../lib/pki/certificate-request.ts';

/** What is wrong with a request that a signer will never sign; `undefined` when it may be signed. */
type Check = (request: CertificateRequest, usages: readonly string[]) => string | undefined;

export const KUBELET_CLIENT = 'kubernetes.io/kube-apiserver-client-kubelet';
export const NODE_GROUP = 'system:nodes';
export const NODE_USER = 'system:node:';

/** Upstream's built-in signers, and whom they sign. All sign with the authority of client certificates. */
export const SIGNERS: Readonly<Record<string, Check>> = {
  'kubernetes.io/kube-apiserver-client': checkClient,
  [KUBELET_CLIENT]: checkKubeletClient,
  'kubernetes.io/kubelet-serving': checkKubeletServing,
  // Only objects of versions before v1 can name it.
  'kubernetes.io/legacy-unknown': () => undefined,
};

function checkClient(_request: CertificateRequest, usages: readonly string[]): string | undefined {
  const allowed = ['client auth', 'digital signature', 'key encipherment'];
  const wrong = usages.find((usage) => !allowed.includes(usage));
  if (wrong !== undefined) return `invalid usage for client certificate: ${wrong}`;
  return usages.includes('client auth')
    ? undefined
    : 'missing required usage for client certificate: client auth';
}

/** A kubelet's own client certificate: `system:node:<name>` in `system:nodes`, and no other name. */
export function checkKubeletClient(
  { subject, names }: CertificateRequest,
  usages: readonly string[],
): string | undefined {
  if (!isNodeGroup(subject.organizations)) return 'subject organization is not system:nodes';
  if (names.dnsNames.length > 0) return 'DNS subjectAltNames are not allowed';
  if (names.emails.length > 0) return 'Email subjectAltNames are not allowed';
  if (names.ips.length > 0) return 'IP subjectAltNames are not allowed';
  if (names.uris.length > 0) return 'URI subjectAltNames are not allowed';
  return checkNode(subject.commonName) ?? checkUsages(usages, 'client auth');
}

function checkKubeletServing(
  { subject, names }: CertificateRequest,
  usages: readonly string[],
): string | undefined {
  if (!isNodeGroup(subject.organizations)) return 'subject organization is not system:nodes';
  if (names.dnsNames.length + names.ips.length === 0) return 'DNS or IP subjectAltName is required';
  if (names.emails.length > 0) return 'Email subjectAltNames are not allowed';
  if (names.uris.length > 0) return 'URI subjectAltNames are not allowed';
  return checkUsages(usages, 'server auth') ?? checkNode(subject.commonName);
}

const isNodeGroup = (organizations: readonly string[]): boolean =>
  organizations.length === 1 && organizations[0] === NODE_GROUP;

const checkNode = (commonName: string): string | undefined =>
  commonName.startsWith(NODE_USER) ? undefined : `subject common name does not begin with ${NODE_USER}`;

/** Exactly these; key encipherment may be left out, since only RSA keys can do it. */
function checkUsages(usages: readonly string[], purpose: string): string | undefined {
  const required = ['digital signature', purpose];
  const given = new Set(usages);
  given.delete('key encipherment');
  const isRight = given.size === required.length && required.every((usage) => given.has(usage));
  return isRight ? undefined : `usages did not match [digital signature key encipherment ${purpose}]`;
}
