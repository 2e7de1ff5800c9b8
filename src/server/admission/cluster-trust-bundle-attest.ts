import { clusterTrustBundles } from '../../api/resources.gen.ts';
import type { ClusterTrustBundle } from '../../api/types.gen.ts';
import type { Authorizer } from '../authz/port.ts';
import { mayActForSigner } from '../authz/signer-rights.ts';
import type { AdmissionPlugin } from './port.ts';
import { refuse } from './refuse.ts';

/** Who says which certificates a signer has must hold `attest` on it. */
export function clusterTrustBundleAttest(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'ClusterTrustBundleAttest',
    concerns: ({ operation, resource }) =>
      (operation === 'CREATE' || operation === 'UPDATE') &&
      resource.resource === clusterTrustBundles.resource &&
      resource.group === clusterTrustBundles.group,
    handles: ({ object }) => object !== undefined,
    validate(attributes) {
      const { spec } = attributes.object as ClusterTrustBundle;
      const signerName = spec?.signerName ?? '';
      if (signerName === '') return;
      const old = attributes.oldObject as ClusterTrustBundle | undefined;
      if (old && old.spec?.trustBundle === spec?.trustBundle && old.spec?.signerName === signerName) return;
      if (mayActForSigner(authorizer, { user: attributes.user, verb: 'attest', signerName })) return;
      throw refuse(attributes, `user not permitted to attest for signerName ${JSON.stringify(signerName)}`);
    },
  };
}
