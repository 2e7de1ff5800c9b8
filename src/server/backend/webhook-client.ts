import type { Clock } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { VERSION } from '../../lib/version.ts';
import { answerError, type WholeAnswer } from './answer-error.ts';
import type { Dialer } from './dialer.ts';
import { readText } from './read-text.ts';
import type { Backend, BackendTransport } from './transport.ts';

/** Who to call, as webhook configurations and CustomResourceDefinitions say it: `service` or `url`. */
export interface WebhookClientConfig {
  readonly service?:
    | {
        readonly namespace?: string;
        readonly name?: string;
        readonly path?: string | undefined;
        readonly port?: number | undefined;
      }
    | undefined;
  readonly url?: string | undefined;
  /** Base64 of PEM; the system's authorities where absent. */
  readonly caBundle?: string | undefined;
}

export interface WebhookCall {
  readonly clientConfig: WebhookClientConfig;
  /** Sent as JSON. */
  readonly body: object;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Calls webhooks: HTTPS servers outside of this one that are asked a question and answer it. */
export interface WebhookClient {
  /**
   * The answer, parsed. Rejects with an `ApiError` when the webhook answered with an error of its own, and with
   * another error in upstream's words (`Post "https://…": context deadline exceeded`) when it did not answer.
   */
  call(call: WebhookCall): Promise<unknown>;
}

export function createWebhookClient(options: {
  readonly dialer: Dialer;
  readonly transport: BackendTransport;
  readonly clock: Clock;
}): WebhookClient {
  const { dialer, transport, clock } = options;
  const post = async ({ clientConfig, body, timeoutMs, signal }: WebhookCall): Promise<WholeAnswer> => {
    const { backend, host, path } = backendOf(clientConfig, dialer);
    const pathAndQuery = `${path}?timeout=${Math.ceil(timeoutMs / 1000)}s`;
    const bytes = Buffer.from(JSON.stringify(body));
    const deadline = new AbortController();
    const timer = clock.setTimer(timeoutMs, () => deadline.abort(new Error('context deadline exceeded')));
    const ended = signal ? AbortSignal.any([deadline.signal, signal]) : deadline.signal;
    try {
      const answer = await transport.send(backend, {
        method: 'POST',
        path: pathAndQuery,
        headers: {
          host,
          accept: 'application/json, */*',
          'content-type': 'application/json',
          'content-length': bytes.length,
          'user-agent': `kube-apiserver-admission/${VERSION}`,
        },
        body: bytes,
        signal: ended,
      });
      const { statusCode = 0, headers } = answer;
      return { statusCode, headers, text: await readText(answer, LIMITS.backend.webhookAnswerBytes, ended) };
    } catch (error) {
      throw new Error(`Post "https://${host}${pathAndQuery}": ${reasonOf(error)}`, { cause: error });
    } finally {
      timer.cancel();
    }
  };
  return { call: async (call) => answerIn(await post(call)) };
}

interface Hook {
  readonly backend: Backend;
  /** As the `Host` header says it. */
  readonly host: string;
  readonly path: string;
}

function backendOf({ service, url, caBundle = '' }: WebhookClientConfig, dialer: Dialer): Hook {
  const ca = caBundle === '' ? undefined : Buffer.from(caBundle, 'base64').toString('utf8');
  if (service) {
    const { namespace = '', name = '', path = '/', port = 443 } = service;
    const serverName = `${name}.${namespace}.svc`;
    const host = `${serverName}:${port}`;
    const dial: Backend['dial'] = (signal) => dialer.service({ namespace, name, port }, signal);
    return { host, path, backend: { key: `service ${host} ${caBundle}`, tls: { serverName, ca }, dial } };
  }
  if (!url) throw new Error('webhook configuration must have either service or URL');
  const { host, hostname, port, pathname: path } = new URL(url);
  const serverName = hostname.replace(/^\[|\]$/g, '');
  const dial: Backend['dial'] = (signal) => dialer.address(serverName, Number(port || 443), signal);
  return { host, path, backend: { key: `url ${host} ${caBundle}`, tls: { serverName, ca }, dial } };
}

/** What the webhook said. Throws the error that it answered with, or one for what nobody can read. */
function answerIn(answer: WholeAnswer): unknown {
  const { statusCode, text } = answer;
  if (statusCode < 200 || statusCode > 206) throw answerError(answer);
  const value = parse(text);
  if (isFailure(value)) throw answerError(answer);
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`couldn't decode the answer: ${(cause as Error).message}`, { cause });
  }
}

function isFailure(value: unknown): boolean {
  const { kind, status } = (value ?? {}) as { kind?: unknown; status?: unknown };
  return kind === 'Status' && status === 'Failure';
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ECONNRESET') return 'EOF';
  return message;
}
