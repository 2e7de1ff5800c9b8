import { expect } from 'vitest';
import { refusal } from '../api-client.ts';
import { area } from '../area.ts';
import { establish, makeDefinition, objectsOf, type Schema, version } from '../custom-definitions.ts';
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

const PORTS: Schema = {
  type: 'array',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['containerPort', 'protocol'],
  items: {
    type: 'object',
    required: ['containerPort', 'protocol'],
    properties: {
      containerPort: { type: 'integer', format: 'int32' },
      hostIP: { type: 'string' },
      hostPort: { type: 'integer', format: 'int32' },
      name: { type: 'string' },
      protocol: { type: 'string' },
    },
  },
};
const PATTERN = '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$';
const SPEC: Schema = {
  type: 'object',
  properties: { foo: { type: 'string' }, cronSpec: { type: 'string', pattern: PATTERN }, ports: PORTS },
};
const withSpec = (spec: Schema): Schema => ({ type: 'object', properties: { spec } });

/** Applies YAML of a custom resource with strict validation; `spec` is indented by two. */
async function applyStrictly(
  context: SpecContext,
  schema: Schema | undefined,
  { meta = '', top = '', spec = '' }: { meta?: string; top?: string; spec?: string },
) {
  const definition = await establish(context, makeDefinition(context, [version('v1beta1', schema)]));
  const objects = objectsOf(context, definition);
  const body = `
apiVersion: ${definition.spec.group}/v1beta1
kind: ${definition.spec.names.kind}
metadata:
  name: mytest
${meta}  finalizers:
  - example.com/test-finalizer
${top}spec:
${spec}  cronSpec: "* * * * */5"
  ports:
  - name: x
    containerPort: 80
    protocol: TCP`;
  // What has a finalizer keeps its definition.
  context.defer(async () => await objects.patch('mytest', { metadata: { finalizers: null } }));
  return await context.cluster.api.raw('PATCH', `${objects.path}/mytest`, {
    body,
    contentType: 'application/apply-patch+yaml',
    query: { fieldManager: 'field_validation_mgr', fieldValidation: 'Strict' },
  });
}

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

  spec('should create/apply a valid CR for CRD with validation schema', async (context) => {
    const answer = await applyStrictly(context, withSpec(SPEC), { spec: '  foo: foo1\n' });
    expect(answer.code, answer.text).toBe(201);
  });

  spec('should create/apply a CR with unknown fields for CRD with no validation schema', async (context) => {
    const answer = await applyStrictly(context, undefined, { spec: '  unknown: uk1\n' });
    expect(answer.code, answer.text).toBe(201);
  });

  spec(
    'should create/apply an invalid CR with extra properties for CRD with validation schema',
    async (context) => {
      const parts = { top: 'unknownField: unknown\n', spec: '  foo: foo1\n' };
      const answer = await applyStrictly(context, withSpec(SPEC), parts);
      expect(answer.code).toBeGreaterThanOrEqual(400);
      expect(answer.text).toContain('.unknownField: field not declared in schema');
    },
  );

  spec(
    'should detect unknown metadata fields in both the root and embedded object of a CR',
    async (context) => {
      const template = {
        type: 'object',
        'x-kubernetes-embedded-resource': true,
        properties: {
          metadata: { type: 'object', properties: { name: { type: 'string' } } },
          spec: { type: 'object' },
        },
      };
      const schema = withSpec({
        ...SPEC,
        'x-kubernetes-preserve-unknown-fields': true,
        properties: { ...SPEC['properties'], template },
      });
      const embedded =
        '  template:\n    apiversion: foo/v1\n    kind: Sub\n    metadata:\n        unknownSubMeta: unknown\n        name: subobject\n';
      const answer = await applyStrictly(context, schema, {
        meta: '  unknownMeta: unknown\n',
        spec: `${embedded}  foo: foo1\n`,
      });
      expect(answer.code).toBeGreaterThanOrEqual(400);
      expect(answer.text).toMatch(
        /\.(spec\.template\.metadata\.unknownSubMeta|metadata\.unknownMeta): field not declared in schema/,
      );
    },
  );

  spec('should detect duplicates in a CR when preserving unknown fields', async (context) => {
    const schema = withSpec({ ...SPEC, 'x-kubernetes-preserve-unknown-fields': true });
    const answer = await applyStrictly(context, schema, {
      spec: '  unknown: uk1\n  foo: foo1\n  foo: foo2\n',
    });
    expect(answer.code).toBe(400);
    expect(answer.text).toContain('line 11: key \\"foo\\" already set in map');
  });
});
