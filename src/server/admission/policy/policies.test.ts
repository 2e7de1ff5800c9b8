import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as resources from '../../../api/resources.gen.ts';
import { ApiError } from '../../../api/status.ts';
import type {
  ConfigMap,
  Deployment,
  MutatingAdmissionPolicySpec,
  NamedRuleWithOperations,
  ValidatingAdmissionPolicyBindingSpec,
  ValidatingAdmissionPolicySpec,
} from '../../../api/types.gen.ts';
import type { Client } from '../../../client/port.ts';
import type { ApiServer } from '../../api-server.ts';
import { startTestServer } from '../../test-server.fake.ts';
import type { AdmissionPlugin } from '../port.ts';
import { mutatingAdmissionPolicy } from './mutating.ts';
import { validatingAdmissionPolicy } from './validating.ts';

let server: ApiServer;
let client: Client;
let later: AdmissionPlugin['mutate'];
let annotations: Record<string, string>;
let warnings: string[];

beforeEach(async () => {
  later = undefined;
  annotations = {};
  warnings = [];
  ({ server } = await startTestServer({
    allow: (user, verb) => user.name !== 'weak' && verb !== 'frobnicate',
    admission: (context) => [
      mutatingAdmissionPolicy(context),
      { name: 'Later', mutate: (attributes) => later?.(attributes) },
      spy(validatingAdmissionPolicy(context)),
    ],
  }));
  client = server.client({ name: 'tester', groups: ['testers'] });
});
afterEach(() => server.close());

/** Lets the test see warnings and audit annotations. */
function spy(plugin: AdmissionPlugin): AdmissionPlugin {
  return {
    ...plugin,
    validate: (attributes) =>
      plugin.validate?.({
        ...attributes,
        warn: (text) => warnings.push(text),
        annotate: (key, value) => {
          annotations[key] = value;
        },
      }),
  };
}

const rule = (resource: string, more: Partial<NamedRuleWithOperations> = {}): NamedRuleWithOperations => ({
  operations: ['CREATE', 'UPDATE'],
  apiGroups: ['*'],
  apiVersions: ['*'],
  resources: [resource],
  ...more,
});

async function validating(
  name: string,
  spec: Partial<ValidatingAdmissionPolicySpec>,
  binding: Partial<ValidatingAdmissionPolicyBindingSpec> | undefined = {},
): Promise<void> {
  await client.create(resources.validatingAdmissionPolicies, {
    metadata: { name },
    spec: { matchConstraints: { resourceRules: [rule('configmaps')] }, ...spec },
  });
  await client.create(resources.validatingAdmissionPolicyBindings, {
    metadata: { name: `${name}-binding` },
    spec: { policyName: name, validationActions: ['Deny'], ...binding },
  });
}

async function mutating(
  name: string,
  spec: Partial<MutatingAdmissionPolicySpec>,
  binding: object = {},
): Promise<void> {
  await client.create(resources.mutatingAdmissionPolicies, {
    metadata: { name },
    spec: {
      matchConstraints: { resourceRules: [rule('configmaps')] },
      reinvocationPolicy: 'Never',
      ...spec,
    },
  });
  await client.create(resources.mutatingAdmissionPolicyBindings, {
    metadata: { name: `${name}-binding` },
    spec: { policyName: name, ...binding },
  });
}

const map = (
  name: string,
  data: Record<string, string> = {},
  labels?: Record<string, string>,
): ConfigMap => ({
  metadata: { name, namespace: 'default', ...(labels ? { labels } : {}) },
  data,
});
const create = (name: string, data?: Record<string, string>, labels?: Record<string, string>) =>
  client.create(resources.configMaps, map(name, data, labels));
const apply = (expression: string) => ({
  patchType: 'ApplyConfiguration',
  applyConfiguration: { expression },
});
const jsonPatch = (expression: string) => ({ patchType: 'JSONPatch', jsonPatch: { expression } });
async function refusal(work: Promise<unknown>): Promise<ApiError['status']> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(error instanceof ApiError)) throw new Error(`no refusal: ${String(error)}`);
  return error.status;
}

describe('ValidatingAdmissionPolicy', () => {
  it('refuses in upstream words', async () => {
    await validating('short', {
      validations: [{ expression: 'size(object.data) < 2' }],
    });
    await create('one', { a: '1' });
    const status = await refusal(create('two', { a: '1', b: '2' }));
    const message = `ValidatingAdmissionPolicy 'short' with binding 'short-binding' denied request: failed expression: size(object.data) < 2`;
    expect(status).toMatchObject({
      code: 422,
      reason: 'Invalid',
      message: `configmaps "two" is forbidden: ${message}`,
      details: { name: 'two', kind: 'configmaps', causes: [{ message }] },
    });
    const update = client.update(resources.configMaps, map('one', { a: '1', b: '2' }));
    expect((await refusal(update)).code).toBe(422);
  });

  it('takes messages and reasons from the policy', async () => {
    await validating('said', {
      variables: [
        { name: 'count', expression: 'size(object.data)' },
        { name: 'tooMany', expression: 'variables.count > 1' },
      ],
      validations: [
        { expression: 'true', message: 'never said' },
        {
          expression: '!variables.tooMany',
          message: 'fixed',
          messageExpression: '"at most one, not " + string(variables.count)',
          reason: 'Forbidden',
        },
      ],
    });
    expect(await refusal(create('two', { a: '1', b: '2' }))).toMatchObject({
      code: 403,
      reason: 'Forbidden',
      message: expect.stringContaining('denied request: at most one, not 2'),
    });
    // What a messageExpression cannot say, the message does.
    await validating('unsaid', {
      validations: [
        { expression: 'false', message: ' fixed ', messageExpression: 'object.data.missing + "x"' },
      ],
    });
    expect((await refusal(create('one', { a: '1' }))).message).toContain(
      "'unsaid-binding' denied request: fixed",
    );
  });

  it('sees old objects, the request, the namespace and who may do what', async () => {
    const validation = (expression: string) => ({ expression, message: expression });
    await validating('seen', {
      matchConstraints: { resourceRules: [rule('configmaps', { operations: ['UPDATE', 'DELETE'] })] },
      validations: [
        validation('request.operation == "DELETE" ? object == null : object.data.a >= oldObject.data.a'),
        validation('request.userInfo.username == "tester" && "testers" in request.userInfo.groups'),
        validation('request.resource.resource == "configmaps" && request.kind.kind == "ConfigMap"'),
        validation('request.namespace == "default" && namespaceObject.metadata.name == "default"'),
        validation('!has(request.dryRun) || !request.dryRun'),
        validation('authorizer.group("").resource("pods").namespace("default").check("get").allowed()'),
        validation('!authorizer.requestResource.check("frobnicate").allowed()'),
        validation('authorizer.serviceAccount("default", "x").path("/healthz").check("get").allowed()'),
      ],
    });
    await create('a', { a: '2' });
    await client.update(resources.configMaps, map('a', { a: '3' }));
    expect((await refusal(client.update(resources.configMaps, map('a', { a: '1' })))).message).toContain(
      'object.data.a >= oldObject.data.a',
    );
    await client.delete(resources.configMaps, { name: 'a', namespace: 'default' });
  });

  it('warns and writes to the audit log where the binding says so', async () => {
    await validating(
      'told',
      {
        validations: [{ expression: 'false', message: 'no' }],
        auditAnnotations: [
          { key: 'size', valueExpression: '"has " + string(size(object.data))' },
          { key: 'nothing', valueExpression: 'size(object.data) > 5 ? "many" : ""' },
          { key: 'none', valueExpression: 'null' },
        ],
      },
      { validationActions: ['Warn', 'Audit'] },
    );
    await create('a', { x: '1' });
    expect(warnings).toEqual([
      "Validation failed for ValidatingAdmissionPolicy 'told' with binding 'told-binding': no",
    ]);
    expect(annotations).toEqual({
      'told/size': 'has 1',
      'validation.policy.admission.k8s.io/validation_failure': JSON.stringify([
        {
          message: 'no',
          policy: 'told',
          binding: 'told-binding',
          expressionIndex: 0,
          validationActions: ['Warn', 'Audit'],
        },
      ]),
    });
  });

  it('applies where its rules, names, selectors and conditions say', async () => {
    await validating(
      'picky',
      {
        matchConstraints: {
          resourceRules: [rule('configmaps')],
          excludeResourceRules: [rule('configmaps', { resourceNames: ['spared'] })],
          objectSelector: { matchLabels: { strict: 'yes' } },
        },
        matchConditions: [{ name: 'not-skipped', expression: '!has(object.data.skip)' }],
        validations: [{ expression: 'false', message: 'no' }],
      },
      {
        matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } } },
      },
    );
    const strict = { strict: 'yes' };
    await create('plain', { a: '1' });
    await create('spared', { a: '1' }, strict);
    await create('skipping', { skip: '1' }, strict);
    await client.create(resources.namespaces, { metadata: { name: 'else' } });
    await client.create(resources.configMaps, {
      ...map('a', {}, strict),
      metadata: { name: 'a', namespace: 'else', labels: strict },
    });
    expect((await refusal(create('caught', { a: '1' }, strict))).message).toContain('denied request: no');
  });

  it('reads parameters', async () => {
    const params = (name: string, data: Record<string, string>, labels?: Record<string, string>) =>
      client.create(resources.configMaps, {
        metadata: { name, namespace: 'kube-system', ...(labels ? { labels } : {}) },
        data,
      });
    await params('strict', { limit: '1' });
    await validating(
      'limits',
      {
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        matchConstraints: { resourceRules: [rule('secrets')] },
        validations: [
          {
            expression: 'size(object.data) <= int(params.data.limit)',
            messageExpression: '"at most " + params.data.limit',
          },
        ],
      },
      { paramRef: { name: 'strict', namespace: 'kube-system', parameterNotFoundAction: 'Deny' } },
    );
    const secret = (name: string, ...keys: string[]) =>
      client.create(resources.secrets, {
        metadata: { name, namespace: 'default' },
        data: Object.fromEntries(keys.map((key) => [key, ''])),
      });
    await secret('one', 'a');
    expect((await refusal(secret('two', 'a', 'b'))).message).toContain('denied request: at most 1');
    await client.delete(resources.configMaps, { name: 'strict', namespace: 'kube-system' });
    expect((await refusal(secret('two', 'a'))).message).toContain(
      'failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction',
    );
    await params('by-label-1', { limit: '5' }, { for: 'secrets' });
    await params('by-label-2', { limit: '2' }, { for: 'secrets' });
    await client.patch(
      resources.validatingAdmissionPolicyBindings,
      { name: 'limits-binding' },
      {
        type: 'merge',
        body: { spec: { paramRef: { name: null, selector: { matchLabels: { for: 'secrets' } } } } },
      },
    );
    await secret('two', 'a', 'b');
    expect((await refusal(secret('three', 'a', 'b', 'c'))).message).toContain('at most 2');
  });

  it('fails closed or open when an expression fails', async () => {
    const validations = [{ expression: 'object.data.missing == "x"' }];
    await validating('open', { validations, failurePolicy: 'Ignore' });
    await create('a', {});
    await validating('closed', { validations });
    expect((await refusal(create('b', { a: '1' }))).message).toContain(
      `expression 'object.data.missing == "x"' resulted in error: no such key: missing`,
    );
    await client.delete(resources.validatingAdmissionPolicyBindings, { name: 'closed-binding' });
    await create('b', { a: '1' });
    await validating('unknown', {
      validations: [{ expression: 'true' }],
      paramKind: { apiVersion: 'example.com/v1', kind: 'Limit' },
    });
    expect((await refusal(create('c', { a: '1' }))).message).toContain(
      "ValidatingAdmissionPolicy 'unknown' denied request: failed to configure policy: failed to find resource referenced by paramKind: 'example.com/v1, Kind=Limit'",
    );
  });

  it('ends expressions that cost too much', async () => {
    const many = '[1,2,3,4,5,6,7,8,9,10]';
    await validating('costly', {
      validations: [
        {
          expression: `${many}.all(a, ${many}.all(b, ${many}.all(c, ${many}.all(d, ${many}.all(e, ${many}.all(f, a + b + c + d + e + f > 0))))))`,
        },
      ],
    });
    expect((await refusal(create('a', {}))).message).toContain(
      'resulted in error: operation cancelled: actual cost limit exceeded',
    );
  });

  it('never intercepts policies and reviews', async () => {
    await validating('everything', {
      matchConstraints: { resourceRules: [rule('*/*', { operations: ['*'] })] },
      validations: [{ expression: 'false', message: 'locked' }],
    });
    expect((await refusal(create('a'))).message).toContain('locked');
    // Nobody answers reviews in this test; that is as far as this one is to come.
    const review = client.create(resources.subjectAccessReviews, {
      metadata: {},
      spec: { user: 'x', nonResourceAttributes: { path: '/', verb: 'get' } },
    });
    expect((await refusal(review)).message).toContain('no reviews here');
    await client.delete(resources.validatingAdmissionPolicies, { name: 'everything' });
    await create('a');
  });

  it('holds status, scale and connections to it, too', async () => {
    await validating('scales', {
      matchConstraints: { resourceRules: [rule('deployments/scale')] },
      validations: [
        { expression: 'object.kind == "Scale" && object.spec.replicas <= 3', message: 'too many' },
      ],
    });
    await client.create(resources.deployments, deployment('web'));
    const scale = (replicas: number) =>
      client.patch(
        resources.deployments,
        { name: 'web', namespace: 'default' },
        { type: 'merge', body: { spec: { replicas } } },
        { subresource: 'scale' },
      );
    await scale(2);
    expect((await refusal(scale(4))).message).toContain('too many');
  });
});

const deployment = (name: string): Deployment => ({
  metadata: { name, namespace: 'default' },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'main', image: 'busybox:1', env: [{ name: 'A', value: '1' }] }] },
    },
  },
});

describe('MutatingAdmissionPolicy', () => {
  it('lays a configuration over the object, lists by their keys', async () => {
    await mutating('sidecar', {
      matchConstraints: { resourceRules: [rule('deployments')] },
      variables: [{ name: 'image', expression: '"sidecar:" + object.metadata.name' }],
      mutations: [
        apply(`Object{
          metadata: Object.metadata{labels: {"mutated": "yes"}, annotations: {"by": request.userInfo.username}},
          spec: Object.spec{
            replicas: object.spec.replicas + 1,
            template: Object.spec.template{spec: Object.spec.template.spec{
              containers: [Object.spec.template.spec.containers{name: "side", image: variables.image}]
            }}
          }
        }`),
      ],
    });
    const made = await client.create(resources.deployments, deployment('web'));
    expect(made.metadata).toMatchObject({ labels: { mutated: 'yes' }, annotations: { by: 'tester' } });
    expect(made.spec?.replicas).toBe(2);
    expect(made.spec?.template.spec?.containers).toMatchObject([
      { name: 'main', image: 'busybox:1', env: [{ name: 'A', value: '1' }] },
      // Defaults of the kind come after the mutation.
      { name: 'side', image: 'sidecar:web', imagePullPolicy: 'IfNotPresent' },
    ]);
  });

  it('applies JSON patches; a failed test means that there is nothing to do', async () => {
    await mutating('patched', {
      mutations: [
        jsonPatch(`[
          JSONPatch{op: "test", path: "/data/a", value: "1"},
          JSONPatch{op: "add", path: "/data/" + jsonpatch.escapeKey("x.y"), value: "new"},
          JSONPatch{op: "add", path: "/metadata/annotations", value: {}},
          JSONPatch{op: "add", path: "/metadata/annotations/" + jsonpatch.escapeKey("x/y"), value: "new"},
          JSONPatch{op: "add", path: "/metadata/labels", value: Object.metadata.labels{team: "a"}}
        ]`),
        jsonPatch(
          'object.data.a == "1" ? [JSONPatch{op: "replace", path: "/data/a", value: object.data.b}] : []',
        ),
      ],
    });
    const made = await create('a', { a: '1', b: '2' });
    expect(made.data).toEqual({ a: '2', b: '2', 'x.y': 'new' });
    expect(made.metadata).toMatchObject({ labels: { team: 'a' }, annotations: { 'x/y': 'new' } });
    expect((await create('b', { a: '7' })).data).toEqual({ a: '7' });
  });

  it('says what is wrong with a mutation, or leaves the object alone', async () => {
    const failing: [string, object, string][] = [
      ['missing', jsonPatch('[JSONPatch{op: "remove", path: "/data/zzz"}]'), 'JSON Patch: '],
      [
        'error',
        apply('Object{data: object.nope}'),
        "expression 'Object{data: object.nope}' resulted in error: no such key: nope",
      ],
      [
        'names',
        apply('Object{metadata: Object.data{x: "y"}}'),
        'type mismatch: unexpected type name "Object.data", expected "Object.metadata", which matches field name path from root Object type',
      ],
      [
        'unknown',
        apply('Object{spec: Object.spec{x: 1}}'),
        'error applying patch: failed to convert patch object to typed object',
      ],
    ];
    for (const [name, mutation, message] of failing) {
      await mutating(name, { mutations: [mutation as never] });
      const status = await refusal(create('a', { a: '1' }));
      expect(status.message).toContain(
        `policy '${name}' with binding '${name}-binding' denied request: ${message}`,
      );
      expect(status).toMatchObject({ reason: 'Invalid', details: { causes: [{ message: status.message }] } });
      await client.delete(resources.mutatingAdmissionPolicyBindings, { name: `${name}-binding` });
    }
    await mutating('ignored', { mutations: [apply('Object{data: object.nope}')], failurePolicy: 'Ignore' });
    expect((await create('a', { a: '1' })).data).toEqual({ a: '1' });
  });

  it('may not replace what is one value as a whole', async () => {
    await mutating('atomic', {
      matchConstraints: { resourceRules: [rule('deployments')] },
      mutations: [
        apply(
          'Object{spec: Object.spec{selector: Object.spec.selector{matchLabels: {"a": "b"}}, template: Object.spec.template{spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: "main", command: ["x"]}]}}}}',
        ),
      ],
    });
    expect((await refusal(client.create(resources.deployments, deployment('web')))).message).toContain(
      'error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.selector, .spec.template.spec.containers[0].command',
    );
  });

  it('comes again when somebody after it changed the object, if it wants to', async () => {
    const counting = jsonPatch(
      '[JSONPatch{op: "add", path: "/data/n", value: (has(object.data.n) ? object.data.n : "") + "x"}]',
    );
    await mutating('again', { mutations: [counting], reinvocationPolicy: 'IfNeeded' });
    later = ({ object, reinvocation }) => {
      const { data } = object as ConfigMap;
      if (!data || data['later']) return;
      data['later'] = 'yes';
      reinvocation.isWanted = true;
    };
    expect((await create('a', { a: '1' })).data).toEqual({ a: '1', n: 'xx', later: 'yes' });
  });

  it('runs before validating policies, with conditions and parameters of its own', async () => {
    await create('defaults', { team: 'core' });
    await mutating(
      'team',
      {
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        matchConditions: [{ name: 'no-team', expression: '!has(object.data.team)' }],
        mutations: [apply('Object{data: {"team": params.data.team}}')],
      },
      { paramRef: { name: 'defaults', namespace: 'default', parameterNotFoundAction: 'Allow' } },
    );
    await validating('has-team', { validations: [{ expression: 'has(object.data.team)' }] });
    expect((await create('a', { x: '1' })).data).toEqual({ x: '1', team: 'core' });
    expect((await create('b', { team: 'own' })).data).toEqual({ team: 'own' });
  });
});
