import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { startTestHttp } from './test-http.fake.ts';

it('ends watches cleanly when the server stops', async () => {
  const http = await startTestHttp();
  const maps = '/api/v1/namespaces/default/configmaps';
  await http.send('POST', maps, { metadata: { name: 'a' } });
  const watching = http.watch(`${maps}?watch=1&resourceVersion=999999`, 1);
  while (
    !(await http.send('GET', '/metrics')).text.includes(
      'longrunning_requests{verb="WATCH",group="",version="v1",resource="configmaps"} 1',
    )
  );
  await http.server.close();
  expect(await watching).toEqual([]);
  await http.stop();
});

it('closes although somebody never finishes the TLS handshake', async () => {
  const http = await startTestHttp();
  const socket = connect(http.port, '127.0.0.1');
  await once(socket, 'connect');
  await http.send('GET', '/healthz');
  const gone = once(socket, 'close');
  await http.stop();
  await gone;
});
