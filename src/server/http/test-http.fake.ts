import { Pool } from 'undici';
import type { ApiServer } from '../api-server.ts';
import { startTestServer, type TestServerOptions } from '../test-server.fake.ts';
import type { ClientTimeouts } from './listener.ts';
import { testTls } from './test-tls.fake.ts';

export interface TestAnswer {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents of every kind
  readonly json: any;
}

export interface TestHttp {
  readonly server: ApiServer;
  readonly port: number;
  readonly ca: string;
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<TestAnswer>;
  /** Lines of a watch as they come, of which `onCount` is told; ends after `count`. */
  watch(
    path: string,
    count: number,
    onCount?: (seen: number) => void,
  ): Promise<{ type: string; object: TestAnswer['json'] }[]>;
  /** The same server on another port, with less patience for slow clients. */
  listen(timeouts: ClientTimeouts): Promise<number>;
  stop(): Promise<void>;
}

/** A test server that listens, and a client that shows raw answers. */
export function startTestHttp(options: TestServerOptions = {}): Promise<TestHttp> {
  return listenForTest(options);
}

/** The same, with less patience for slow clients. */
export async function listenForTest(
  options: TestServerOptions,
  timeouts?: ClientTimeouts,
): Promise<TestHttp> {
  const { server } = await startTestServer(options);
  const tls = testTls();
  const listening = { host: '127.0.0.1', port: 0, tls, ...(timeouts ? { timeouts } : {}) };
  const { port } = await server.listen(listening);
  const pool = new Pool(`https://127.0.0.1:${port}`, { connect: { ca: tls.ca } });
  const authorization = 'Bearer tester';
  return {
    server,
    port,
    ca: tls.ca,
    async send(method, path, body, headers = {}) {
      const answer = await pool.request({
        method: method as 'GET',
        path,
        headers: { authorization, 'content-type': 'application/json', ...headers },
        ...(body === undefined
          ? {}
          : { body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) }),
      });
      const text = await answer.body.text();
      const { 'content-type': type, 'content-encoding': encoding } = answer.headers;
      const isJson = encoding === undefined && String(type).startsWith('application/json');
      return {
        code: answer.statusCode,
        headers: answer.headers,
        text,
        json: isJson ? JSON.parse(text) : undefined,
      };
    },
    async watch(path, count, onCount) {
      const answer = await pool.request({ method: 'GET', path, headers: { authorization } });
      const events: { type: string; object: TestAnswer['json'] }[] = [];
      let text = '';
      for await (const chunk of answer.body) {
        text += (chunk as Buffer).toString('utf8');
        const lines = text.split('\n');
        text = lines.pop() ?? '';
        events.push(...lines.map((line) => JSON.parse(line)));
        onCount?.(events.length);
        if (events.length >= count) break;
      }
      return events;
    },
    async listen(timeouts) {
      return (await server.listen({ host: '127.0.0.1', port: 0, tls, timeouts })).port;
    },
    async stop() {
      await pool.destroy();
      await server.close();
    },
  };
}
