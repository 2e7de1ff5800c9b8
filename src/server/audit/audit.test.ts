import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { configMaps } from '../../api/resources.gen.ts';
import { systemClock } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { podSecurity } from '../admission/pod-security.ts';
import type { AdmissionPlugin } from '../admission/port.ts';
import { startTestHttp, type TestHttp } from '../http/test-http.fake.ts';
import { Audit } from './audit.ts';
import { parsePolicy } from './policy.ts';

const lines: string[] = [];
const POLICY = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitManagedFields: true
rules:
  - level: None
    verbs: [deletecollection]
  - level: RequestResponse
    resources:
      - resources: [configmaps]
  - level: Metadata
`;

/** Says what a webhook that changes objects says. */
const patching: AdmissionPlugin = {
  name: 'Patching',
  handles: () => true,
  validate({ annotate }) {
    annotate('mutation.webhook.admission.k8s.io/round_0_index_0', '{"mutated":true}');
    annotate('patch.webhook.admission.k8s.io/round_0_index_0', '{"patch":"secret"}');
  },
};

let http: TestHttp;
beforeAll(async () => {
  const log = {
    write: (line: string) => void lines.push(line),
    dropped: 0,
    errors: 0,
    close: async () => {},
  };
  const audit = new Audit({ policy: parsePolicy(POLICY), log, clock: systemClock });
  http = await startTestHttp({
    audit,
    admission: [podSecurity(), patching],
    allow: (user) => user.name !== 'nobody',
  });
});
afterAll(() => http.stop());
beforeEach(() => {
  lines.length = 0;
});

interface Event {
  stage: string;
  auditID: string;
  annotations?: Record<string, string>;
  requestObject?: { metadata?: object };
  responseObject?: { metadata?: { managedFields?: unknown } };
}
const events = (): Event[] => lines.map((line) => JSON.parse(line));
const completed = (): Event | undefined => events().find(({ stage }) => stage === 'ResponseComplete');
const MAPS = '/api/v1/namespaces/default/configmaps';

describe('audit events', () => {
  it('tell who did what, with the objects where the policy wants them', async () => {
    const headers = { 'user-agent': 'test', 'x-forwarded-for': '192.0.2.7', 'audit-id': 'given' };
    await http.send('POST', `${MAPS}?fieldManager=m`, { metadata: { name: 'a' }, data: { x: 'y' } }, headers);
    expect(events().map(({ stage }) => stage)).toEqual(['RequestReceived', 'ResponseComplete']);
    expect(completed()).toMatchObject({
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: 'RequestResponse',
      auditID: 'given',
      requestURI: `${MAPS}?fieldManager=m`,
      verb: 'create',
      user: { username: 'tester', groups: ['system:authenticated'] },
      sourceIPs: ['192.0.2.7', '127.0.0.1'],
      userAgent: 'test',
      objectRef: { resource: 'configmaps', namespace: 'default', name: 'a', apiVersion: 'v1' },
      responseStatus: { metadata: {}, code: 201 },
      requestObject: { data: { x: 'y' } },
      responseObject: { metadata: { name: 'a' }, data: { x: 'y' } },
      requestReceivedTimestamp: expect.stringMatching(/^\d{4}-.*\.\d{6}Z$/),
      annotations: { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': '' },
    });
    expect(completed()?.responseObject?.metadata?.managedFields).toBeUndefined();
  });

  it('tell of refusals and bad credentials', async () => {
    await http.send('GET', `${MAPS}/none`);
    expect(completed()).toMatchObject({
      responseStatus: {
        status: 'Failure',
        reason: 'NotFound',
        code: 404,
        message: 'configmaps "none" not found',
      },
    });
    lines.length = 0;
    await http.send('GET', MAPS, undefined, { authorization: 'Bearer nobody' });
    expect(completed()).toMatchObject({
      responseStatus: { code: 403 },
      annotations: { 'authorization.k8s.io/decision': 'forbid' },
    });
    lines.length = 0;
    await http.send('GET', MAPS, undefined, { authorization: 'Bearer bad' });
    expect(completed()).toMatchObject({ user: { username: '' }, responseStatus: { code: 401 } });
  });

  it('tell of patches, lists, impersonation and non-resource paths', async () => {
    const patch = { 'content-type': 'application/merge-patch+json', 'impersonate-user': 'ann' };
    await http.send('PATCH', `${MAPS}/a`, { data: { z: '1' } }, patch);
    expect(completed()).toMatchObject({
      verb: 'patch',
      user: { username: 'tester' },
      impersonatedUser: { username: 'ann' },
      authenticationMetadata: { impersonationConstraint: 'impersonate:user-info' },
      requestObject: { data: { z: '1' } },
    });
    lines.length = 0;
    await http.send('GET', `${MAPS}?limit=1`);
    expect(completed()).toMatchObject({ verb: 'list', responseObject: { kind: 'ConfigMapList' } });
    lines.length = 0;
    await http.send('GET', '/version');
    expect(completed()).toMatchObject({ level: 'Metadata', verb: 'get', requestURI: '/version' });
    expect(completed()).not.toHaveProperty('objectRef');
  });

  it('tell when a watch starts and when it is over', async () => {
    await http.watch(`${MAPS}?watch=1`, 1);
    while (!completed()) await new Promise((resolve) => setImmediate(resolve));
    expect(events().map(({ stage }) => stage)).toEqual([
      'RequestReceived',
      'ResponseStarted',
      'ResponseComplete',
    ]);
    expect(new Set(events().map(({ auditID }) => auditID)).size).toBe(1);
  });

  it('carry what admission has to say', async () => {
    const labels = { 'pod-security.kubernetes.io/audit': 'restricted' };
    await http.send('POST', '/api/v1/namespaces', { metadata: { name: 'audited', labels } });
    lines.length = 0;
    const spec = { containers: [{ name: 'a', image: 'b' }] };
    await http.send('POST', '/api/v1/namespaces/audited/pods', { metadata: { name: 'p' }, spec });
    expect(completed()?.annotations).toMatchObject({
      'pod-security.kubernetes.io/enforce-policy': 'privileged:latest',
      'pod-security.kubernetes.io/audit-violations': expect.stringContaining(
        'would violate PodSecurity "restricted:latest"',
      ),
    });
    expect(completed()?.requestObject).toBeUndefined();
  });

  it('show what webhooks changed only where they show objects', async () => {
    await http.send('POST', '/api/v1/namespaces/default/secrets', { metadata: { name: 's' } });
    const names = () => Object.keys(completed()?.annotations ?? {}).filter((one) => one.includes('webhook'));
    expect(names()).toEqual(['mutation.webhook.admission.k8s.io/round_0_index_0']);
    lines.length = 0;
    await http.send('POST', MAPS, { metadata: { name: 'patched' } });
    expect(names()).toContain('patch.webhook.admission.k8s.io/round_0_index_0');
  });

  it('stay short', async () => {
    const data = { big: 'x'.repeat(LIMITS.audit.eventChars) };
    await http.send('POST', MAPS, { metadata: { name: 'big' }, data });
    expect(completed()?.annotations).toMatchObject({ 'audit.k8s.io/truncated': 'true' });
    expect(completed()?.requestObject).toBeUndefined();
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(LIMITS.audit.eventChars);
  });

  it('are not made where the policy does not want them', async () => {
    await http.send('DELETE', `${MAPS}?labelSelector=none`);
    expect(lines).toEqual([]);
  });

  it('tell of what controllers in the same process do', async () => {
    const client = http.server.client({ name: 'system:kube-controller-manager', groups: [] });
    await client.get(configMaps, { namespace: 'default', name: 'none' }).catch(() => {});
    expect(completed()).toMatchObject({
      verb: 'get',
      requestURI: `${MAPS}/none`,
      user: { username: 'system:kube-controller-manager' },
      objectRef: { resource: 'configmaps', namespace: 'default', name: 'none' },
      responseStatus: { code: 404, reason: 'NotFound' },
    });
  });

  it('are counted', async () => {
    const { text } = await http.send('GET', '/metrics');
    expect(text).toMatch(/\napiserver_audit_event_total \d\d/);
  });
});
