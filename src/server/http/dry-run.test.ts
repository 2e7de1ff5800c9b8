import { request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer } from '../test-server.fake.ts';
import { testTls } from './test-tls.fake.ts';

let stop: () => Promise<void>;
let send: (method: string, path: string, body?: object, contentType?: string) => Promise<unknown>;

beforeAll(async () => {
  const { server } = await startTestServer();
  const tls = testTls();
  const { port } = await server.listen({ host: '127.0.0.1', port: 0, tls });
  send = (method, path, body, contentType = 'application/json') =>
    new Promise((resolve, reject) => {
      const headers = { authorization: 'Bearer tester', 'content-type': contentType };
      const sent = request(
        { host: '127.0.0.1', port, method, path, headers, ca: tls.ca, agent: false },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
        },
      );
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  stop = () => server.close();
});
afterAll(() => stop());

describe('a dry run', () => {
  it('answers with what would be stored, and stores nothing', async () => {
    const maps = '/api/v1/namespaces/default/configmaps';
    await send('POST', maps, { metadata: { name: 'a' }, data: { x: 'old' } });
    const patched = await send(
      'PATCH',
      `${maps}/a?dryRun=All`,
      { data: { x: 'new' } },
      'application/merge-patch+json',
    );
    expect(patched).toMatchObject({ data: { x: 'new' } });
    expect(await send('GET', `${maps}/a`)).toMatchObject({ data: { x: 'old' } });
  });
});
