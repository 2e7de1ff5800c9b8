import { request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flowSchemas, priorityLevelConfigurations } from '../../api/resources.gen.ts';
import type { FlowSchema } from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import { startTestHttp, type TestHttp } from '../http/test-http.fake.ts';

let http: TestHttp;
let client: Client;
beforeAll(async () => {
  http = await startTestHttp();
  client = http.server.client({ name: 'admin', groups: ['system:masters'] });
});
afterAll(() => http.stop());

const until = async (check: () => Promise<boolean>): Promise<void> => {
  for (let turn = 0; !(await check()); turn++) {
    if (turn > 1000) throw new Error('it never came true');
    await new Promise((resolve) => setImmediate(resolve));
  }
};

describe('a server', () => {
  it('has the mandatory and suggested objects, with their conditions', async () => {
    expect((await client.list(priorityLevelConfigurations)).items).toHaveLength(8);
    await until(async () =>
      (await client.list(flowSchemas)).items.every((one) => one.status?.conditions?.[0]?.status === 'False'),
    );
    expect((await client.list(flowSchemas)).items).toHaveLength(11);
  });

  it('brings back what is deleted, and does not let the fixed ones be changed', async () => {
    await client.delete(flowSchemas, { name: 'exempt' });
    await client.delete(priorityLevelConfigurations, { name: 'workload-low' });
    await until(async () => (await client.list(flowSchemas)).items.length === 11);
    await until(async () => (await client.list(priorityLevelConfigurations)).items.length === 8);
    const fixed = structuredClone(await client.get(flowSchemas, { name: 'catch-all' }));
    fixed.spec!.matchingPrecedence = 500;
    await expect(client.update(flowSchemas, fixed)).rejects.toThrow(
      "spec of 'catch-all' must equal the fixed value",
    );
  });

  it('says in its answers which schema and level counted', async () => {
    const own: FlowSchema = {
      metadata: { name: 'tester' },
      spec: {
        matchingPrecedence: 7,
        priorityLevelConfiguration: { name: 'system' },
        rules: [
          {
            subjects: [{ kind: 'User', user: { name: 'tester' } }],
            resourceRules: [{ verbs: ['*'], apiGroups: [''], resources: ['*'], namespaces: ['*'] }],
          },
        ],
      },
    };
    const { metadata } = await client.create(flowSchemas, own);
    const level = await client.get(priorityLevelConfigurations, { name: 'system' });
    await until(async () => {
      const { headers } = await http.send('GET', '/api/v1/namespaces/default/configmaps');
      return (
        headers['x-kubernetes-pf-flowschema-uid'] === metadata.uid &&
        headers['x-kubernetes-pf-prioritylevel-uid'] === level.metadata.uid
      );
    });
  });

  it('refuses with 429 and a time to wait when a level has no seat left', async () => {
    await client.create(priorityLevelConfigurations, {
      metadata: { name: 'none' },
      spec: {
        type: 'Limited',
        limited: { nominalConcurrencyShares: 0, borrowingLimitPercent: 0, limitResponse: { type: 'Reject' } },
      },
    });
    await client.patch(
      flowSchemas,
      { name: 'tester' },
      { type: 'merge', body: { spec: { priorityLevelConfiguration: { name: 'none' } } } },
    );
    // A body that never comes holds the one seat that a level always has.
    const path = '/api/v1/namespaces/default/configmaps';
    const slow = request({
      port: http.port,
      ca: http.ca,
      path,
      method: 'POST',
      headers: { authorization: 'Bearer tester', 'content-type': 'application/json', 'content-length': 100 },
    });
    slow.on('error', () => {});
    slow.write('{');
    let refused: Awaited<ReturnType<TestHttp['send']>> | undefined;
    await until(async () => {
      refused = await http.send('GET', path);
      return refused.code === 429;
    });
    slow.destroy();
    expect(refused?.json).toMatchObject({ kind: 'Status', reason: 'TooManyRequests', code: 429 });
    expect(refused?.headers['retry-after']).toMatch(/^\d+$/);
    const { text } = await http.send('GET', '/metrics');
    expect(text).toMatch(
      /rejected_requests_total\{priority_level="none",flow_schema="tester",reason="concurrency-limit"\} \d/,
    );
  });
});
