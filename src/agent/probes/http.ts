import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { LIMITS } from '../../lib/limits.ts';
import type { CheckResult } from './check.ts';

export interface HttpCheck {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly userAgent: string;
  readonly timeoutMs: number;
}

/**
 * GET as a kubelet probes: 200–399 is healthy, certificates are not checked, redirects to the same host are followed
 * (one elsewhere counts as healthy), nothing is kept alive.
 */
export async function httpCheck(options: HttpCheck): Promise<CheckResult> {
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  const shown = `${options.scheme}://${host}:${options.port}${options.path.startsWith('/') ? '' : '/'}${options.path}`;
  const deadline = AbortSignal.timeout(options.timeoutMs);
  let url = new URL(shown);
  const first = url.hostname;
  try {
    for (let hop = 0; hop <= LIMITS.agent.probeRedirects; hop++) {
      const response = await get(url, options, deadline);
      const status = response.statusCode ?? 0;
      const location = response.headers.location;
      if (status >= 300 && status < 400 && location !== undefined && status !== 304) {
        response.destroy();
        const to = new URL(location, url);
        if (to.hostname !== first) return { ok: true, output: 'Probe terminated redirects' };
        url = to;
        continue;
      }
      const body = await readBody(response);
      if (status >= 200 && status < 400) return { ok: true, output: body };
      return { ok: false, output: `HTTP probe failed with statuscode: ${status}` };
    }
    return { ok: false, output: `Get ${JSON.stringify(shown)}: stopped after 10 redirects` };
  } catch (error) {
    return { ok: false, output: `Get ${JSON.stringify(shown)}: ${reasonOf(error, options, deadline)}` };
  }
}

function get(url: URL, options: HttpCheck, signal: AbortSignal): Promise<IncomingMessage> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of options.headers) {
    const known = headers[name];
    headers[name] = known === undefined ? value : [known, value].flat();
  }
  const given = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  if (!given.has('user-agent')) headers['User-Agent'] = options.userAgent;
  if (!given.has('accept')) headers['Accept'] = '*/*';
  headers['Connection'] = 'close';
  const send = url.protocol === 'https:' ? tlsRequest : plainRequest;
  return new Promise((resolve, reject) => {
    const request = send(
      url,
      { headers, signal, agent: false, ...(url.protocol === 'https:' ? { rejectUnauthorized: false } : {}) },
      resolve,
    );
    request.on('error', reject);
    request.end();
  });
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= LIMITS.agent.probeBodyBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, LIMITS.agent.probeBodyBytes).toString('utf8');
}

/** Go's words for the everyday failures. */
function reasonOf(error: unknown, options: HttpCheck, deadline: AbortSignal): string {
  if (deadline.aborted) return 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
  return dialError(error, options.host, options.port);
}

/** `dial tcp 10.42.0.7:80: connect: connection refused` */
export function dialError(error: unknown, host: string, port: number): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connect: connection refused',
    EHOSTUNREACH: 'connect: no route to host',
    ENETUNREACH: 'connect: network is unreachable',
    ETIMEDOUT: 'i/o timeout',
  };
  const known = words[code];
  if (known !== undefined) return `dial tcp ${address}: ${known}`;
  if (code === 'ECONNRESET') return 'read: connection reset by peer';
  return error instanceof Error ? error.message : String(error);
}
