import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startTestHttp, type TestHttp } from '../http/test-http.fake.ts';
import { echoNode } from './echo-node.fake.ts';

const PODS = '/api/v1/namespaces/default/pods';
const seen = { sizes: [] as string[], requests: [] as never[] };
let http: TestHttp;

beforeAll(async () => {
  http = await startTestHttp({ connector: { connect: async () => echoNode(seen) } });
  const pod = (name: string, spec: object) =>
    http.send('POST', PODS, {
      metadata: { name },
      spec: { containers: [{ name: 'c', image: 'x' }], ...spec },
    });
  await pod('p', { nodeName: 'board' });
  await pod('waiting', {});
  await pod('two', {
    nodeName: 'board',
    containers: [
      { name: 'a', image: 'x' },
      { name: 'b', image: 'x' },
    ],
  });
});
afterAll(() => http.stop());

interface Conversation {
  readonly messages: Buffer[];
  readonly closeCode: number;
}

/** Opens, sends once open, and collects until the server closes. */
function converse(path: string, protocol: string, send: (Buffer | string)[] = []): Promise<Conversation> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`wss://127.0.0.1:${http.port}${path}`, [protocol], {
      ca: http.ca,
      headers: { authorization: 'Bearer tester' },
    });
    const messages: Buffer[] = [];
    socket.on('open', () => {
      for (const one of send) socket.send(one);
    });
    socket.on('message', (message: Buffer) => messages.push(message));
    socket.on('close', (closeCode) => resolve({ messages, closeCode }));
    socket.on('error', reject);
  });
}

const channel = (messages: Buffer[], wanted: number): string =>
  messages
    .filter((message) => message[0] === wanted)
    .map((message) => message.subarray(1).toString())
    .join('');

describe('exec over WebSocket', () => {
  it('carries output and success', async () => {
    const { messages, closeCode } = await converse(
      `${PODS}/p/exec?command=hello&stdout=1&stderr=1`,
      'v5.channel.k8s.io',
    );
    expect(channel(messages, 1)).toBe('hello\n');
    expect(JSON.parse(channel(messages, 3))).toEqual({ metadata: {}, status: 'Success' });
    expect(closeCode).toBe(1000);
  });
  it('tells the exit code as kubectl reads it', async () => {
    const { messages } = await converse(
      `${PODS}/p/exec?command=exit&command=7&stdout=1&stderr=1`,
      'v4.channel.k8s.io',
    );
    expect(channel(messages, 2)).toBe('failing\n');
    expect(JSON.parse(channel(messages, 3))).toMatchObject({
      status: 'Failure',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '7' }] },
    });
  });
  it('ends the input when v5 closes its channel, and resizes', async () => {
    const { messages } = await converse(
      `${PODS}/p/exec?command=cat&stdin=1&stdout=1&tty=1`,
      'v5.channel.k8s.io',
      [
        Buffer.from('\x04{"Width":100,"Height":40}'),
        Buffer.from('\x04nonsense'),
        Buffer.from('\0input'),
        Buffer.from([255, 0]),
      ],
    );
    expect(channel(messages, 1)).toBe('input');
    expect(seen.sizes).toContain('100x40');
  });
  it('speaks base64 to those who cannot do binary', async () => {
    const { messages } = await converse(`${PODS}/p/exec?command=hello&stdout=1`, 'base64.channel.k8s.io');
    expect(messages.map(String)).toContain(`1${Buffer.from('hello\n').toString('base64')}`);
  });
  it.each([
    ['waiting/exec?command=x&stdout=1', 400],
    ['none/exec?command=x&stdout=1', 404],
    ['p/exec?command=x', 400],
    ['p/exec?stdout=1', 400],
    ['two/exec?command=x&stdout=1', 400],
    ['p/exec?command=x&stdout=1&container=zz', 400],
  ])('refuses %s with a Status before the handshake', async (path, code) => {
    await expect(converse(`${PODS}/${path}`, 'v5.channel.k8s.io')).rejects.toThrow(
      `Unexpected server response: ${code}`,
    );
  });
  it('lets no node write headers', async () => {
    const path = `${PODS}/p/exec?command=forge&stdout=1`;
    const headers = { authorization: 'Bearer tester' };
    const socket = new WebSocket(`wss://127.0.0.1:${http.port}${path}`, ['v5.channel.k8s.io'], {
      ...{ ca: http.ca, headers },
    });
    socket.on('error', () => {});
    const answer = await new Promise<IncomingMessage>((resolve) =>
      socket.once('unexpected-response', (_, received) => resolve(received)),
    );
    expect([answer.statusCode, answer.statusMessage]).toEqual([400, 'Bad Request']);
    expect(answer.headers).not.toHaveProperty('x-forged');
    answer.destroy();
  });
  it('ends the process of a client that left before it had started', async () => {
    const ended: string[] = [];
    let client: WebSocket | undefined;
    const node = echoNode({ sizes: [], requests: [], ended });
    const exec: typeof node.exec = async (request) => {
      client?.terminate();
      await new Promise((resolve) => setTimeout(resolve, 50));
      return node.exec(request);
    };
    const board = await startTestHttp({ connector: { connect: async () => ({ ...node, exec }) } });
    try {
      const spec = { nodeName: 'board', containers: [{ name: 'c', image: 'x' }] };
      await board.send('POST', PODS, { metadata: { name: 'p' }, spec });
      const url = `wss://127.0.0.1:${board.port}${PODS}/p/exec?command=hang&stdout=1`;
      const headers = { authorization: 'Bearer tester' };
      client = new WebSocket(url, ['v5.channel.k8s.io'], { ca: board.ca, headers });
      client.on('error', () => {});
      await expect.poll(() => ended, { timeout: 20_000 }).toEqual(['hang']);
    } finally {
      await board.stop();
    }
  });
  it('refuses a protocol it does not know', async () => {
    await expect(converse(`${PODS}/p/exec?command=x&stdout=1`, 'v9.example')).rejects.toThrow('400');
  });
});

describe('SPDY', () => {
  const upgrade = (path: string, headers: Record<string, string>) =>
    new Promise<{ code: number; protocol: unknown }>((resolve, reject) => {
      const sent = httpsRequest({
        host: '127.0.0.1',
        port: http.port,
        ca: http.ca,
        method: 'POST',
        path,
        agent: false,
        headers: { authorization: 'Bearer tester', connection: 'Upgrade', upgrade: 'SPDY/3.1', ...headers },
      });
      sent.on('upgrade', (answer, socket) => {
        socket.destroy();
        resolve({ code: answer.statusCode ?? 0, protocol: answer.headers['x-stream-protocol-version'] });
      });
      sent.on('response', (answer) => resolve({ code: answer.statusCode ?? 0, protocol: undefined }));
      sent.on('error', reject);
      sent.end();
    });

  it('agrees on the newest protocol both know', async () => {
    const headers = { 'x-stream-protocol-version': 'channel.k8s.io, v3.channel.k8s.io' };
    expect(await upgrade(`${PODS}/p/exec?command=x&stdout=1`, headers)).toEqual({
      code: 101,
      protocol: 'v3.channel.k8s.io',
    });
  });
  it('refuses when there is none', async () => {
    const headers = { 'x-stream-protocol-version': 'v9.example' };
    expect((await upgrade(`${PODS}/p/exec?command=x&stdout=1`, headers)).code).toBe(400);
  });
});

describe('logs', () => {
  it('can be read over a WebSocket, by whoever may get them', async () => {
    const path = `${PODS}/two/log?container=b&tailLines=5`;
    const { messages, closeCode } = await converse(path, 'binary.k8s.io');
    expect(Buffer.concat(messages).toString()).toBe('log of b 5\n');
    expect(closeCode).toBe(1000);
    const coded = await converse(path, 'base64.binary.k8s.io');
    expect(coded.messages.map(String)).toEqual([Buffer.from('log of b 5\n').toString('base64')]);
    for (const [of, protocol, code] of [
      [path, 'v5.channel.k8s.io', 400],
      [`${PODS}/none/log`, 'binary.k8s.io', 404],
    ] as const)
      await expect(converse(of, protocol)).rejects.toThrow(`Unexpected server response: ${code}`);
  });
  it('are plain text of the container asked for', async () => {
    const answer = await http.send('GET', `${PODS}/two/log?container=b&tailLines=5`);
    expect(answer).toMatchObject({ code: 200, text: 'log of b 5\n' });
    expect(answer.headers['content-type']).toBe('text/plain');
  });
  it('of a pod that is on no node are nothing yet', async () => {
    const metadata = { name: 'unplaced' };
    const spec = { containers: [{ name: 'a', image: 'a' }] };
    expect((await http.send('POST', PODS, { metadata, spec })).code).toBe(201);
    expect(await http.send('GET', `${PODS}/unplaced/log?follow=true`)).toMatchObject({ code: 204, text: '' });
    const other = await http.send('GET', `${PODS}/unplaced/log?container=b`);
    expect([other.code, other.json.message]).toEqual([400, 'container b is not valid for pod unplaced']);
  });
  it('need a container where there are several', async () => {
    expect((await http.send('GET', `${PODS}/two/log`)).json.message).toBe(
      'a container name must be specified for pod two, choose one of: [a b]',
    );
  });
  it.each(['tailLines=-1', 'sinceSeconds=0', 'limitBytes=x', 'sinceTime=yesterday'])(
    'refuse %s',
    async (query) => {
      expect((await http.send('GET', `${PODS}/p/log?${query}`)).code).toBe(400);
    },
  );
});
