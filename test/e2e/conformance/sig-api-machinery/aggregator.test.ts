import { expect } from 'vitest';
import type { APIService, ConfigMap } from '../../../../src/api/types.gen.ts';
import { startExtensionServer } from '../../../fixtures/extension-server.ts';
import { refusal } from '../api-client.ts';
import { area } from '../area.ts';
import type { KubeObject } from '../resource-client.ts';
import type { SpecContext } from '../spec-context.ts';
import { certify, ownAddress, serviceTo } from './webhook-server.ts';

const V1 = 'apiregistration.k8s.io/v1';
const SERVICE = 'sample-api';

interface Sample {
  readonly group: string;
  readonly caBundle: string;
}

/** An API server beside this one, which learns whom to believe as all of them do. */
async function startSample(context: SpecContext): Promise<Sample> {
  const group = `${context.unique('wardle')}.example.com`;
  const { data } = await context
    .resource<ConfigMap>('v1', 'configmaps', 'kube-system')
    .get('extension-apiserver-authentication');
  const [allowedName = ''] = JSON.parse(data?.['requestheader-allowed-names'] ?? '[]') as string[];
  const { ca, cert, key } = certify(SERVICE, context.namespace);
  const server = await startExtensionServer({
    cert,
    key,
    requestHeaderCa: data?.['requestheader-client-ca-file'] ?? '',
    allowedName,
    host: ownAddress(),
    group,
  });
  context.defer(() => server.close());
  await serviceTo(context, SERVICE, server.port);
  return { group, caBundle: Buffer.from(ca).toString('base64') };
}

area('sig-api-machinery', 'Aggregator', (spec) => {
  spec(
    'Should be able to support the 1.17 Sample API Server using the current Aggregator [LinuxOnly]',
    async (context) => {
      const { group, caBundle } = await startSample(context);
      const { cluster, namespace } = context;
      const services = cluster.resource<APIService>(V1, 'apiservices');
      const name = `v1alpha1.${group}`;
      const label = context.unique('e2e-apiservice');
      await services.create({
        metadata: { name },
        spec: {
          service: { namespace, name: SERVICE, port: 8443 },
          group,
          version: 'v1alpha1',
          caBundle,
          groupPriorityMinimum: 2000,
          versionPriority: 200,
        },
      });
      context.defer(async () => await services.delete(name));
      const available = async (): Promise<boolean> =>
        (await services.get(name)).status?.conditions?.some(
          ({ type, status }) => type === 'Available' && status === 'True',
        ) ?? false;
      await context.until('the API service to be available', available);

      const flunders = context.resource<KubeObject>(`${group}/v1alpha1`, 'flunders');
      const flunder = (of: string): KubeObject => ({
        apiVersion: `${group}/v1alpha1`,
        kind: 'Flunder',
        metadata: { name: of, labels: { 'sample-label': 'true' } },
      });
      const made = await cluster.api.raw('POST', flunders.path, { body: flunder('rest-flunder') });
      expect(made.code).toBe(201);
      expect((await flunders.list()).items.map(({ metadata }) => metadata.name)).toEqual(['rest-flunder']);
      await flunders.delete('rest-flunder');
      expect((await flunders.list()).items).toEqual([]);

      // What clients that know nothing of the kind go by.
      interface List {
        resources: { name: string; kind: string; namespaced: boolean }[];
      }
      const { resources } = await cluster.get<List>(`/apis/${group}/v1alpha1`);
      expect(resources).toContainEqual(expect.objectContaining({ name: 'flunders', namespaced: true }));
      const { groups } = await cluster.get<{ groups: { name: string; preferredVersion: object }[] }>('/apis');
      expect(groups.find((one) => one.name === group)?.preferredVersion).toEqual({
        groupVersion: `${group}/v1alpha1`,
        version: 'v1alpha1',
      });
      const events = context.watch(flunders);
      await context.ok(['create', '-f', '-'], JSON.stringify(flunder('dynamic-flunder')));
      expect((await events.next()).object.metadata.name).toBe('dynamic-flunder');
      expect(await context.ok(['get', `flunders.${group}`, '-o', 'name'])).toBe(
        `flunder.${group}/dynamic-flunder\n`,
      );
      await context.ok(['delete', `flunders.${group}`, 'dynamic-flunder']);
      expect((await events.next()).type).toBe('DELETED');
      expect((await refusal(flunders.get('dynamic-flunder'))).code).toBe(404);

      expect((await services.get(name, 'status')).status?.conditions?.[0]).toMatchObject({
        type: 'Available',
        status: 'True',
        reason: 'Passed',
        message: 'all checks passed',
      });
      await context.ok([
        'patch',
        'apiservice',
        name,
        '--type=merge',
        '-p',
        '{"spec":{"versionPriority":400}}',
      ]);
      const listed = (await services.list()).items.find(({ metadata }) => metadata.name === name);
      expect(listed?.spec?.versionPriority).toBe(400);
      const labelled = await services.patch(name, { metadata: { labels: { [label]: 'patched' } } });
      expect(labelled.metadata.labels?.[label]).toBe('patched');
      const condition = { type: 'StatusUpdated', status: 'True', reason: 'E2E', message: 'Set by e2e test' };
      await services.modify(
        name,
        (object) => {
          object.status = { conditions: [...(object.status?.conditions ?? []), condition] };
        },
        'status',
      );
      expect((await services.get(name, 'status')).status?.conditions).toContainEqual(condition);
      const replaced = await services.modify(name, ({ metadata }) => {
        metadata.labels = { ...metadata.labels, [label]: 'updated' };
      });
      expect(replaced.metadata.labels?.[label]).toBe('updated');
      expect(await available()).toBe(true);

      await services.deleteCollection({ labelSelector: `${label}=updated` });
      expect(await services.find(name)).toBeUndefined();
      expect((await refusal(flunders.list())).code).toBe(404);
    },
  );
});
