import { Duplex, duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { echoNode } from './echo-node.fake.ts';
import { type ForwardStream, PortForwarder } from './port-forward.ts';

/** What a client opens for one connection to a pod whose port is `target`; resolves the client's ends. */
function connect(portForward: () => Promise<Duplex>): {
  data: Duplex;
  error: Promise<string>;
  ownData: Duplex;
} {
  const node = { ...echoNode({ sizes: [], requests: [] }), portForward };
  const forwarder = new PortForwarder(node, { namespace: 'ns', name: 'web', uid: 'u' });
  const [ownData, data] = duplexPair();
  const [ownError, error] = duplexPair();
  for (const [stream, streamtype] of [
    [ownError, 'error'],
    [ownData, 'data'],
  ] as const)
    forwarder.add(
      Object.assign(stream, { headers: { streamtype, port: '80', requestid: '0' } }) as ForwardStream,
    );
  error.end();
  return { data, error: text(error), ownData };
}

describe('port forward', () => {
  it('delivers everything when the pod closes first, and calls that no error', async () => {
    const [target, server] = duplexPair();
    const { data, error } = connect(async () => target);
    data.write('GET /');
    server.once('data', () => server.end('x'.repeat(300_000)));
    expect((await text(data)).length).toBe(300_000);
    expect(await error).toBe('');
    expect(target.destroyed).toBe(true);
  });

  it('waits for the answer when the client closes first', async () => {
    const [target, server] = duplexPair();
    const { data, error } = connect(async () => target);
    const answer = text(data);
    data.end('question');
    server.once('end', () => server.end('answer')).resume();
    expect(await answer).toBe('answer');
    expect(await error).toBe('');
  });

  it('says why there is no connection', async () => {
    const { data, error } = connect(async () => {
      throw new Error('connection refused');
    });
    data.on('error', () => {});
    expect(await error).toBe('an error occurred forwarding 80 in pod ns/web: connection refused');
  });

  it('lets go of the pod when the client goes', async () => {
    const target = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    const { ownData } = connect(async () => target);
    await new Promise((done) => setImmediate(done));
    ownData.destroy();
    await new Promise((done) => target.once('close', done));
    expect(target.destroyed).toBe(true);
  });
});
