import { expect } from 'vitest';
import { refusal } from '../api-client.ts';
import { area } from '../area.ts';
import type { SpecContext } from '../spec-context.ts';

const deployment = (metadata: string, spec: string): string => `{
  "apiVersion": "apps/v1",
  "kind": "Deployment",
  "metadata": { "name": "strict", ${metadata} "labels": { "app": "web" } },
  "spec": {
    ${spec}
    "selector": { "matchLabels": { "app": "web" } },
    "template": {
      "metadata": { "labels": { "app": "web" } },
      "spec": { "containers": [{ "name": "web", "image": "web:latest" }] }
    }
  }
}`;

const create = ({ cluster, deployments }: SpecContext, body: string, fieldValidation: string) =>
  cluster.api.raw('POST', deployments.path, {
    body,
    query: { fieldManager: 'field_validation_mgr', fieldValidation, dryRun: 'All' },
  });

area('sig-api-machinery', 'FieldValidation', (spec) => {
  spec('should detect unknown and duplicate fields of a typed object', async (context) => {
    const body = deployment('', '"unknownField": "foo", "replicas": 2, "replicas": 3,');
    const strict = { query: { fieldManager: 'field_validation_mgr', fieldValidation: 'Strict' }, body };
    const error = await refusal(context.cluster.api.json('POST', context.deployments.path, strict));
    expect(error.code).toBe(400);
    expect(error.reason).toBe('BadRequest');
    expect(error.status.message).toContain(
      'strict decoding error: unknown field "spec.unknownField", duplicate field "spec.replicas"',
    );
    const warned = await create(context, body, 'Warn');
    expect(warned.code).toBe(201);
    expect(warned.headers['warning']).toBe(
      '299 - "unknown field \\"spec.unknownField\\"", 299 - "duplicate field \\"spec.replicas\\""',
    );
    expect((await create(context, body, 'Ignore')).headers['warning']).toBeUndefined();
  });

  spec('should detect unknown metadata fields of a typed object', async (context) => {
    const body = deployment('"unknownMeta": "foo",', '');
    const answer = await create(context, body, 'Strict');
    expect(answer.code).toBe(400);
    expect(answer.text).toContain('strict decoding error: unknown field \\"metadata.unknownMeta\\"');
  });
});
