import { afterAll, beforeAll, expect, it } from 'vitest';
import { createAdmission } from '../../src/server/admission/table.ts';
import { startTestHttp, type TestHttp } from '../../src/server/http/test-http.fake.ts';
import { type HostileRequest, hostileRequest } from './hostile-request.ts';
import { Random } from './random.ts';
import { type RawAnswer, rawExchange, requestBytes } from './raw-connection.ts';

/** `npm run fuzz` asks for more, and for another seed each time. */
const SEED = Number(process.env['KEDGE_FUZZ_SEED'] ?? 1);
const RUNS = Number(process.env['KEDGE_FUZZ_RUNS'] ?? 300);
const AT_ONCE = 8;

let http: TestHttp;
beforeAll(async () => {
  http = await startTestHttp({ admission: createAdmission });
});
afterAll(() => http.stop());

/** What is not answered by a Status: pages that are no part of the API, as upstream words them. */
const PLAIN = [/^404 page not found\n$/, /^ok$/, /^(\[[+-]\]|internal server error)/, /^$/];

function problemOf(request: HostileRequest, answer: RawAnswer | 'closed' | 'hung'): string | undefined {
  if (answer === 'hung') return 'never answered';
  // Bytes that are no HTTP request end the connection; nothing of the API has seen them.
  if (answer === 'closed') return 'closed without an answer';
  const { code, headers, body } = answer;
  if (!(code >= 200 && code < 600)) return `answered ${code}`;
  if (code === 500 || code === 501 || code === 502) return `answered ${code}: ${body.slice(0, 500)}`;
  if (code < 400 || request.method === 'HEAD') return undefined;
  if (headers.get('content-encoding') === 'gzip') return undefined;
  if (headers.get('content-type')?.startsWith('application/json')) {
    const { kind, status, code: inside, message } = JSON.parse(body);
    const isStatus =
      kind === 'Status' && status === 'Failure' && inside === code && typeof message === 'string';
    return isStatus ? undefined : `${code} with ${body.slice(0, 300)}`;
  }
  if (headers.get('content-type')?.startsWith('application/yaml') && /kind: Status/.test(body))
    return undefined;
  return PLAIN.some((one) => one.test(body)) || code === 400
    ? undefined
    : `${code} with ${body.slice(0, 300)}`;
}

it(
  'answers every hostile request with a Status',
  async () => {
    const problems: string[] = [];
    const run = async (seed: number): Promise<void> => {
      const request = hostileRequest(new Random(seed));
      const answer = await rawExchange(http, requestBytes(request));
      const problem = problemOf(request, answer);
      if (problem !== undefined)
        problems.push(
          `seed ${seed}: ${request.method} ${request.path} [${request.headers.join('; ')}] ${request.body.toString('latin1').slice(0, 200)}\n  ${problem}`,
        );
    };
    let next = SEED * 1_000_003;
    const last = next + RUNS;
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (next < last && problems.length < 10) await run(next++);
      }),
    );
    expect(problems.join('\n')).toBe('');
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(await http.send('GET', '/readyz')).toMatchObject({ code: 200 });
    const { heapUsed, external } = process.memoryUsage();
    expect(heapUsed + external).toBeLessThan(400 * 1024 * 1024);
  },
  RUNS * 1000 + 60_000,
);

it('still serves what it stored meanwhile', async () => {
  const { json } = await http.send('GET', '/api/v1/configmaps');
  expect(json.kind).toBe('ConfigMapList');
  expect(await http.send('GET', '/openapi/v3')).toMatchObject({ code: 200 });
});
