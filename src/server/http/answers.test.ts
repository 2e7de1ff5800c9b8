import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProtobufWriter } from '../../api/protobuf/writer.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { startTestHttp, type TestHttp } from './test-http.fake.ts';

let http: TestHttp;
beforeAll(async () => {
  http = await startTestHttp();
});
afterAll(() => http.stop());

const MAPS = '/api/v1/namespaces/default/configmaps';
const named = (name: string, extra: object = {}) => ({ metadata: { name }, ...extra });

describe('YAML', () => {
  const accept = 'application/yaml';
  it('is what who reads it gets errors in, too', async () => {
    const { code, headers, text } = await http.send('GET', `${MAPS}/none`, undefined, { accept });
    expect([code, headers['content-type']]).toEqual([404, accept]);
    expect(text).toMatch(/^kind: Status$/m);
  });
  it('is no stream', async () => {
    const { code, text } = await http.send('GET', `${MAPS}?watch=1`, undefined, { accept });
    expect(code).toBe(406);
    expect(text).toMatch(/^reason: NotAcceptable$/m);
  });
});

describe('tables of older clients', () => {
  it('are of the version that they ask for', async () => {
    await http.send('POST', MAPS, named('old-table'));
    const version = 'meta.k8s.io/v1beta1';
    const as = (kind: string) => ({ accept: `application/json;as=${kind};v=v1beta1;g=meta.k8s.io` });
    const { json: table } = await http.send('GET', MAPS, undefined, as('Table'));
    expect(table).toMatchObject({ kind: 'Table', apiVersion: version });
    expect(table.rows[0].object).toMatchObject({ kind: 'PartialObjectMetadata', apiVersion: version });
    const { json: list } = await http.send('GET', MAPS, undefined, as('PartialObjectMetadataList'));
    expect([list.apiVersion, list.items[0].apiVersion]).toEqual([version, version]);
    const { json: one } = await http.send('GET', `${MAPS}/old-table`, undefined, as('Table'));
    expect(one).toMatchObject({ kind: 'Table', apiVersion: version });
    await http.send('DELETE', `${MAPS}/old-table`);
  });
});

it('nothing is created that has a version: it comes from somewhere else', async () => {
  const old = (resourceVersion: string) =>
    http.send('POST', MAPS, { metadata: { name: 'old', resourceVersion } });
  const { code, json } = await old('5');
  expect([code, json.message, json.reason]).toEqual([
    500,
    'resourceVersion should not be set on objects to be created',
    undefined,
  ]);
  expect((await old('0')).code).toBe(201);
});

describe('what only answers', () => {
  const REVIEWS = '/apis/authorization.k8s.io/v1';
  const spec = { user: 'dave', resourceAttributes: { verb: 'list', resource: 'pods', namespace: 'default' } };
  it.each([
    ['subjectaccessreviews', 'must be empty'],
    ['selfsubjectaccessreviews', 'must be empty'],
    ['namespaces/default/localsubjectaccessreviews', 'must be empty except for namespace'],
  ])('has no metadata: %s', async (path, why) => {
    const { code, json } = await http.send('POST', `${REVIEWS}/${path}`, {
      metadata: { labels: { a: 'b' } },
      spec,
    });
    expect(code).toBe(422);
    expect(json.details.causes).toContainEqual(
      expect.objectContaining({ field: 'metadata', message: expect.stringMatching(new RegExp(`: ${why}$`)) }),
    );
  });
  it('lies in the namespace of its path', async () => {
    const metadata = { namespace: 'other' };
    const why = 'the namespace of the provided object does not match the namespace sent on the request';
    for (const [path, body] of [
      [`${REVIEWS}/namespaces/default/localsubjectaccessreviews`, { spec }],
      ['/api/v1/namespaces/default/serviceaccounts/default/token', { spec: {} }],
      ['/api/v1/namespaces/default/pods/a/eviction', {}],
    ] as const) {
      const { code, json } = await http.send('POST', path, { metadata, ...body });
      expect([path, code, json.message]).toEqual([path, 400, why]);
    }
  });
  it('is a token for the account that the path names', async () => {
    const path = '/api/v1/namespaces/default/serviceaccounts/default/token';
    const { json } = await http.send('POST', path, { metadata: { name: 'other' }, spec: {} });
    expect(json).toMatchObject({
      code: 422,
      message:
        'TokenRequest.authentication.k8s.io "default" is invalid: metadata.name: Invalid value: "other": must match the service account name if specified',
    });
  });
});

describe('refusals', () => {
  it.each([
    ['GET', '/nothing', 404, '404 page not found\n'],
    ['GET', '/apis/none.example/v1', 404, '404 page not found\n'],
  ])('%s %s is plain %i', async (method, path, code, text) => {
    expect(await http.send(method, path)).toMatchObject({ code, text });
  });
  it.each([
    ['GET', '/api/v1/nothings', undefined, 404, 'NotFound'],
    ['PUT', MAPS, {}, 405, 'MethodNotAllowed'],
    ['POST', '/version', {}, 405, 'MethodNotAllowed'],
    ['PUT', '/api', {}, 405, 'MethodNotAllowed'],
    ['POST', '/apis', {}, 405, 'MethodNotAllowed'],
    ['GET', `${MAPS}/none`, undefined, 404, 'NotFound'],
    ['GET', '/api/v1/configmaps/none', undefined, 404, 'NotFound'],
    ['GET', '/api/v1/namespaces/default/nodes', undefined, 404, 'NotFound'],
    ['POST', '/api/v1/configmaps', {}, 405, 'MethodNotAllowed'],
    ['POST', MAPS, '{"metadata":', 400, 'BadRequest'],
    ['POST', MAPS, { kind: 'Secret', apiVersion: 'v1', metadata: { name: 'a' } }, 400, 'BadRequest'],
    ['POST', MAPS, named('Bad_Name'), 422, 'Invalid'],
    ['POST', MAPS, { metadata: { name: 'a', namespace: 'other' } }, 400, 'BadRequest'],
    ['POST', `${MAPS}?dryRun=Some`, named('a'), 422, 'Invalid'],
    ['POST', `${MAPS}?fieldValidation=Strict`, named('a', { foo: 1 }), 400, 'BadRequest'],
    ['GET', `${MAPS}?labelSelector=a%3D%3D%3Db`, undefined, 400, 'BadRequest'],
    ['GET', `${MAPS}?fieldSelector=spec.x%3Db`, undefined, 400, 'BadRequest'],
    ['GET', `${MAPS}?continue=nonsense`, undefined, 400, 'BadRequest'],
    ['GET', `${MAPS}?resourceVersion=abc`, undefined, 400, 'BadRequest'],
    ['GET', `${MAPS}?resourceVersion=99999999`, undefined, 504, 'Timeout'],
    ['GET', `${MAPS}?watch=1&sendInitialEvents=true`, undefined, 422, 'Invalid'],
    ['GET', `${MAPS}?sendInitialEvents=true`, undefined, 422, 'Invalid'],
    ['GET', `${MAPS}?timeoutSeconds=long`, undefined, 400, 'BadRequest'],
    ['GET', `${MAPS}?resourceVersionMatch=Exact`, undefined, 422, 'Invalid'],
    ['DELETE', `${MAPS}/a?propagationPolicy=Maybe`, undefined, 422, 'Invalid'],
    ['GET', '/api/v1/namespaces/default/pods/p/exec?command=x', undefined, 400, 'BadRequest'],
  ])('%s %s %j is %i %s', async (method, path, body, code, reason) => {
    const answer = await http.send(method, path, body);
    expect(answer.json).toMatchObject({ kind: 'Status', status: 'Failure', code, reason });
    expect(answer.code).toBe(code);
  });
  it('knows what it can write and read', async () => {
    const accept = { accept: 'application/vnd.kubernetes.protobuf' };
    expect((await http.send('GET', MAPS, undefined, accept)).code).toBe(406);
    expect((await http.send('POST', MAPS, 'x', { 'content-type': 'text/csv' })).code).toBe(415);
    expect((await http.send('PATCH', `${MAPS}/a`, {}, { 'content-type': 'application/json' })).code).toBe(
      415,
    );
  });
  it('shows tables and metadata in the version that is asked for, and nothing else of objects than there is', async () => {
    await http.send('POST', MAPS, named('shown'));
    const as = (kind: string) => ({ accept: `application/json;as=${kind};g=meta.k8s.io;v=v1beta1` });
    const apiVersion = 'meta.k8s.io/v1beta1';
    const object = { kind: 'PartialObjectMetadata', apiVersion };
    const table = { kind: 'Table', apiVersion, rows: [{ object }] };
    expect((await http.send('GET', `${MAPS}/shown`, undefined, as('Table'))).json).toMatchObject(table);
    const one = `${MAPS}?fieldSelector=metadata.name%3Dshown`;
    expect((await http.send('GET', one, undefined, as('Table'))).json).toMatchObject(table);
    const partial = as('PartialObjectMetadata');
    expect((await http.send('GET', `${MAPS}/shown`, undefined, partial)).json).toMatchObject(object);
    const list = { kind: 'PartialObjectMetadataList', apiVersion, items: [object] };
    expect((await http.send('GET', one, undefined, partial)).json).toMatchObject(list);
    for (const path of [`${MAPS}/shown?includeObject=All`, `${MAPS}?includeObject=All`])
      expect((await http.send('GET', path, undefined, as('Table'))).json).toMatchObject({
        code: 400,
        message:
          "Unable to convert to Table as requested: includeObject: Invalid value: \"All\": must be 'Metadata', 'Object', 'None', or empty",
      });
  });
  it('warns who deletes a Job without a word on its pods', async () => {
    const jobs = '/apis/batch/v1/namespaces/default/jobs';
    const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } };
    for (const name of ['j1', 'j2']) await http.send('POST', jobs, named(name, { spec: { template } }));
    const { headers, json } = await http.send('DELETE', `${jobs}/j1`);
    expect(headers['warning']).toBe(
      '299 - "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning"',
    );
    expect(json).toMatchObject({ kind: 'Job', metadata: { finalizers: ['orphan'] } });
    const told = await http.send('DELETE', `${jobs}/j2?propagationPolicy=Background`);
    expect(told.headers).not.toHaveProperty('warning');
  });
  it('shows a Scale as a table of its own', async () => {
    const sets = '/apis/apps/v1/namespaces/default/replicasets';
    const labels = { app: 'a' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    await http.send(
      'POST',
      sets,
      named('rs', { spec: { replicas: 3, selector: { matchLabels: labels }, template } }),
    );
    const accept = { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' };
    const { json } = await http.send('GET', `${sets}/rs/scale`, undefined, accept);
    expect(json).toMatchObject({
      kind: 'Table',
      columnDefinitions: [{ name: 'Name' }, { name: 'Desired' }, { name: 'Available' }, { name: 'Age' }],
      rows: [{ cells: ['rs', 3, 0, expect.any(String)] }],
    });
    const whole = await http.send('GET', `${sets}/rs/scale?includeObject=Object`, undefined, accept);
    expect(whole.json).toMatchObject({ rows: [{ object: { kind: 'Scale', spec: { replicas: 3 } } }] });
  });
  it('lists all there is of any state, whatever the limit', async () => {
    for (const name of ['l1', 'l2', 'l3']) await http.send('POST', MAPS, named(name, { data: { l: name } }));
    const all = (await http.send('GET', MAPS)).json as { items: unknown[] };
    const any = (await http.send('GET', `${MAPS}?limit=1&resourceVersion=0`)).json;
    expect(any).toMatchObject({ items: { length: all.items.length } });
    expect(any).not.toMatchObject({ metadata: { continue: expect.any(String) } });
    const newest = (await http.send('GET', `${MAPS}?limit=1`)).json;
    expect(newest).toMatchObject({ items: { length: 1 }, metadata: { continue: expect.any(String) } });
  });
  it('refuses a body that is too large', async () => {
    const body = JSON.stringify(named('big', { data: { x: 'x'.repeat(LIMITS.http.bodyBytes) } }));
    expect(await http.send('POST', MAPS, body)).toMatchObject({ code: 413 });
  });
  it('lets nobody in with a bad token', async () => {
    const answer = await http.send('GET', MAPS, undefined, { authorization: 'Bearer bad' });
    expect(answer.json).toMatchObject({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' });
  });
});

describe('indented JSON', () => {
  it.each([
    ['', 'kubectl/v1.36.3', false],
    ['', 'curl/8.5.0', true],
    ['', 'Wget/1.21', true],
    ['', 'Mozilla/5.0 (X11; Linux)', true],
    ['?pretty=true', 'kubectl/v1.36.3', true],
    ['?pretty=false', 'curl/8.5.0', false],
    ['?pretty=', 'curl/8.5.0', true],
  ])('%s, asked for by %s: %s', async (query, agent, isIndented) => {
    for (const path of ['/api/v1/namespaces/default', '/api/v1/namespaces', '/apis/none/v1/x', '/api/v1']) {
      const { text } = await http.send('GET', `${path}${query}`, undefined, { 'user-agent': agent });
      if (text.startsWith('{')) expect([path, text.startsWith('{\n  "')]).toEqual([path, isIndented]);
    }
    for (const path of [
      `${MAPS}/none`,
      '/api/v1/namespaces/default',
      '/apis',
      '/api/v1/namespaces?limit=1',
    ]) {
      const address = `${path}${query.replace('?', path.includes('?') ? '&' : '?')}`;
      const { json, text } = await http.send('GET', address, undefined, { 'user-agent': agent });
      expect(text).toBe(isIndented ? JSON.stringify(json, null, 2) : `${JSON.stringify(json)}\n`);
    }
  });
  it('is what everybody gets of the version', async () => {
    const { json, text } = await http.send('GET', '/version', undefined, { 'user-agent': 'kubectl/v1.36.3' });
    expect(text).toBe(JSON.stringify(json, null, 2));
  });
});

describe('a deprecated kind', () => {
  it.each([
    ['endpoints', 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice'],
    ['componentstatuses', 'v1 ComponentStatus is deprecated in v1.19+'],
  ])('says so of %s with every answer', async (resource, text) => {
    const warning = `299 - "${text}"`;
    expect((await http.send('GET', `/api/v1/${resource}`)).headers).toMatchObject({ warning });
    if (resource !== 'endpoints') return;
    const created = await http.send('POST', '/api/v1/namespaces/default/endpoints', named('old'));
    expect([created.code, created.headers['warning']]).toEqual([201, warning]);
    const gone = await http.send('DELETE', '/api/v1/namespaces/default/endpoints/old');
    expect([gone.code, gone.headers['warning']]).toEqual([200, warning]);
  });
});

describe('namespaces', () => {
  it('are read, changed and finalized by their own path', async () => {
    await http.send('POST', '/api/v1/namespaces', named('own'));
    const path = '/api/v1/namespaces/own';
    expect((await http.send('GET', path)).json.status.phase).toBe('Active');
    const merge = { 'content-type': 'application/merge-patch+json' };
    expect((await http.send('PATCH', path, { metadata: { labels: { a: 'b' } } }, merge)).code).toBe(200);
    expect((await http.send('DELETE', path)).json.status.phase).toBe('Terminating');
    const { json } = await http.send('GET', path);
    expect((await http.send('GET', `${path}/finalize`)).code).toBe(405);
    await http.send('PUT', `${path}/finalize`, { ...json, spec: { finalizers: [] } });
    expect((await http.send('GET', path)).code).toBe(404);
  });
});

describe('discovery', () => {
  it('names every stable resource of Kubernetes with its verbs', async () => {
    const file = new URL('../../../build/facts/kubernetes-facts.json', import.meta.url);
    const { resources } = JSON.parse(readFileSync(file, 'utf8')) as { resources: Record<string, Route> };
    const differences: unknown[] = [];
    for (const [route, facts] of Object.entries(resources)) {
      const [group = '', version = '', ...path] = route.split('/');
      if (!/^v\d+$/.test(version)) continue;
      const at = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
      const { json } = await http.send('GET', at);
      const found = json?.resources?.find(({ name }: { name: string }) => name === path.join('/'));
      const verbs = found?.verbs.filter((verb: string) => verb !== 'watch');
      const served = { kind: found?.kind, namespaced: found?.namespaced, verbs };
      // What streams is written as a verb of its own in the facts.
      const expected = facts.verbs.includes('connect') ? { ...facts, verbs } : facts;
      if (JSON.stringify(served) !== JSON.stringify(expected)) differences.push([route, served, expected]);
    }
    expect(differences).toEqual([]);
  });

  it('hashes the version in which a resource is stored, as upstream does', async () => {
    const hashes: Record<string, unknown> = {};
    for (const path of ['/api/v1', '/apis/apps/v1', '/apis/autoscaling/v1', '/apis/events.k8s.io/v1']) {
      const { json } = await http.send('GET', path);
      for (const { name, storageVersionHash } of json.resources) hashes[name] = storageVersionHash;
    }
    expect(hashes).toMatchObject({
      pods: 'xPOwRZ+Yhw8=',
      deployments: '8aSe+NMegvE=',
      // Asked for as v1 and stored as v2, and stored in the core group.
      horizontalpodautoscalers: 'qwQve8ut294=',
      events: 'r2yiGXH7wu8=',
    });
    for (const name of ['pods/status', 'pods/eviction', 'deployments/scale', 'bindings', 'componentstatuses'])
      expect(hashes, name).toHaveProperty([name], undefined);
  });
});

describe('bodies of versions that are not served', () => {
  const typeMeta = (apiVersion: string, kind: string): ProtobufWriter =>
    new ProtobufWriter().string(1, apiVersion).string(2, kind);
  const protobuf = (apiVersion: string, kind: string, raw: ProtobufWriter): Buffer => {
    const unknown = new ProtobufWriter().message(1, typeMeta(apiVersion, kind)).bytes(2, raw.finish());
    return Buffer.concat([Buffer.from('k8s\0'), unknown.finish()]);
  };
  const asProtobuf = { 'content-type': 'application/vnd.kubernetes.protobuf' };

  it('evict a pod as policy/v1beta1, too', async () => {
    for (const isProtobuf of [false, true]) {
      const pod = { metadata: { name: 'old' }, spec: { containers: [{ name: 'a', image: 'a' }] } };
      expect((await http.send('POST', '/api/v1/namespaces/default/pods', pod)).code).toBe(201);
      const path = '/api/v1/namespaces/default/pods/old/eviction';
      const raw = new ProtobufWriter().message(1, new ProtobufWriter().string(1, 'old'));
      const answer = isProtobuf
        ? await http.send('POST', path, protobuf('policy/v1beta1', 'Eviction', raw), asProtobuf)
        : await http.send('POST', path, {
            apiVersion: 'policy/v1beta1',
            kind: 'Eviction',
            metadata: { name: 'old' },
          });
      expect(answer.json).toMatchObject({ kind: 'Status', status: 'Success', code: 201 });
      expect((await http.send('GET', '/api/v1/namespaces/default/pods/old')).code).toBe(404);
    }
  });

  it('are told from those that never were', async () => {
    const path = '/apis/apps/v1/namespaces/default/deployments';
    const old = await http.send(
      'POST',
      path,
      protobuf('apps/v1beta1', 'Deployment', new ProtobufWriter()),
      asProtobuf,
    );
    expect(old.json).toMatchObject({
      code: 400,
      message: 'the API version in the data (apps/v1beta1) does not match the expected API version (apps/v1)',
    });
    const never = await http.send('POST', path, { apiVersion: 'apps/v7', kind: 'Deployment' });
    expect(never.json.message).toContain('no kind "Deployment" is registered for version "apps/v7"');
  });
});

interface Route {
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

describe('status', () => {
  it('is gone when it is written without', async () => {
    const path = '/api/v1/nodes';
    await http.send('POST', path, {
      metadata: { name: 'board' },
      status: { nodeInfo: { machineID: 'a' }, phase: 'Running' },
    });
    const { json } = await http.send('PUT', `${path}/board/status`, { metadata: { name: 'board' } });
    expect(json.status?.phase).toBeUndefined();
  });
});

describe('answers', () => {
  it('warns of unknown fields', async () => {
    const answer = await http.send('POST', MAPS, named('warned', { foo: 1 }));
    expect(answer.code).toBe(201);
    expect(answer.headers['warning']).toContain('299 - "unknown field \\"foo\\""');
  });
  it('carries an audit id and is not to be cached', async () => {
    const { headers } = await http.send('GET', MAPS, undefined, { 'audit-id': 'mine-1' });
    expect(headers).toMatchObject({ 'audit-id': 'mine-1', 'cache-control': 'no-cache, private' });
  });
  it('speaks YAML both ways', async () => {
    const yaml = { 'content-type': 'application/yaml', accept: 'application/yaml' };
    const answer = await http.send('POST', MAPS, 'metadata: {name: written}\ndata: {a: "1"}\n', yaml);
    expect(answer.text).toContain('kind: ConfigMap');
    expect(answer.headers['content-type']).toBe('application/yaml');
  });
  it('prints tables', async () => {
    await http.send('POST', MAPS, named('tabled', { data: { a: '1' } }));
    const accept = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
    const { json } = await http.send(
      'GET',
      `${MAPS}?fieldSelector=metadata.name%3Dtabled`,
      undefined,
      accept,
    );
    expect(json).toMatchObject({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      rows: [{ cells: ['tabled', 1, expect.any(String)], object: { kind: 'PartialObjectMetadata' } }],
    });
    expect(json.columnDefinitions.map((one: { name: string }) => one.name)).toEqual(['Name', 'Data', 'Age']);
  });
  it('shows metadata alone', async () => {
    const accept = { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' };
    const { json } = await http.send('GET', MAPS, undefined, accept);
    expect(json.kind).toBe('PartialObjectMetadataList');
    expect(json.items[0]).not.toHaveProperty('data');
  });
  it('checks health by name', async () => {
    http.server.addReadyCheck({
      name: 'broken',
      check: () => {
        throw new Error('out of order');
      },
    });
    const answer = await http.send('GET', '/readyz?verbose');
    expect(answer.code).toBe(500);
    expect(answer.text).toContain('[+]ping ok\n');
    expect(answer.text).toContain('[-]broken failed: reason withheld\n');
    expect(await http.send('GET', '/readyz?exclude=broken')).toMatchObject({ code: 200, text: 'ok' });
    expect((await http.send('GET', '/readyz/broken')).text).toContain('out of order');
  });
  it('counts requests', async () => {
    const { text } = await http.send('GET', '/metrics');
    expect(text).toMatch(
      /apiserver_request_total\{verb="POST",dry_run="",group="",version="v1",resource="configmaps",subresource="",scope="namespace",component="apiserver",code="201"\} \d/,
    );
  });
  it('describes itself', async () => {
    expect((await http.send('GET', '/version')).json).toMatchObject({ major: '1', minor: '36' });
    const aggregated = {
      accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json',
    };
    const first = await http.send('GET', '/apis', undefined, aggregated);
    expect(first.json.kind).toBe('APIGroupDiscoveryList');
    const again = await http.send('GET', '/apis', undefined, {
      ...aggregated,
      'if-none-match': String(first.headers['etag']),
    });
    expect(again.code).toBe(304);
    expect((await http.send('GET', '/api/v1')).json).toMatchObject({
      kind: 'APIResourceList',
      groupVersion: 'v1',
    });
    const index = await http.send('GET', '/openapi/v3');
    const path = index.json.paths['api/v1'].serverRelativeURL as string;
    const document = await http.send('GET', path);
    expect(document.headers['cache-control']).toBe('public, immutable');
    expect(document.json.components.schemas['io.k8s.api.core.v1.Pod']).toBeDefined();
  });
  it('compresses a long list for those who take it', async () => {
    await http.send('POST', MAPS, named('long', { data: { x: 'x'.repeat(LIMITS.http.gzipFromBytes) } }));
    const { headers } = await http.send('GET', MAPS, undefined, { 'accept-encoding': 'gzip' });
    expect(headers['content-encoding']).toBe('gzip');
  });
});

describe('a delete', () => {
  it('answers with a Status, or with the object where upstream does', async () => {
    await http.send('POST', MAPS, named('gone'));
    expect((await http.send('DELETE', `${MAPS}/gone`)).json).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: 'gone', kind: 'configmaps', uid: expect.any(String) },
    });
    const services = '/api/v1/namespaces/default/services';
    await http.send('POST', services, named('gone', { spec: { ports: [{ port: 80 }] } }));
    expect((await http.send('DELETE', `${services}/gone`)).json).toMatchObject({ kind: 'Service' });
  });
});

describe('watches', () => {
  it('sends the state, then says that it is over, then changes', async () => {
    await http.send('POST', '/api/v1/namespaces', named('watched'));
    const maps = '/api/v1/namespaces/watched/configmaps';
    await http.send('POST', maps, named('a'));
    const query = 'watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan';
    let watching: ReturnType<TestHttp['watch']> = Promise.resolve([]);
    await new Promise<void>((resolve) => {
      watching = http.watch(`${maps}?${query}`, 3, (seen) => seen === 2 && resolve());
    });
    await http.send('POST', maps, named('b'));
    const events = await watching;
    expect(events.map(({ type }) => type)).toEqual(['ADDED', 'BOOKMARK', 'ADDED']);
    expect(events[1]?.object.metadata.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
  });
  it('ends when its time is up', async () => {
    const clock = new FakeClock();
    const own = await startTestHttp({ clock });
    const watching = own.watch(`${MAPS}?watch=1&timeoutSeconds=30&resourceVersion=99999`, 1);
    // The watch's own timer, beside those of the server, tells that it has begun.
    while (clock.timers < 2) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(30_000);
    expect(await watching).toEqual([]);
    await own.stop();
  });
});
