import { expect } from 'vitest';
import type { ServiceAccount, TokenRequest, TokenReview } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';

const ROOT_CA = 'kube-root-ca.crt';
const TOKEN_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

area('sig-auth', 'ServiceAccounts', (spec) => {
  spec('should create a serviceAccountToken and ensure a successful TokenReview', async (context) => {
    const { cluster, namespace } = context;
    const accounts = context.resource<ServiceAccount>('v1', 'serviceaccounts');
    const { metadata } = await accounts.create({ metadata: { name: 'reviewed' } });
    const { status } = await cluster.api.json<TokenRequest>('POST', `${accounts.path}/reviewed/token`, {
      body: { kind: 'TokenRequest', apiVersion: 'authentication.k8s.io/v1', spec: {} },
    });
    expect(status?.token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    expect(Date.parse(status?.expirationTimestamp ?? '')).toBeGreaterThan(Date.now());
    const review = await cluster.api.json<TokenReview>(
      'POST',
      '/apis/authentication.k8s.io/v1/tokenreviews',
      {
        body: {
          kind: 'TokenReview',
          apiVersion: 'authentication.k8s.io/v1',
          metadata: { name: 'token' },
          spec: { token: status?.token },
        },
      },
    );
    expect(review.status?.error ?? '').toBe('');
    expect(review.status).toMatchObject({
      authenticated: true,
      user: { username: `system:serviceaccount:${namespace}:reviewed`, uid: metadata.uid },
    });
  });

  spec('should allow opting out of API token automount', async (context) => {
    const accounts = context.resource<ServiceAccount>('v1', 'serviceaccounts');
    const choices = [undefined, true, false];
    for (const account of choices) {
      const name = `account-${account}`;
      await accounts.create({
        metadata: { name },
        ...(account === undefined ? {} : { automountServiceAccountToken: account }),
      });
      for (const pod of choices) {
        const { spec } = await context.pods.create({
          metadata: { name: `${name}-pod-${pod}` },
          spec: {
            containers: [{ name: 'token-test', image: 'busybox' }],
            serviceAccountName: name,
            ...(pod === undefined ? {} : { automountServiceAccountToken: pod }),
          },
        });
        const mounts = spec?.containers?.[0]?.volumeMounts ?? [];
        const isMounted = mounts.some(({ mountPath }) => mountPath === TOKEN_FOLDER);
        expect(isMounted, `${name} pod ${pod}`).toBe(pod ?? account ?? true);
      }
    }
  });

  spec('should guarantee kube-root-ca.crt exist in any namespace', async (context) => {
    const { configMaps } = context;
    const exists = async (data?: string) =>
      await context.until('the root CA', async () => {
        const found = (await configMaps.find(ROOT_CA))?.data?.['ca.crt'];
        return found !== undefined && (data === undefined || found === data) && found;
      });
    const data = await exists();
    expect(data).toContain('-----BEGIN CERTIFICATE-----');
    await configMaps.delete(ROOT_CA);
    await exists(data);
    await configMaps.modify(ROOT_CA, (object) => {
      object.data = { 'ca.crt': '' };
    });
    await exists(data);
  });

  spec('should run through the lifecycle of a ServiceAccount', async (context) => {
    const accounts = context.resource<ServiceAccount>('v1', 'serviceaccounts');
    const label = context.unique('static');
    const selector = { labelSelector: `test-serviceaccount-static=${label}` };
    const events = context.watch(accounts, selector);
    await accounts.create({
      metadata: { name: 'lifecycle', labels: { 'test-serviceaccount-static': label } },
    });
    expect((await events.next()).type).toBe('ADDED');
    await accounts.patch('lifecycle', { automountServiceAccountToken: false }, { type: 'strategic' });
    const modified = await events.next();
    expect([modified.type, modified.object.automountServiceAccountToken]).toEqual(['MODIFIED', false]);
    const everywhere = context.cluster.resource<ServiceAccount>('v1', 'serviceaccounts');
    const { items } = await everywhere.list(selector);
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['lifecycle']);
    await accounts.deleteCollection(selector);
    expect((await events.next()).type).toBe('DELETED');
  });

  spec('should update a ServiceAccount', async (context) => {
    const accounts = context.resource<ServiceAccount>('v1', 'serviceaccounts');
    const made = await accounts.create({
      metadata: { name: 'updated' },
      automountServiceAccountToken: false,
    });
    expect(made.automountServiceAccountToken).toBe(false);
    const updated = await accounts.modify('updated', (object) => {
      object.automountServiceAccountToken = true;
    });
    expect(updated.automountServiceAccountToken).toBe(true);
    expect((await accounts.get('updated')).automountServiceAccountToken).toBe(true);
  });
});
