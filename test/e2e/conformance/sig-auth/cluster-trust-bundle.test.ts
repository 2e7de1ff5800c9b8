import type { ClusterTrustBundle } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { everyVerb } from '../every-verb.ts';
import { testAuthority } from './test-authority.ts';

area('sig-auth', '[FeatureGate:ClusterTrustBundle] [FeatureGate:ClusterTrustBundleProjection]', (spec) => {
  spec(
    'CRUD Tests certificates.k8s.io/v1 ClusterTrustBundles [MinimumKubeletVersion:1.37]',
    async (context) =>
      await everyVerb<ClusterTrustBundle>(context, {
        groupVersion: 'certificates.k8s.io/v1',
        plural: 'clustertrustbundles',
        kind: 'ClusterTrustBundle',
        name: (unique) => `test.example.com:signer:${unique}`,
        body: { spec: { signerName: 'test.example.com/signer', trustBundle: testAuthority('before') } },
        change: ({ spec }) => {
          spec.trustBundle = AFTER;
        },
        changed: ({ spec }) => spec.trustBundle,
      }),
  );
});

const AFTER = testAuthority('after');
