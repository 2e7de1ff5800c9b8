import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestHttp, type TestHttp } from '../http/test-http.fake.ts';
import { echoNode } from './echo-node.fake.ts';

const NODES = '/api/v1/nodes';
let http: TestHttp;
beforeAll(async () => {
  http = await startTestHttp({
    connector: { connect: async () => echoNode({ sizes: [], requests: [] }) },
    allow: (user, verb) => user.name !== 'reader' || verb !== 'create',
  });
  await http.send('POST', NODES, { metadata: { name: 'board' } });
});
afterAll(() => http.stop());

describe('nodes/proxy', () => {
  it("shows the kubelet's documents, by the node's name with or without its port", async () => {
    for (const name of ['board', 'board:10250', 'https:board:10250']) {
      const { code, text, headers } = await http.send('GET', `${NODES}/${name}/proxy/healthz`);
      expect([code, text, headers['content-type']]).toEqual([200, 'ok', 'text/plain']);
    }
  });
  it('refuses other ports, paths, methods and nodes', async () => {
    const code = async (method: string, path: string): Promise<number> =>
      (await http.send(method, `${NODES}/${path}`)).code;
    expect(await code('GET', 'board:80/proxy/healthz')).toBe(400);
    expect(await code('GET', 'a:b:c:d/proxy/healthz')).toBe(400);
    expect(await code('GET', 'board/proxy/run')).toBe(404);
    expect(await code('GET', 'board/proxy')).toBe(404);
    expect(await code('GET', 'other/proxy/healthz')).toBe(404);
    expect(await code('POST', 'board/proxy/healthz')).toBe(405);
  });
  it('is in discovery', async () => {
    const { json } = await http.send('GET', '/api/v1');
    expect(json.resources.find(({ name }: { name: string }) => name === 'nodes/proxy')).toMatchObject({
      kind: 'NodeProxyOptions',
      verbs: ['get'],
      namespaced: false,
    });
  });
});
