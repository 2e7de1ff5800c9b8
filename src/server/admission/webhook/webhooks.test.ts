import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Resource } from '../../../api/resource.ts';
import * as resources from '../../../api/resources.gen.ts';
import { ApiError, apiError } from '../../../api/status.ts';
import type {
  ConfigMap,
  Deployment,
  HorizontalPodAutoscaler,
  MutatingWebhook,
  Pod,
  RuleWithOperations,
  Scale,
  ValidatingWebhook,
} from '../../../api/types.gen.ts';
import type { Client } from '../../../client/port.ts';
import type { ApiServer } from '../../api-server.ts';
import { admitConnect } from '../../registry/connect.ts';
import { patchObject } from '../../registry/patch.ts';
import type { WriteRequest } from '../../registry/served-resource.ts';
import { startTestServer } from '../../test-server.fake.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../port.ts';
import { callWebhook } from './call.ts';
import type { WebhookMetrics } from './metrics.ts';
import { mutatingAdmissionWebhook } from './mutating.ts';
import type { ReviewSubject } from './review.ts';
import { validatingAdmissionWebhook } from './validating.ts';

interface Request {
  readonly uid: string;
  readonly operation: string;
  readonly object: { metadata: { labels?: Record<string, string> } } | null;
  readonly [field: string]: unknown;
}
type Answer = Record<string, unknown> | Error;
type Webhook = (request: Request, apiVersion: string) => Answer | Promise<Answer>;

let server: ApiServer;
let client: Client;
let metrics: WebhookMetrics;
let inTree: AdmissionPlugin;
const webhooks = new Map<string, Webhook>();
const asked: { url: string; request: Request; timeoutMs: number }[] = [];

beforeEach(async () => {
  webhooks.clear();
  asked.length = 0;
  inTree = { name: 'InTree' };
  ({ server } = await startTestServer({
    admission: (original) => {
      metrics = original.webhookMetrics;
      const context = {
        ...original,
        webhooks: {
          async call({
            clientConfig: { url = '' },
            body,
            timeoutMs,
          }: Parameters<typeof original.webhooks.call>[0]) {
            const { request, apiVersion } = structuredClone(body) as { request: Request; apiVersion: string };
            asked.push({ url, request, timeoutMs });
            const answer = await webhooks.get(url)?.(request, apiVersion);
            if (!answer || answer instanceof Error) throw answer ?? new Error('no such webhook');
            return { apiVersion, kind: 'AdmissionReview', response: { uid: request.uid, ...answer } };
          },
        },
      };
      return [
        { name: 'InTree', mutate: (attributes) => inTree.mutate?.(attributes) },
        mutatingAdmissionWebhook(context),
        validatingAdmissionWebhook(context),
      ];
    },
  }));
  client = server.client({ name: 'tester', groups: ['testers'], extra: { place: ['here'] } }, 'test-manager');
});
afterEach(() => server.close());

const rule = (resource: string, more: Partial<RuleWithOperations> = {}): RuleWithOperations => ({
  operations: ['CREATE', 'UPDATE'],
  apiGroups: [''],
  apiVersions: ['v1'],
  resources: [resource],
  ...more,
});
const base = (name: string, rules: RuleWithOperations[]) => ({
  name: `${name}.example.com`,
  clientConfig: { url: `https://${name}` },
  rules,
  admissionReviewVersions: ['v1'],
  sideEffects: 'None',
});

async function mutating(name: string, webhook: Webhook, more: Partial<MutatingWebhook> = {}): Promise<void> {
  webhooks.set(`https://${name}`, webhook);
  await client.create(resources.mutatingWebhookConfigurations, {
    metadata: { name },
    webhooks: [{ ...base(name, [rule('configmaps')]), ...more }],
  });
}
async function validating(
  name: string,
  webhook: Webhook,
  more: Partial<ValidatingWebhook> = {},
): Promise<void> {
  webhooks.set(`https://${name}`, webhook);
  await client.create(resources.validatingWebhookConfigurations, {
    metadata: { name },
    webhooks: [{ ...base(name, [rule('configmaps')]), ...more }],
  });
}

const allow: Webhook = () => ({ allowed: true });
const patch = (...operations: object[]): Answer => ({
  allowed: true,
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
});
const setData = (key: string, value: string): Answer => patch({ op: 'add', path: `/data/${key}`, value });
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
const refusal = async (work: Promise<unknown>): Promise<ApiError> => {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(error instanceof ApiError)) throw new Error(`no refusal: ${String(error)}`);
  return error;
};

describe('what a webhook is told', () => {
  it('is the whole review', async () => {
    await validating('tell', allow);
    await create('a', { x: '1' });
    await client.update(resources.configMaps, map('a', { x: '2' }), { dryRun: true });
    const [first, second] = asked;
    expect(first?.timeoutMs).toBe(10_000);
    expect(first?.request).toMatchObject({
      uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      kind: { group: '', version: 'v1', kind: 'ConfigMap' },
      resource: { group: '', version: 'v1', resource: 'configmaps' },
      requestKind: { group: '', version: 'v1', kind: 'ConfigMap' },
      requestResource: { group: '', version: 'v1', resource: 'configmaps' },
      name: 'a',
      namespace: 'default',
      operation: 'CREATE',
      userInfo: { username: 'tester', groups: ['testers'], extra: { place: ['here'] } },
      object: {
        kind: 'ConfigMap',
        apiVersion: 'v1',
        data: { x: '1' },
        metadata: { uid: expect.any(String) },
      },
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'test-manager' },
    });
    expect(second?.request).toMatchObject({
      operation: 'UPDATE',
      object: { data: { x: '2' } },
      oldObject: { data: { x: '1' }, kind: 'ConfigMap' },
      dryRun: true,
      options: { kind: 'UpdateOptions', dryRun: ['All'] },
    });
  });

  it('is asked in the first of its versions that is known', async () => {
    const seen: string[] = [];
    const old: Webhook = (_, apiVersion) => {
      seen.push(apiVersion);
      // v1beta1 knew neither the echo of the uid nor the type of the patch.
      return { ...setData('by', 'old'), uid: 'other', patchType: undefined };
    };
    await mutating('old', old, { admissionReviewVersions: ['v2', 'v1beta1', 'v1'] });
    expect((await create('a', {})).data).toEqual({ by: 'old' });
    expect(seen).toEqual(['admission.k8s.io/v1beta1']);
  });

  it('is the Scale of a scale, what was posted to a subresource, and the options of a connection', async () => {
    const all = rule('*/*', { apiGroups: ['*'], operations: ['*'], apiVersions: ['*'] });
    await validating('tell', allow, { rules: [all] });
    const deployment: Deployment = {
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        replicas: 1,
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    };
    await client.create(resources.deployments, deployment);
    const ref = { name: 'web', namespace: 'default' };
    asked.length = 0;
    const body = { spec: { replicas: 3 } };
    await client.patch(resources.deployments, ref, { type: 'merge', body }, { subresource: 'scale' });
    expect(asked[0]?.request).toMatchObject({
      kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
      resource: { group: 'apps', version: 'v1', resource: 'deployments' },
      subResource: 'scale',
      object: { kind: 'Scale', apiVersion: 'autoscaling/v1', spec: { replicas: 3 } },
      oldObject: { kind: 'Scale', spec: { replicas: 1 } },
    });
    const pod: Pod = {
      metadata: { name: 'p', namespace: 'default' },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    };
    await client.create(resources.pods, pod);
    asked.length = 0;
    const binding = { metadata: { name: 'p' }, target: { kind: 'Node', name: 'board' } };
    await client.createSubresource(resources.pods, { name: 'p', namespace: 'default' }, 'binding', binding);
    expect(asked[0]?.request).toMatchObject({
      operation: 'CREATE',
      subResource: 'binding',
      kind: { group: '', version: 'v1', kind: 'Binding' },
      object: { target: { name: 'board' } },
    });
    asked.length = 0;
    const served = server.registry.findStored(resources.pods)!;
    const options = { apiVersion: 'v1', kind: 'PodExecOptions', command: ['sh'], stdin: true };
    const connection = {
      user: { name: 'tester', groups: [] },
      resource: resources.pods,
      subresource: 'exec',
      namespace: 'default',
      name: 'p',
      options,
    };
    await admitConnect(served, connection);
    expect(asked[0]?.request).toMatchObject({
      operation: 'CONNECT',
      kind: { group: '', version: 'v1', kind: 'PodExecOptions' },
      object: options,
      options: null,
    });
    webhooks.set('https://tell', () => ({ allowed: false, status: { message: 'no shells', code: 403 } }));
    const refused = await refusal(admitConnect(served, connection));
    expect(refused.message).toBe('admission webhook "tell.example.com" denied the request: no shells');
  });
});

describe('which webhooks are asked', () => {
  const names = (): string[] => asked.map(({ url }) => url.slice('https://'.length));

  it('is decided by match conditions, one after the other', async () => {
    const matchConditions = [
      { name: 'not-skipped', expression: '!("skip" in object.data)' },
      { name: 'by-tester', expression: 'request.userInfo.username == "tester"' },
      { name: 'level', expression: 'int(object.data.level) > 1' },
    ];
    await validating('picky', allow, { matchConditions });
    await create('a', { level: '2' });
    await create('b', { level: '1' });
    await create('c', { skip: 'yes' });
    expect(asked.map(({ request }) => request['name'])).toEqual(['a']);
    // A condition that fails refuses, unless another one is false or the webhook is not that important.
    const { status } = await refusal(create('d', {}));
    expect(status).toMatchObject({ code: 403, reason: 'Forbidden' });
    expect(status.message).toBe(
      `configmaps "d" is forbidden: expression 'int(object.data.level) > 1' resulted in error: no such key: level`,
    );
    await client.delete(resources.validatingWebhookConfigurations, { name: 'picky' });
    await validating('modest', allow, { matchConditions, failurePolicy: 'Ignore' });
    await create('d', {});
    expect(asked).toHaveLength(1);
  });

  it('is decided by rules and selectors', async () => {
    await client.create(resources.namespaces, { metadata: { name: 'watched', labels: { watch: 'yes' } } });
    await validating('by-namespace', allow, { namespaceSelector: { matchLabels: { watch: 'yes' } } });
    await validating('by-label', allow, { objectSelector: { matchLabels: { watch: 'me' } } });
    await validating('deletes', allow, { rules: [rule('*', { operations: ['DELETE'] })] });
    await validating('cluster', allow, {
      rules: [rule('*', { apiGroups: ['*'], scope: 'Cluster' })],
      namespaceSelector: { matchLabels: { watch: 'no' } },
    });
    await create('a');
    expect(names()).toEqual([]);
    await create('b', {}, { watch: 'me' });
    expect(names()).toEqual(['by-label']);
    asked.length = 0;
    // The old labels count, too.
    await client.update(resources.configMaps, map('b', {}, { watch: 'none' }));
    expect(names()).toEqual(['by-label']);
    asked.length = 0;
    await client.create(resources.configMaps, { metadata: { name: 'c', namespace: 'watched' } });
    expect(names()).toEqual(['by-namespace']);
    asked.length = 0;
    await client.delete(resources.configMaps, { name: 'a', namespace: 'default' });
    expect(names()).toEqual(['deletes']);
    expect(asked[0]?.request).toMatchObject({
      operation: 'DELETE',
      object: null,
      oldObject: { metadata: { name: 'a' } },
      options: { kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1' },
    });
    asked.length = 0;
    // A Namespace has the labels that it is about to get, and counts as cluster-scoped.
    await client.create(resources.namespaces, { metadata: { name: 'n', labels: { watch: 'yes' } } });
    await client.create(resources.namespaces, { metadata: { name: 'm', labels: { watch: 'no' } } });
    await client.create(resources.priorityClasses, { metadata: { name: 'p' }, value: 1 });
    expect(asked.map(({ request }) => request['name'])).toEqual(['m', 'p']);
    expect(asked[0]?.request['namespace']).toBe('m');
  });

  it('is none for what decides about admission itself', async () => {
    await validating('all', () => ({ allowed: false }), {
      rules: [rule('*/*', { apiGroups: ['*'], apiVersions: ['*'], operations: ['*'] })],
    });
    await validating('other', allow, { rules: [rule('none')] });
    await client.delete(resources.validatingWebhookConfigurations, { name: 'all' });
    await create('a');
    expect(names()).toEqual([]);
  });

  it('holds for other versions of the same objects, unless the webhook wants it exact', async () => {
    const old = (more: object = {}) =>
      rule('horizontalpodautoscalers', { apiGroups: ['autoscaling'], apiVersions: ['v1'], ...more });
    const add: Webhook = ({ object }) =>
      (object as unknown as { spec: { targetCPUUtilizationPercentage?: number } }).spec
        .targetCPUUtilizationPercentage === 50
        ? patch({ op: 'replace', path: '/spec/targetCPUUtilizationPercentage', value: 70 })
        : { allowed: false };
    await mutating('equivalent', add, { rules: [old()] });
    await mutating('exact', () => ({ allowed: false }), { rules: [old()], matchPolicy: 'Exact' });
    const autoscaler: HorizontalPodAutoscaler = {
      metadata: { name: 'h', namespace: 'default' },
      spec: {
        scaleTargetRef: { kind: 'Deployment', name: 'web', apiVersion: 'apps/v1' },
        maxReplicas: 3,
        metrics: [
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
          },
        ],
      },
    };
    const made = await client.create(resources.horizontalPodAutoscalers, autoscaler);
    expect(asked[0]?.request).toMatchObject({
      kind: { group: 'autoscaling', version: 'v1' },
      requestKind: { group: 'autoscaling', version: 'v2' },
      requestResource: { version: 'v2' },
      object: { apiVersion: 'autoscaling/v1' },
    });
    expect(made.apiVersion).toBe('autoscaling/v2');
    expect(made.spec?.metrics?.[0]?.resource?.target.averageUtilization).toBe(70);
  });

  it('holds for other versions of a custom resource, and what they know', async () => {
    const names = { plural: 'toys', kind: 'Toy', singular: 'toy', listKind: 'ToyList' };
    const versionOf = (name: string, storage: boolean) => ({
      name,
      served: true,
      storage,
      schema: {
        openAPIV3Schema: {
          type: 'object',
          properties: { size: { type: 'integer' }, color: { type: 'string', default: 'red' } },
        },
      },
    });
    await client.create(resources.customResourceDefinitions, {
      metadata: { name: 'toys.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names,
        versions: [versionOf('v1', true), versionOf('v2', false)],
      },
    });
    const toys = { group: 'example.com', resource: 'toys', kind: 'Toy', namespaced: true };
    await expect
      .poll(() => server.registry.find({ ...toys, version: 'v2' }), { timeout: 20_000 })
      .toBeDefined();
    const made = patch(
      { op: 'add', path: '/size', value: 3 },
      { op: 'add', path: '/unknown', value: true },
      { op: 'remove', path: '/color' },
    );
    const rules = [rule('toys', { apiGroups: ['example.com'], apiVersions: ['v1'] })];
    await mutating('toys', () => made, { rules });
    const toy = { metadata: { name: 't', namespace: 'default' } };
    const stored = await client.create({ ...toys, version: 'v2' } as Resource, toy);
    expect(asked[0]?.request).toMatchObject({
      kind: { group: 'example.com', version: 'v1', kind: 'Toy' },
      requestKind: { group: 'example.com', version: 'v2', kind: 'Toy' },
      object: { apiVersion: 'example.com/v1', color: 'red' },
    });
    expect(stored).toMatchObject({ apiVersion: 'example.com/v2', size: 3, color: 'red' });
    expect(stored).not.toHaveProperty('unknown');
  });

  it('is nobody before the server has its own objects', async () => {
    const { datastore } = await startTestServer({});
    const first = await startTestServer({ datastore });
    const admin = first.server.client({ name: 'admin', groups: [] });
    await admin.create(resources.validatingWebhookConfigurations, {
      metadata: { name: 'all' },
      webhooks: [
        base('unreachable', [rule('*/*', { apiGroups: ['*'], apiVersions: ['*'], operations: ['*'] })]),
      ],
    });
    await admin.delete(resources.endpointSlices, { name: 'kubernetes', namespace: 'default' });
    await first.server.close();
    const again = await startTestServer({
      datastore,
      admission: (context) => [validatingAdmissionWebhook(context)],
    });
    expect(again.server.registry.findStored(resources.endpointSlices)?.cache.size).toBe(1);
    await again.server.close();
  });
});

describe('what a webhook answers', () => {
  it('refuses in its own words, and never with success', async () => {
    const denied = 'admission webhook "no.example.com" denied the request';
    let answer: Answer = { allowed: false };
    await validating('no', () => answer);
    expect(await refusal(create('a'))).toMatchObject({
      message: `${denied} without explanation`,
      status: { status: 'Failure', code: 400 },
    });
    answer = { allowed: false, status: { message: 'too big', code: 403, reason: 'Forbidden' } };
    expect((await refusal(create('a'))).status).toMatchObject({
      message: `${denied}: too big`,
      code: 403,
      reason: 'Forbidden',
    });
    answer = { allowed: false, status: { reason: 'JustNo', code: 200, status: 'Success' } };
    expect((await refusal(create('a'))).status).toMatchObject({
      message: `${denied}: JustNo`,
      code: 400,
      status: 'Failure',
    });
    expect(metrics.render()).toContain(
      'apiserver_admission_webhook_rejection_count{error_type="no_error",name="no.example.com",operation="CREATE",rejection_code="403",type="validating"} 1',
    );
  });

  it('fails the request or is passed over, as its policy says', async () => {
    await validating('down', () => new Error('Post "https://down/": context deadline exceeded'));
    const why =
      'failed calling webhook "down.example.com": failed to call webhook: Post "https://down/": context deadline exceeded';
    expect((await refusal(create('a'))).status).toMatchObject({
      code: 500,
      reason: 'InternalError',
      message: `Internal error occurred: ${why}`,
      details: { causes: [{ message: why }] },
    });
    await client.patch(
      resources.validatingWebhookConfigurations,
      { name: 'down' },
      { type: 'strategic', body: { webhooks: [{ name: 'down.example.com', failurePolicy: 'Ignore' }] } },
    );
    await create('a');
    const lines = metrics.render();
    expect(lines).toContain(
      'apiserver_admission_webhook_rejection_count{error_type="calling_webhook_error",name="down.example.com",operation="CREATE",rejection_code="503",type="validating"} 1',
    );
    expect(lines).toContain(
      'apiserver_admission_webhook_fail_open_count{name="down.example.com",type="validating"} 1',
    );
    // The policy is about calls that fail, not about a no.
    webhooks.set('https://down', () => ({ allowed: false }));
    await refusal(create('b'));
    webhooks.set('https://down', () =>
      apiError('NotFound', 'the server could not find the requested resource'),
    );
    await create('b');
  });

  it('must be an answer to what was asked', async () => {
    let answer: Answer = {};
    await validating('odd', () => answer);
    await mutating('change', allow, { rules: [rule('secrets')] });
    const problem = async (given: Answer, work = create('a')) => {
      answer = given;
      return (await refusal(work)).message;
    };
    const invalid =
      'Internal error occurred: failed calling webhook "odd.example.com": received invalid webhook response: ';
    expect(await problem({ uid: 'other', allowed: true })).toMatch(
      /received invalid webhook response: expected response.uid="[0-9a-f-]+", got "other"$/,
    );
    expect(await problem(setData('x', '1'))).toBe(
      `${invalid}validating webhook may not return response.patch`,
    );
    expect(await problem({ allowed: true, patchType: 'JSONPatch' })).toBe(
      `${invalid}validating webhook may not return response.patchType`,
    );
    const secret = (): Promise<unknown> =>
      client.create(resources.secrets, { metadata: { name: 's', namespace: 'default' } });
    webhooks.set('https://change', () => ({ ...setData('x', 'eA=='), patchType: undefined }));
    expect((await refusal(secret())).message).toContain(
      'webhook returned response.patch but not response.patchType',
    );
    webhooks.set('https://change', () => ({ allowed: true, patchType: 'JSONPatch' }));
    expect((await refusal(secret())).message).toContain(
      'webhook returned response.patchType but not response.patch',
    );
    webhooks.set('https://change', () => ({ ...setData('x', 'eA=='), patchType: 'Other' }));
    expect((await refusal(secret())).message).toContain('unsupported patch type "Other"');
    webhooks.set('https://change', () => ({ allowed: true, patchType: 'JSONPatch', patch: 'e30=' }));
    expect((await refusal(secret())).message).toContain('received undecodable patch in webhook response');
    webhooks.set('https://change', () => patch({ op: 'replace', path: '/nowhere/at/all', value: 1 }));
    expect((await refusal(secret())).message).toBe(
      'Internal error occurred: replace operation does not apply: doc is missing path: /nowhere/at/all: missing value',
    );
    webhooks.set('https://change', () => patch({ op: 'add', path: '/type', value: { no: 'text' } }));
    expect((await refusal(secret())).code).toBe(500);
  });

  it('asks validating ones at the same time, and warns', async () => {
    let waiting = 0;
    let release: () => void = () => {};
    const together = new Promise<void>((resolve) => {
      release = resolve;
    });
    const meet: Webhook = async () => {
      waiting++;
      if (waiting === 2) release();
      await together;
      return { allowed: true, warnings: ['mind the gap'], auditAnnotations: { seen: 'yes' } };
    };
    await validating('one', meet);
    await validating('two', meet);
    const warnings: string[] = [];
    const notes = new Map<string, string>();
    const served = server.registry.findStored(resources.configMaps)!;
    const { createObject } = await import('../../registry/create.ts');
    await createObject(
      served,
      {
        user: { name: 'tester', groups: [] },
        namespace: 'default',
        name: '',
        dryRun: false,
        fieldManager: 'test',
        fieldValidation: 'Strict',
        warn: (text) => warnings.push(text),
        annotate: (key, value) => notes.set(key, value),
      },
      map('a'),
    );
    expect(warnings).toEqual(['mind the gap', 'mind the gap']);
    expect([...notes]).toEqual([
      ['one.example.com/seen', 'yes'],
      ['two.example.com/seen', 'yes'],
    ]);
  });
});

describe('changing objects', () => {
  /** What a merge patch of the object's label answers, and the warnings with it. */
  async function touch(name: string): Promise<{ metadata: ConfigMap['metadata']; warnings: string[] }> {
    const warnings: string[] = [];
    const { served, schema } = server.registry.find(resources.configMaps)!;
    const request: WriteRequest = {
      user: { name: 'tester', groups: [] },
      ...{ namespace: 'default', name, dryRun: false, fieldManager: 'toucher' },
      fieldValidation: 'Strict',
      warn: (text) => warnings.push(text),
    };
    const body = { metadata: { labels: { touched: 'yes' } } };
    const { object } = await patchObject(served, request, { type: 'merge', body }, { schema });
    return { metadata: object.metadata, warnings };
  }

  it('warns of owners that a webhook listed again, and lists them once', async () => {
    const owner = { apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u1' };
    await mutating('own', () => patch({ op: 'add', path: '/metadata/ownerReferences/-', value: owner }), {
      rules: [rule('configmaps', { operations: ['UPDATE'] })],
    });
    const { metadata: plain } = map('a');
    await client.create(resources.configMaps, { metadata: { ...plain, ownerReferences: [owner] } });
    const { metadata, warnings } = await touch('a');
    expect(metadata.ownerReferences).toEqual([owner]);
    expect(warnings).toEqual([
      '.metadata.ownerReferences contains duplicate entries after mutating admission happens; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: u1',
    ]);
  });

  it('keeps managed fields as they were where a webhook left none that can be read', async () => {
    const remove = (field: string) => ({ op: 'remove', path: `/metadata/managedFields/0/${field}` });
    await mutating('spoil', () => patch(remove('apiVersion'), remove('fieldsV1'), remove('fieldsType')), {
      rules: [rule('configmaps', { operations: ['UPDATE'] })],
    });
    await create('a', { x: '1' });
    const { metadata, warnings } = await touch('a');
    expect(metadata.managedFields).toMatchObject([
      { manager: 'test-manager', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: { 'f:data': {} } },
      { manager: 'toucher', fieldsV1: { 'f:metadata': { 'f:labels': { 'f:touched': {} } } } },
    ]);
    expect(warnings).toEqual([
      '.metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: apiVersion must not be empty',
    ]);
  });

  it('gives them defaults again, drops what the kind does not know, and still validates', async () => {
    const container = { name: 'side', image: 'sidecar', made: 'up', ports: [{ containerPort: 80 }] };
    await mutating('inject', () => patch({ op: 'add', path: '/spec/containers/-', value: container }), {
      rules: [rule('pods')],
    });
    const pod: Pod = {
      metadata: { name: 'p', namespace: 'default' },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    };
    const made = await client.create(resources.pods, pod);
    expect(made.spec?.containers[1]).toMatchObject({
      name: 'side',
      imagePullPolicy: 'Always',
      ports: [{ containerPort: 80, protocol: 'TCP' }],
    });
    expect(made.spec?.containers[1]).not.toHaveProperty('made');
    webhooks.set('https://inject', () =>
      patch({ op: 'add', path: '/spec/containers/-', value: { name: 'BAD' } }),
    );
    expect(
      (
        await refusal(
          client.create(resources.pods, { ...pod, metadata: { name: 'q', namespace: 'default' } }),
        )
      ).code,
    ).toBe(422);
    // What an object is cannot be changed; where it lies neither.
    webhooks.set('https://inject', () =>
      patch({ op: 'replace', path: '/metadata/namespace', value: 'kube-system' }),
    );
    await refusal(client.create(resources.pods, { ...pod, metadata: { name: 'q', namespace: 'default' } }));
  });

  it('goes on from where the one before left it, and around again for those who want', async () => {
    const order: string[] = [];
    const step =
      (name: string): Webhook =>
      ({ object }) => {
        order.push(name);
        const data = (object as unknown as ConfigMap).data ?? {};
        return Object.hasOwn(data, name) ? { allowed: true } : setData(name, Object.keys(data).join('+'));
      };
    await mutating('a', step('a'), { reinvocationPolicy: 'IfNeeded' });
    await mutating('b', step('b'));
    await mutating('c', step('c'), { reinvocationPolicy: 'IfNeeded' });
    let rounds = 0;
    inTree = {
      name: 'InTree',
      mutate: ({ resource }) => {
        if (resource.resource === 'configmaps') rounds++;
      },
    };
    expect((await create('m', { x: '1' })).data).toEqual({ x: '1', a: 'x', b: 'x+a', c: 'x+a+b' });
    // b changed what a had seen; nobody changed what c had seen.
    expect(order).toEqual(['a', 'b', 'c', 'a']);
    expect(rounds).toBe(2);
    order.length = 0;
    await create('n', { a: '', b: '', c: '' });
    expect(order).toEqual(['a', 'b', 'c']);
    // A plugin of the second round that changes something has everybody asked again who wants.
    order.length = 0;
    let round = 0;
    inTree = {
      name: 'InTree',
      mutate: ({ object, resource }) => {
        if (resource.resource === 'configmaps' && ++round === 2)
          (object as ConfigMap).metadata.labels = { round: 'two' };
      },
    };
    await create('o', { a: '', c: '' });
    expect(order).toEqual(['a', 'b', 'c', 'a', 'c']);
  });

  it('reaches the stored object through its scale, and nothing where there is no object', async () => {
    const spec = {
      replicas: 1,
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    };
    const ref = { name: 'web', namespace: 'default' };
    await client.create(resources.deployments, { metadata: ref, spec } as Deployment);
    await mutating('cap', () => patch({ op: 'replace', path: '/spec/replicas', value: 2 }), {
      rules: [rule('deployments/scale', { apiGroups: ['apps'] })],
    });
    const scale: Scale = { metadata: ref, spec: { replicas: 9 } };
    await client.update(resources.deployments, scale as Deployment, { subresource: 'scale' });
    expect((await client.get(resources.deployments, ref)).spec?.replicas).toBe(2);
    await mutating('late', () => setData('x', '1'), {
      rules: [rule('deployments', { apiGroups: ['apps'], operations: ['DELETE'] })],
    });
    expect((await refusal(client.delete(resources.deployments, ref))).message).toBe(
      'Internal error occurred: admission webhook "late.example.com" attempted to modify the object, which is not supported for this operation',
    );
  });
});

it('asks nobody for a dry run who cannot do one', async () => {
  // Such configurations are refused now; older ones may still say it.
  const webhook = { ...base('side', []), sideEffects: 'Some' };
  const attributes = { dryRun: true } as AdmissionAttributes;
  const call = { webhook, attributes, subject: {} as ReviewSubject, mutating: false };
  const client = { call: () => Promise.reject(new Error('asked all the same')) };
  expect(await refusal(callWebhook({ ...call, client }))).toMatchObject({
    code: 400,
    message: 'admission webhook "side.example.com" does not support dry run',
  });
});
