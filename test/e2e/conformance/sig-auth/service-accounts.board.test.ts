import { expect } from 'vitest';
import type { ServiceAccount, TokenReview } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { programPod } from '../net-pods.ts';
import { ended, logOf, mounted, outputOf } from '../pod-output.ts';
import type { SpecContext } from '../spec-context.ts';

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

async function reviewed({ cluster }: SpecContext, token: string): Promise<TokenReview> {
  const review = { kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', spec: { token } };
  return await cluster.api.json('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { body: review });
}

area('sig-auth', 'ServiceAccounts', (spec) => {
  spec('should mount an API token into pods', async (context) => {
    const { namespace, configMaps } = context;
    await context
      .resource<ServiceAccount>('v1', 'serviceaccounts')
      .create({ metadata: { name: 'mount-test' } });
    const run = `cat ${FOLDER}/token; echo; echo =====; cat ${FOLDER}/ca.crt; echo =====; cat ${FOLDER}/namespace`;
    const output = await outputOf(context, { run, spec: { serviceAccountName: 'mount-test' } });
    const [token = '', authority = '', place = ''] = output.split('=====\n').map((part) => part.trim());
    expect(place).toBe(namespace);
    expect(authority).toBe((await configMaps.get('kube-root-ca.crt')).data?.['ca.crt']?.trim());
    expect((await reviewed(context, token)).status).toMatchObject({
      authenticated: true,
      user: {
        username: `system:serviceaccount:${namespace}:mount-test`,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
        extra: { 'authentication.kubernetes.io/pod-name': ['script'] },
      },
    });
  });

  spec('should mount projected service account token', async (context) => {
    const source = { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } };
    const output = await outputOf(context, {
      run: 'cat /test-volume/token',
      ...mounted({ name: 'test-volume', projected: { sources: [source] } }, '/test-volume'),
    });
    expect((await reviewed(context, output.trim())).status).toMatchObject({
      authenticated: true,
      user: { username: `system:serviceaccount:${context.namespace}:default` },
    });
  });

  spec(
    'ServiceAccountIssuerDiscovery should support OIDC discovery of service account issuer',
    async (context) => {
      const audience = 'oidc-discovery-test';
      const source = { serviceAccountToken: { path: 'sa-token', audience, expirationSeconds: 3600 } };
      const volume = { name: 'sa-token', projected: { sources: [source] } };
      const fields = programPod(['verify-token', '/var/run/secrets/tokens/sa-token', audience], {
        volumeMounts: [{ name: 'sa-token', mountPath: '/var/run/secrets/tokens' }],
      });
      await context.pods.create({
        metadata: { name: 'validator' },
        spec: { ...fields, volumes: [...(fields.volumes ?? []), volume], restartPolicy: 'Never' },
      });
      const { status } = await ended(context, 'validator');
      const output = await logOf(context, 'validator');
      expect(status?.phase, output).toBe('Succeeded');
      expect(output).toContain(
        `completed OIDC token validation of system:serviceaccount:${context.namespace}:default`,
      );
    },
  );
});
