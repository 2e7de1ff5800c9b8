import { connect } from 'node:net';
import type { CheckResult } from './check.ts';
import { dialError } from './http.ts';

/** Healthy when a connection opens in time. */
export function tcpCheck(host: string, port: number, timeoutMs: number): Promise<CheckResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (result: CheckResult): void => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(timeoutMs, () => end({ ok: false, output: `dial tcp ${host}:${port}: i/o timeout` }));
    socket.once('connect', () => end({ ok: true, output: '' }));
    socket.once('error', (error) => end({ ok: false, output: dialError(error, host, port) }));
  });
}
