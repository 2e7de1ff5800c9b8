import { expect } from 'vitest';
import { refusal } from '../api-client.ts';
import { area } from '../area.ts';
import type { SpecContext } from '../spec-context.ts';
import { rule, WebhookServer } from './webhook-server.ts';

type Kind = 'mutating' | 'validating';

async function createAndUpdate(context: SpecContext, kind: Kind): Promise<void> {
  const server = await WebhookServer.start(context);
  const conditions = [{ name: 'expression-1', expression: 'object.metadata.namespace == "production"' }];
  const name = await server.configure(kind, [
    server.webhook('match-condition.k8s.io', '/always-deny', {
      rules: [rule(['CREATE'], 'configmaps')],
      matchConditions: conditions,
    }),
  ]);
  const configurations = server.configurations(kind);
  expect((await configurations.get(name)).webhooks?.[0]?.matchConditions).toEqual(conditions);
  const updated = [{ name: 'expression-1', expression: 'object.metadata.namespace == "staging"' }];
  await configurations.modify(name, ({ webhooks }) => {
    if (webhooks?.[0]) webhooks[0].matchConditions = updated;
  });
  expect((await configurations.get(name)).webhooks?.[0]?.matchConditions).toEqual(updated);
}

async function rejectInvalid(context: SpecContext, kind: Kind): Promise<void> {
  const server = await WebhookServer.start(context);
  const webhook = server.webhook('match-condition.k8s.io', '/always-deny', {
    rules: [rule(['CREATE'], 'configmaps')],
    matchConditions: [{ name: 'invalid-expression-1', expression: '... ' }],
  });
  const error = await refusal(server.configure(kind, [webhook]));
  expect([error.code, error.reason]).toEqual([422, 'Invalid']);
  expect(error.status.message).toContain('compilation failed');
  expect(error.status.details?.causes?.[0]?.field).toBe('webhooks[0].matchConditions[0].expression');
}

area('sig-api-machinery', 'AdmissionWebhook [Privileged:ClusterAdmin]', (spec) => {
  spec(
    'should be able to create and update validating webhook configurations with match conditions',
    (context) => createAndUpdate(context, 'validating'),
  );
  spec(
    'should be able to create and update mutating webhook configurations with match conditions',
    (context) => createAndUpdate(context, 'mutating'),
  );
  spec('should reject validating webhook configurations with invalid match conditions', (context) =>
    rejectInvalid(context, 'validating'),
  );
  spec('should reject mutating webhook configurations with invalid match conditions', (context) =>
    rejectInvalid(context, 'mutating'),
  );

  spec("should mutate everything except 'skip-me' configmaps", async (context) => {
    const server = await WebhookServer.start(context);
    await server.configure('mutating', [
      server.webhook('adding-configmap-data-stage-1.k8s.io', '/mutating-configmaps', {
        rules: [rule(['CREATE'], 'configmaps')],
        matchConditions: [{ name: 'skip-me', expression: "object.metadata.name != 'skip-me'" }],
      }),
    ]);
    const create = async (name: string) =>
      (await context.configMaps.create({ metadata: { name }, data: { 'mutation-start': 'yes' } })).data;
    expect(await create('skip-me')).toEqual({ 'mutation-start': 'yes' });
    expect(await create('other')).toEqual({ 'mutation-start': 'yes', 'mutation-stage-1': 'yes' });
  });
});
