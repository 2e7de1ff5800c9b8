import type { UserInfo } from '../registry/definition.ts';
import type { Authorizer } from './port.ts';

export interface SignerQuestion {
  readonly user: UserInfo;
  readonly verb: 'approve' | 'sign' | 'attest';
  readonly signerName: string;
}

/** Whether a user may act for a signer: by its name, or by the name of all signers of its domain (`example.com/*`). */
export function mayActForSigner(authorizer: Authorizer, { user, verb, signerName }: SignerQuestion): boolean {
  const target = {
    group: 'certificates.k8s.io',
    version: '*',
    resource: 'signers',
    subresource: '',
    namespace: '',
  };
  const domain = signerName.split('/')[0] ?? '';
  return [signerName, `${domain}/*`].some(
    (name) => authorizer.authorize({ user, verb, ...target, name }).allowed,
  );
}
