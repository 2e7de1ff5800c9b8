import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  mutatingWebhookConfigurations,
  validatingWebhookConfigurations,
} from '../../../api/resources.gen.ts';
import { FakeClock } from '../../../lib/fake-clock.ts';
import { startTestHttp, type TestHttp } from '../../http/test-http.fake.ts';
import { mutatingAdmissionWebhook } from './mutating.ts';
import { validatingAdmissionWebhook } from './validating.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';

let http: TestHttp;
let clock: FakeClock;
let asked: { name: string; timeoutMs: number }[];
/** How long the webhook at this address takes. */
let takesMs: Record<string, number>;

beforeEach(async () => {
  asked = [];
  takesMs = {};
  clock = new FakeClock();
  http = await startTestHttp({
    clock,
    admission: (original) => {
      const context = {
        ...original,
        webhooks: {
          async call({
            clientConfig: { url = '' },
            body,
            timeoutMs,
          }: Parameters<typeof original.webhooks.call>[0]) {
            const { request } = body as { request: { uid: string } };
            const name = new URL(url).hostname;
            asked.push({ name, timeoutMs });
            await clock.advance(Math.min(takesMs[name] ?? 0, timeoutMs));
            if ((takesMs[name] ?? 0) > timeoutMs) throw new Error('context deadline exceeded');
            const response = { uid: request.uid, allowed: true };
            return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response };
          },
        },
      };
      return [mutatingAdmissionWebhook(context), validatingAdmissionWebhook(context)];
    },
  });
});
afterEach(() => http.stop());

const webhook = (name: string, timeoutSeconds: number, failurePolicy = 'Fail') => ({
  name: `${name}.example.com`,
  clientConfig: { url: `https://${name}` },
  rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }],
  admissionReviewVersions: ['v1'],
  sideEffects: 'None',
  timeoutSeconds,
  failurePolicy,
});
const client = () => http.server.client({ name: 'tester', groups: [] }, 'test');
const create = (name: string, query: string) =>
  http.send('POST', `${MAPS}${query}`, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });

describe('the timeout of a request', () => {
  it('is shared by all webhooks', async () => {
    await client().create(mutatingWebhookConfigurations, {
      metadata: { name: 'm' },
      webhooks: [webhook('one', 20), webhook('two', 5), webhook('three', 20)],
    });
    await client().create(validatingWebhookConfigurations, {
      metadata: { name: 'v' },
      webhooks: [webhook('four', 20)],
    });
    takesMs = { one: 1000, two: 1000, three: 1000 };
    expect((await create('a', '?timeout=10s')).code).toBe(201);
    expect(asked).toEqual([
      { name: 'one', timeoutMs: 10_000 },
      { name: 'two', timeoutMs: 5000 },
      { name: 'three', timeoutMs: 8000 },
      { name: 'four', timeoutMs: 7000 },
    ]);
  });

  it.each([mutatingWebhookConfigurations, validatingWebhookConfigurations])(
    'ends the request in the midst of $resource that fail open: nothing is written',
    async (configurations) => {
      await client().create<{ metadata: object; webhooks: object[] }>(configurations as never, {
        metadata: { name: 'm' },
        webhooks: [webhook('slow', 4, 'Ignore')],
      });
      takesMs = { slow: 5000 };
      expect(await create('a', '?timeout=3s')).toMatchObject({
        code: 504,
        json: {
          reason: 'Timeout',
          message: expect.stringContaining('request did not complete within requested timeout'),
        },
      });
      expect(asked).toEqual([{ name: 'slow', timeoutMs: 3000 }]);
      expect((await http.send('GET', `${MAPS}/a`)).code).toBe(404);
      // Enough time for the webhook to fail and the request to go on without it.
      expect((await create('a', '?timeout=0s')).code).toBe(201);
      expect(asked.at(-1)).toEqual({ name: 'slow', timeoutMs: 4000 });
    },
  );

  it('is a duration', async () => {
    const refused = await http.send('GET', `${MAPS}?timeout=5`);
    expect(refused).toMatchObject({
      code: 400,
      json: {
        reason: 'BadRequest',
        message: 'invalid timeout specified in the request URL - time: missing unit in duration "5"',
      },
    });
    for (const text of ['', '30s', '1h', '-1s', '0'])
      expect((await http.send('GET', `${MAPS}?timeout=${text}`)).code).toBe(200);
  });
});
