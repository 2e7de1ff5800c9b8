import { connect } from 'node:http2';
import type { CheckResult } from './check.ts';

/** `HealthCheckResponse.ServingStatus` by number (grpc/health/v1/health.proto). */
const SERVING_STATUS = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;
const UNIMPLEMENTED = '12';

/** Calls `grpc.health.v1.Health/Check` in plain HTTP/2, as upstream's gRPC prober. */
export function grpcCheck(
  host: string,
  port: number,
  service: string,
  timeoutMs: number,
): Promise<CheckResult> {
  return new Promise((resolve) => {
    const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const session = connect(`http://${address}`);
    const timer = setTimeout(
      () =>
        end({
          ok: false,
          output: `timeout: failed to connect service ${JSON.stringify(address)} within ${timeoutMs / 1000}s: context deadline exceeded`,
        }),
      timeoutMs,
    );
    const end = (result: CheckResult): void => {
      clearTimeout(timer);
      session.destroy();
      resolve(result);
    };
    session.on('error', (error) =>
      end({
        ok: false,
        output: `error: failed to connect service at ${JSON.stringify(address)}: ${error.message}`,
      }),
    );
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': `${Math.ceil(timeoutMs)}m`,
    });
    let status = '';
    const chunks: Buffer[] = [];
    stream.on('response', (headers) => {
      status = String(headers['grpc-status'] ?? '');
    });
    stream.on('trailers', (headers) => {
      status = String(headers['grpc-status'] ?? status);
    });
    stream.on('data', (chunk: Buffer) => chunks.length < 16 && chunks.push(chunk));
    stream.on('error', (error) =>
      end({ ok: false, output: `error: health rpc probe failed: ${error.message}` }),
    );
    stream.on('close', () => end(verdict(status, Buffer.concat(chunks), address)));
    stream.end(healthRequest(service));
  });
}

/** A gRPC frame around `HealthCheckRequest { string service = 1; }`. */
export function healthRequest(service: string): Buffer {
  const name = Buffer.from(service, 'utf8');
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  while (left > 127) {
    bytes.push((left & 127) | 128);
    left >>>= 7;
  }
  return Buffer.from([...bytes, left]);
}

function verdict(status: string, body: Buffer, address: string): CheckResult {
  if (status === UNIMPLEMENTED)
    return {
      ok: false,
      output: `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${address}`,
    };
  if (status !== '0' || body.length < 5)
    return { ok: false, output: `error: health rpc probe failed: grpc status ${status || 'missing'}` };
  // `HealthCheckResponse { ServingStatus status = 1; }`: an absent field is UNKNOWN.
  const code = body[5] === 0x08 ? (body[6] ?? 0) : 0;
  const name = SERVING_STATUS[code] ?? String(code);
  if (name === 'SERVING') return { ok: true, output: `service healthy` };
  return { ok: false, output: `service unhealthy (responded with ${JSON.stringify(name)})` };
}
