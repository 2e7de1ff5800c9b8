import { expect } from 'vitest';
import type { ConfigMap, Pod } from '../../../../src/api/types.gen.ts';
import { refusal } from '../api-client.ts';
import { area } from '../area.ts';
import type { SpecContext } from '../spec-context.ts';
import { rule, WebhookServer } from './webhook-server.ts';

const V1 = 'admissionregistration.k8s.io/v1';
const UNWANTED = { 'webhook-e2e-test': 'webhook-disallow' };
const CONFIG_MAP_REFUSED = 'the configmap contains unwanted key and value';

const pod = (name: string, change: (pod: Pod) => void = () => {}): Pod => {
  const made: Pod = {
    metadata: { name },
    spec: { containers: [{ name: 'web', image: 'kedge.local/busybox:1' }] },
  };
  change(made);
  return made;
};

async function stages(context: SpecContext): Promise<WebhookServer> {
  const server = await WebhookServer.start(context);
  const rules = [rule(['CREATE'], 'configmaps')];
  await server.configure('mutating', [
    server.webhook('adding-configmap-data-stage-1.k8s.io', '/mutating-configmaps', { rules }),
    server.webhook('adding-configmap-data-stage-2.k8s.io', '/mutating-configmaps', { rules }),
  ]);
  return server;
}

const start = (name: string): ConfigMap => ({ metadata: { name }, data: { 'mutation-start': 'yes' } });

area('sig-api-machinery', 'AdmissionWebhook [Privileged:ClusterAdmin]', (spec) => {
  spec('should include webhook resources in discovery documents', async ({ cluster }) => {
    interface Group {
      name: string;
      versions: { groupVersion: string; version: string }[];
    }
    const { groups } = await cluster.get<{ groups: Group[] }>('/apis');
    const entry = { groupVersion: V1, version: 'v1' };
    const name = 'admissionregistration.k8s.io';
    expect(groups.find((one) => one.name === name)?.versions).toContainEqual(entry);
    expect((await cluster.get<Group>(`/apis/${name}`)).versions).toContainEqual(entry);
    const { resources } = await cluster.get<{ resources: { name: string }[] }>(`/apis/${V1}`);
    const names = resources.map((one) => one.name);
    expect(names).toEqual(
      expect.arrayContaining(['mutatingwebhookconfigurations', 'validatingwebhookconfigurations']),
    );
  });

  spec('should be able to deny pod and configmap creation', async (context) => {
    const server = await WebhookServer.start(context);
    await server.configure('validating', [
      server.webhook('deny-unwanted-pod-container-name-and-label.k8s.io', '/pods', {
        rules: [rule(['CREATE'], 'pods')],
        timeoutSeconds: 5,
      }),
      server.webhook('deny-unwanted-configmap-data.k8s.io', '/configmaps', {
        rules: [rule(['CREATE', 'UPDATE', 'DELETE'], 'configmaps')],
      }),
    ]);
    const disallowed = pod('disallowed-pod', ({ metadata, spec: pods }) => {
      metadata.labels = UNWANTED;
      if (pods?.containers[0]) pods.containers[0].name = 'webhook-disallow';
    });
    const denied = await refusal(context.pods.create(disallowed));
    expect(denied.status.message).toContain('the pod contains unwanted container name');
    expect(denied.status.message).toContain('the pod contains unwanted label');
    const hanging = pod('hanging-pod', ({ metadata }) => {
      metadata.labels = { 'webhook-e2e-test': 'wait-forever' };
    });
    const timedOut = await refusal(context.pods.create(hanging));
    expect(timedOut.status.message).toContain('deadline exceeded');
    expect(timedOut.code).toBe(500);
    expect(await context.pods.find('hanging-pod')).toBeUndefined();

    const refused = async (request: Promise<unknown>): Promise<void> =>
      expect((await refusal(request)).status.message).toContain(CONFIG_MAP_REFUSED);
    await refused(context.configMaps.create({ metadata: { name: 'disallowed-configmap' }, data: UNWANTED }));
    const allowed = await context.configMaps.create({
      metadata: { name: 'allowed-configmap' },
      data: { admit: 'this' },
    });
    await refused(context.configMaps.update({ ...allowed, data: UNWANTED }));
    await refused(context.configMaps.patch('allowed-configmap', { data: UNWANTED }, { type: 'strategic' }));
    // What the selector leaves out passes by.
    const elsewhere = await context.newNamespace();
    await context
      .resource<ConfigMap>('v1', 'configmaps', elsewhere)
      .create({ metadata: { name: 'disallowed-configmap' }, data: UNWANTED });
  });

  spec('should unconditionally reject operations on fail closed webhook', async (context) => {
    const server = await WebhookServer.start(context);
    const { namespace } = context;
    const clientConfig = {
      service: { namespace, name: 'e2e-test-webhook', path: '/configmaps', port: 8443 },
    };
    await server.configure('validating', [
      server.webhook('fail-closed.k8s.io', '/configmaps', {
        // Without its authority the webhook cannot be believed.
        clientConfig,
        failurePolicy: 'Fail',
        rules: [rule(['CREATE'], 'configmaps')],
      }),
    ]);
    const error = await refusal(context.configMaps.create({ metadata: { name: 'foo' } }));
    expect([error.code, error.reason]).toEqual([500, 'InternalError']);
    expect(error.status.message).toMatch(
      /failed calling webhook "fail-closed.k8s.io": failed to call webhook: Post "https:\/\/e2e-test-webhook\.[^ ]+\.svc:8443\/configmaps\?timeout=10s": tls: failed to verify certificate/,
    );
  });

  spec('should mutate configmap', async (context) => {
    await stages(context);
    const made = await context.configMaps.create(start('to-be-mutated'));
    expect(made.data).toEqual({
      'mutation-start': 'yes',
      'mutation-stage-1': 'yes',
      'mutation-stage-2': 'yes',
    });
  });

  spec('should mutate pod and apply defaults after mutation', async (context) => {
    const server = await WebhookServer.start(context);
    await server.configure('mutating', [
      server.webhook('adding-init-container.k8s.io', '/mutating-pods', { rules: [rule(['CREATE'], 'pods')] }),
    ]);
    const made = await context.pods.create(pod('webhook-to-be-mutated'));
    expect(made.spec?.initContainers).toHaveLength(1);
    expect(made.spec?.initContainers?.[0]).toMatchObject({
      name: 'webhook-added-init-container',
      terminationMessagePath: '/dev/termination-log',
    });
  });

  spec(
    'should not be able to mutate or prevent deletion of webhook configuration objects',
    async (context) => {
      const server = await WebhookServer.start(context);
      const resources = ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'];
      const rules = (operations: string[]): object[] => [
        { operations, apiGroups: ['admissionregistration.k8s.io'], apiVersions: ['*'], resources },
      ];
      await server.configure('validating', [
        server.webhook('deny-webhook-configuration-deletions.k8s.io', '/always-deny', {
          rules: rules(['DELETE']),
        }),
      ]);
      await server.configure('mutating', [
        server.webhook('add-label-to-webhook-configurations.k8s.io', '/add-label', {
          rules: rules(['CREATE']),
        }),
      ]);
      for (const kind of ['validating', 'mutating'] as const) {
        const name = await server.configure(kind, [
          server.webhook('dummy-webhook.k8s.io', '/always-deny', {
            // Matches nothing that there is.
            rules: [rule(['CREATE'], 'invalid', 'invalid', 'invalid')],
          }),
        ]);
        const made = await server.configurations(kind).get(name);
        expect(made.metadata.labels?.['added-label']).toBeUndefined();
        await server.configurations(kind).delete(name);
        expect(await server.configurations(kind).find(name)).toBeUndefined();
      }
    },
  );

  spec('should honor timeout', async (context) => {
    const server = await WebhookServer.start(context);
    const slow = async (more: object): Promise<() => Promise<unknown>> => {
      const name = await server.configure('validating', [
        server.webhook('allow-configmap-with-delay-webhook.k8s.io', '/always-allow-delay-5s', {
          rules: [rule(['CREATE'], 'configmaps')],
          ...more,
        }),
      ]);
      return async () => await server.configurations('validating').delete(name);
    };
    const create = async () =>
      await context.configMaps.create({ metadata: { name: context.unique('e2e-slow') } });
    let remove = await slow({ timeoutSeconds: 1, failurePolicy: 'Fail' });
    expect((await refusal(create())).status.message).toMatch(/context deadline exceeded|timeout/);
    await remove();
    remove = await slow({ timeoutSeconds: 1, failurePolicy: 'Ignore' });
    await create();
    await remove();
    remove = await slow({ timeoutSeconds: 10, failurePolicy: 'Fail' });
    await create();
    await remove();
    // Ten seconds, unless said otherwise.
    await slow({ failurePolicy: 'Fail' });
    await create();
  });

  spec('patching/updating a validating webhook should work', async (context) => {
    const server = await WebhookServer.start(context);
    const withRule = (operation: string): object[] => [rule([operation], 'configmaps')];
    const name = await server.configure('validating', [
      server.webhook('deny-unwanted-configmap-data.k8s.io', '/configmaps', { rules: withRule('CREATE') }),
    ]);
    const create = async () =>
      await context.configMaps.create({ metadata: { name: context.unique('unwanted') }, data: UNWANTED });
    expect((await refusal(create())).status.message).toContain(CONFIG_MAP_REFUSED);
    await server.configurations('validating').modify(name, ({ webhooks }) => {
      if (webhooks?.[0]) webhooks[0].rules = withRule('UPDATE');
    });
    await create();
    await server
      .configurations('validating')
      .patch(name, [{ op: 'replace', path: '/webhooks/0/rules/0/operations/0', value: 'CREATE' }], {
        type: 'json',
      });
    expect((await refusal(create())).status.message).toContain(CONFIG_MAP_REFUSED);
  });

  spec('patching/updating a mutating webhook should work', async (context) => {
    const server = await WebhookServer.start(context);
    const withRule = (operation: string): object[] => [rule([operation], 'configmaps')];
    const name = await server.configure('mutating', [
      server.webhook('adding-configmap-data-stage-1.k8s.io', '/mutating-configmaps', {
        rules: withRule('CREATE'),
      }),
    ]);
    const isMutated = async (): Promise<boolean> => {
      const { data } = await context.configMaps.create(start(context.unique('map')));
      return data?.['mutation-stage-1'] === 'yes';
    };
    await server.configurations('mutating').modify(name, ({ webhooks }) => {
      if (webhooks?.[0]) webhooks[0].rules = withRule('UPDATE');
    });
    expect(await isMutated()).toBe(false);
    await server
      .configurations('mutating')
      .patch(name, [{ op: 'replace', path: '/webhooks/0/rules/0/operations/0', value: 'CREATE' }], {
        type: 'json',
      });
    expect(await isMutated()).toBe(true);
  });

  spec('listing validating webhooks should work', async (context) => {
    const server = await WebhookServer.start(context);
    const label = context.unique('list');
    for (let count = 0; count < 10; count++)
      await server.configure(
        'validating',
        [
          server.webhook('deny-unwanted-configmap-data.k8s.io', '/configmaps', {
            rules: [rule(['CREATE'], 'configmaps')],
          }),
        ],
        { 'e2e-list-test-webhooks': label },
      );
    const selector = { labelSelector: `e2e-list-test-webhooks=${label}` };
    expect((await server.configurations('validating').list(selector)).items).toHaveLength(10);
    const create = async () =>
      await context.configMaps.create({ metadata: { name: context.unique('unwanted') }, data: UNWANTED });
    expect((await refusal(create())).status.message).toContain(CONFIG_MAP_REFUSED);
    await server.configurations('validating').deleteCollection(selector);
    await create();
  });

  spec('listing mutating webhooks should work', async (context) => {
    const server = await WebhookServer.start(context);
    const label = context.unique('list');
    for (let count = 0; count < 10; count++)
      await server.configure(
        'mutating',
        [
          server.webhook('adding-configmap-data-stage-1.k8s.io', '/mutating-configmaps', {
            rules: [rule(['CREATE'], 'configmaps')],
          }),
        ],
        { 'e2e-list-test-webhooks': label },
      );
    const selector = { labelSelector: `e2e-list-test-webhooks=${label}` };
    expect((await server.configurations('mutating').list(selector)).items).toHaveLength(10);
    const create = async () => (await context.configMaps.create(start(context.unique('map')))).data;
    expect(await create()).toMatchObject({ 'mutation-stage-1': 'yes' });
    await server.configurations('mutating').deleteCollection(selector);
    expect(await create()).toEqual({ 'mutation-start': 'yes' });
  });
});
