import { expect } from 'vitest';
import type { ServiceAccount } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { mounted, outputOf } from '../pod-output.ts';
import { pod } from '../pods.ts';

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

area('sig-auth', 'ServiceAccounts', (spec) => {
  spec('should mount an API token into pods', async (context) => {
    const accounts = context.resource<ServiceAccount>('v1', 'serviceaccounts');
    await accounts.create({ metadata: { name: 'mount-test' } });
    const run = `cat ${FOLDER}/namespace; echo; head -c 27 ${FOLDER}/ca.crt; echo; cat ${FOLDER}/token`;
    const output = await outputOf(context, { run, spec: { serviceAccountName: 'mount-test' } });
    const [namespace, authority, token = ''] = output.split('\n');
    expect(namespace).toBe(context.namespace);
    expect(authority).toBe('-----BEGIN CERTIFICATE-----');
    const review = await context.cluster.api.json<{ status: object }>(
      'POST',
      '/apis/authentication.k8s.io/v1/tokenreviews',
      {
        body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } },
      },
    );
    expect(review.status).toMatchObject({
      authenticated: true,
      user: { username: `system:serviceaccount:${context.namespace}:mount-test` },
    });
  });

  spec('should allow opting out of API token automount', async (context) => {
    const accounts = context.resource<ServiceAccount>('v1', 'serviceaccounts');
    await accounts.create({ metadata: { name: 'mounts' }, automountServiceAccountToken: true });
    await accounts.create({ metadata: { name: 'none' }, automountServiceAccountToken: false });
    for (const [account, automount, expected] of [
      ['mounts', undefined, true],
      ['mounts', true, true],
      ['mounts', false, false],
      ['none', undefined, false],
      ['none', true, true],
      ['none', false, false],
    ] as const) {
      const fields = automount === undefined ? {} : { automountServiceAccountToken: automount };
      const made = await context.pods.create(
        pod(context.unique('opting'), {}, { serviceAccountName: account, ...fields }),
      );
      const mounts =
        made.spec?.containers[0]?.volumeMounts?.some(({ mountPath }) => mountPath === FOLDER) ?? false;
      expect(mounts, `${account} ${automount}`).toBe(expected);
      await context.pods.delete(made.metadata.name ?? '', { gracePeriodSeconds: 0 });
    }
  });

  spec('should mount projected service account token', async (context) => {
    const volume = {
      name: 'token',
      projected: {
        sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 7200, audience: 'vault' } }],
      },
    };
    const { container, spec: fields } = mounted(volume, '/var/run/tokens');
    const run = 'stat -L -c %A /var/run/tokens/token; cat /var/run/tokens/token';
    const [mode, token = ''] = (await outputOf(context, { run, container, spec: fields })).split('\n');
    expect(mode).toBe('-rw-r--r--');
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<
      string,
      unknown
    >;
    expect(claims).toMatchObject({
      aud: ['vault'],
      'kubernetes.io': { namespace: context.namespace, pod: { name: 'script' } },
    });
  });
});
