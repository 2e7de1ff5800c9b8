import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestHttp, type TestHttp } from './test-http.fake.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
let http: TestHttp;
beforeAll(async () => {
  http = await startTestHttp();
});
afterAll(() => http.stop());

const body = (name: string) => JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
const names = async (): Promise<string[]> => {
  const { json } = await http.send('GET', MAPS);
  return (json as { items: { metadata: { name: string } }[] }).items.map((one) => one.metadata.name);
};
/** Two answers later whatever was read before has been dealt with. */
const settle = async (name: string) => {
  await http.send('POST', MAPS, { metadata: { name } });
  return names();
};

describe('a body that is cut off', () => {
  // What came is a whole object in itself, so that only the missing end tells.
  it.each([
    ['as announced', `content-length: 500\r\n\r\n${body('cut')}`],
    [
      'in chunks',
      `transfer-encoding: chunked\r\n\r\n${body('cut').length.toString(16)}\r\n${body('cut')}\r\n`,
    ],
  ])('counts for nothing over HTTP/1.1, %s', async (_, rest) => {
    const socket = connect({ port: http.port, host: '127.0.0.1', ca: http.ca, servername: 'localhost' });
    socket.on('error', () => {});
    const head = 'host: a\r\ncontent-type: application/json\r\nauthorization: Bearer tester\r\n';
    socket.write(`POST ${MAPS} HTTP/1.1\r\n${head}${rest}`);
    await settle(`before-${rest.length}`);
    socket.destroy();
    await once(socket, 'close');
    expect(await settle(`after-${rest.length}`)).toEqual(expect.not.arrayContaining(['cut']));
  });

  it.each(['reset', 'gone'])('counts for nothing over HTTP/2: %s', async (how) => {
    const session = connectHttp2(`https://127.0.0.1:${http.port}`, { ca: http.ca, servername: 'localhost' });
    session.on('error', () => {});
    const stream = session.request({
      ':method': 'POST',
      ':path': MAPS,
      authorization: 'Bearer tester',
      'content-type': 'application/json',
    });
    stream.on('error', () => {});
    stream.write(body('cut'));
    await settle(`before-${how}`);
    if (how === 'reset') stream.close(8);
    else session.destroy();
    await once(stream, 'close');
    session.destroy();
    expect(await settle(`after-${how}`)).toEqual(expect.not.arrayContaining(['cut']));
  });
});
