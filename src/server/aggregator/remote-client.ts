import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { CertificateAndKey } from '../../lib/pki/certificate.ts';
import type { Dialer } from '../backend/dialer.ts';
import { readText } from '../backend/read-text.ts';
import type { BackendTransport } from '../backend/transport.ts';
import type { RemoteService } from './api-services.ts';
import { remoteBackend, remoteUserHeaders } from './remote-backend.ts';

export interface RemoteClientOptions {
  readonly dialer: Dialer;
  readonly transport: BackendTransport;
  /** What proves to backends that it is this server that asks; the newest one. */
  readonly certificate: () => CertificateAndKey | undefined;
  readonly clock: Clock;
}

export interface RemoteAnswer {
  readonly statusCode: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** The server's own questions to an aggregated API server. */
export class RemoteClient {
  readonly #options: RemoteClientOptions;

  constructor(options: RemoteClientOptions) {
    this.#options = options;
  }

  /** Rejects when there is no answer in time, whatever it says otherwise. */
  async get(
    remote: RemoteService,
    path: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<RemoteAnswer> {
    const { dialer, transport, certificate, clock } = this.#options;
    const deadline = new AbortController();
    const timer = clock.setTimer(LIMITS.aggregator.questionMs, () =>
      deadline.abort(new Error('context deadline exceeded')),
    );
    const { namespace, name, port } = remote.service;
    try {
      const answer = await transport.send(remoteBackend(remote, { dialer, certificate: certificate() }), {
        method: 'GET',
        path,
        headers: {
          host: `${name}.${namespace}.svc:${port}`,
          'user-agent': 'kube-aggregator',
          ...remoteUserHeaders(AGGREGATOR),
          ...headers,
        },
        signal: deadline.signal,
      });
      const text = await readText(answer, LIMITS.aggregator.documentBytes, deadline.signal);
      return { statusCode: answer.statusCode ?? 0, headers: answer.headers, text };
    } finally {
      timer.cancel();
    }
  }
}

/** May see everything, so that discovery is complete. */
const AGGREGATOR = { name: 'system:kube-aggregator', groups: ['system:masters'] };
