import { expect } from 'vitest';
import { refusal } from '../api-client.ts';
import { area } from '../area.ts';
import type { KubeObject, ResourceClient } from '../resource-client.ts';
import type { SpecContext } from '../spec-context.ts';
import { rule, WebhookServer } from './webhook-server.ts';

interface Custom extends KubeObject {
  data?: Record<string, string>;
  dummy?: string;
}
interface Definition extends KubeObject {
  spec: { versions: object[]; [field: string]: unknown };
  status?: { conditions?: { type: string; status: string }[] };
}

const ANYTHING = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
const version = (name: string, storage: boolean, schema: object = ANYTHING): object => ({
  name,
  served: true,
  storage,
  schema: { openAPIV3Schema: schema },
});

/** A CustomResourceDefinition of the spec's own; resolves with its group once it is established. */
async function define(context: SpecContext, versions: readonly object[]): Promise<string> {
  const group = `${context.unique('webhook')}.example.com`;
  const definitions = context.cluster.resource<Definition>(
    'apiextensions.k8s.io/v1',
    'customresourcedefinitions',
  );
  const name = `e2e-crds.${group}`;
  await definitions.create({
    metadata: { name },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'e2e-crds', singular: 'e2e-crd', kind: 'E2eCrd', listKind: 'E2eCrdList' },
      versions: [...versions],
    },
  });
  context.defer(async () => await definitions.delete(name));
  await context.until('the definition to be established', async () => {
    const { status } = await definitions.get(name);
    return status?.conditions?.some((one) => one.type === 'Established' && one.status === 'True');
  });
  return group;
}

const START = { 'mutation-start': 'yes' };

async function stages(context: SpecContext, group: string): Promise<void> {
  const server = await WebhookServer.start(context);
  const rules = [rule(['CREATE', 'UPDATE'], 'e2e-crds', group)];
  await server.configure('mutating', [
    server.webhook('mutate-custom-resource-data-stage-1.k8s.io', '/mutating-custom-resource', { rules }),
    server.webhook('mutate-custom-resource-data-stage-2.k8s.io', '/mutating-custom-resource', { rules }),
  ]);
}

const clientOf = (context: SpecContext, group: string, of = 'v1'): ResourceClient<Custom> =>
  context.resource<Custom>(`${group}/${of}`, 'e2e-crds');
const custom = (group: string, name: string, data: Record<string, string>): Custom => ({
  apiVersion: `${group}/v1`,
  kind: 'E2eCrd',
  metadata: { name },
  data,
});

area('sig-api-machinery', 'AdmissionWebhook [Privileged:ClusterAdmin]', (spec) => {
  spec('should be able to deny custom resource creation, update and deletion', async (context) => {
    const group = await define(context, [version('v1', true)]);
    const server = await WebhookServer.start(context);
    await server.configure('validating', [
      server.webhook('deny-unwanted-custom-resource-data.k8s.io', '/custom-resource', {
        rules: [rule(['CREATE', 'UPDATE', 'DELETE'], 'e2e-crds', group)],
      }),
    ]);
    const resource = clientOf(context, group);
    const key = 'webhook-e2e-test';
    const created = resource.create(custom(group, 'cr-instance-1', { [key]: 'webhook-disallow' }));
    expect((await refusal(created)).status.message).toContain('the custom resource contains unwanted data');
    await resource.create(custom(group, 'cr-instance-2', { [key]: 'webhook-nondeletable' }));
    const updated = resource.modify('cr-instance-2', (object) => {
      object.data = { [key]: 'webhook-disallow' };
    });
    expect((await refusal(updated)).status.message).toContain('the custom resource contains unwanted data');
    expect((await refusal(resource.delete('cr-instance-2'))).status.message).toContain(
      'the custom resource cannot be deleted because it contains unwanted key and value',
    );
    await resource.modify('cr-instance-2', (object) => {
      object.data = {};
    });
    await resource.delete('cr-instance-2');
    expect(await resource.find('cr-instance-2')).toBeUndefined();
  });

  spec('should mutate custom resource', async (context) => {
    const group = await define(context, [version('v1', true)]);
    await stages(context, group);
    const made = await clientOf(context, group).create(custom(group, 'cr-instance-1', START));
    expect(made.data).toEqual({ ...START, 'mutation-stage-1': 'yes', 'mutation-stage-2': 'yes' });
  });

  spec('should mutate custom resource with pruning', async (context) => {
    const text = { type: 'string' };
    const properties = { 'mutation-start': text, 'mutation-stage-1': text };
    const schema = { type: 'object', properties: { data: { type: 'object', properties } } };
    const group = await define(context, [version('v1', true, schema)]);
    await stages(context, group);
    const made = await clientOf(context, group).create(custom(group, 'cr-instance-1', START));
    // The second stage adds what the schema does not know.
    expect(made.data).toEqual({ ...START, 'mutation-stage-1': 'yes' });
  });

  spec('should mutate custom resource with different stored version', async (context) => {
    const group = await define(context, [version('v1', true), version('v2', false)]);
    await stages(context, group);
    await clientOf(context, group).create(custom(group, 'cr-instance-1', START));
    const definitions = context.cluster.resource<Definition>(
      'apiextensions.k8s.io/v1',
      'customresourcedefinitions',
    );
    await definitions.patch(`e2e-crds.${group}`, {
      spec: { versions: [version('v1', false), version('v2', true)] },
    });
    const patch = [{ op: 'add', path: '/dummy', value: 'test' }];
    // While the definition changes its resource may be away for a moment.
    const mutated = await context.until('the resource to be back', async () =>
      clientOf(context, group)
        .patch('cr-instance-1', patch, { type: 'json' })
        .catch(() => undefined),
    );
    expect(mutated.data).toEqual({ ...START, 'mutation-stage-1': 'yes', 'mutation-stage-2': 'yes' });
    expect(mutated.dummy).toBe('test');
    expect((await clientOf(context, group, 'v2').get('cr-instance-1')).data).toEqual(mutated.data);
  });

  spec('should deny crd creation', async (context) => {
    const server = await WebhookServer.start(context);
    const label = context.unique('crd');
    await server.configure('validating', [
      server.webhook('deny-crd-with-unwanted-label.k8s.io', '/crd', {
        rules: [rule(['CREATE'], 'customresourcedefinitions', 'apiextensions.k8s.io', '*')],
        objectSelector: { matchLabels: { 'e2e-test': label } },
        namespaceSelector: {},
      }),
    ]);
    const group = `${label}.example.com`;
    const created = context.cluster
      .resource<Definition>('apiextensions.k8s.io/v1', 'customresourcedefinitions')
      .create({
        metadata: {
          name: `tests.${group}`,
          labels: { 'webhook-e2e-test': 'webhook-disallow', 'e2e-test': label },
        },
        spec: {
          group,
          scope: 'Cluster',
          names: { plural: 'tests', singular: 'test', kind: 'Test', listKind: 'TestList' },
          versions: [version('v1', true)],
        },
      });
    expect((await refusal(created)).status.message).toContain('the crd contains unwanted label');
  });
});
