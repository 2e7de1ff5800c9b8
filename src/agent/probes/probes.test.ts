import { createServer as createHttpServer } from 'node:http';
import { createServer as createGrpcServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Container, Probe } from '../../api/types.gen.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { type CheckTarget, check, resolvePort } from './check.ts';
import { healthRequest } from './grpc.ts';
import { Prober } from './prober.ts';
import { track, UNTRIED } from './tracker.ts';

const open: { close(): void }[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

const target = (container: Partial<Container> = {}): CheckTarget => ({
  runtime: {
    execSync: async (_, argv) => ({ exitCode: argv[0] === 'good' ? 0 : 1, output: argv.join(' ') }),
  },
  containerId: 'c',
  container: { name: 'main', ...container },
  podIP: '127.0.0.1',
  version: '1.36',
});

async function listen(server: {
  listen(port: number, host: string, ready: () => void): unknown;
  address(): unknown;
  close(): void;
}) {
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

describe('checks', () => {
  it('ask over HTTP with the given headers and judge by status', async () => {
    const agents: (string | undefined)[] = [];
    const port = await listen(
      createHttpServer((request, response) => {
        agents.push(request.headers['user-agent']);
        if (request.url === '/moved') response.writeHead(302, { location: '/ok' });
        else if (request.url === '/away') response.writeHead(302, { location: 'http://192.0.2.1/' });
        else response.statusCode = request.headers['x-pin'] === '1' || request.url === '/ok' ? 200 : 503;
        response.end('fine');
      }),
    );
    const ask = (path: string, headers: { name: string; value: string }[] = []) =>
      check({ httpGet: { port, path, httpHeaders: headers } }, 1000, target());
    expect(await ask('/ok')).toEqual({ ok: true, output: 'fine' });
    expect(await ask('/bad')).toEqual({ ok: false, output: 'HTTP probe failed with statuscode: 503' });
    expect((await ask('/bad', [{ name: 'X-Pin', value: '1' }])).ok).toBe(true);
    expect((await ask('/moved')).ok).toBe(true);
    expect((await ask('/away')).ok).toBe(true);
    expect(agents[0]).toBe('kube-probe/1.36');
  });

  it('say in Go’s words that nobody answers, or not in time', async () => {
    const silent = createHttpServer(() => {});
    const port = await listen(silent);
    const slow = await check({ httpGet: { port, path: '/x' } }, 100, target());
    expect(slow.output).toContain('context deadline exceeded');
    silent.closeAllConnections();
    silent.close();
    const closed = await check({ httpGet: { port, path: '/x' } }, 1000, target());
    expect(closed.output).toBe(
      `Get "http://127.0.0.1:${port}/x": dial tcp 127.0.0.1:${port}: connect: connection refused`,
    );
    const tcp = await check({ tcpSocket: { port } }, 1000, target());
    expect(tcp).toEqual({ ok: false, output: `dial tcp 127.0.0.1:${port}: connect: connection refused` });
  });

  it('call the gRPC health service', async () => {
    let answer = [0, 0, 0, 0, 2, 8, 1];
    let asked: Buffer = Buffer.alloc(0);
    const port = await listen(
      createGrpcServer().on('stream', (stream: ServerHttp2Stream) => {
        stream.on('data', (chunk: Buffer) => {
          asked = chunk;
        });
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(Buffer.from(answer));
      }),
    );
    expect((await check({ grpc: { port, service: 'db' } }, 1000, target())).ok).toBe(true);
    expect(asked).toEqual(healthRequest('db'));
    answer = [0, 0, 0, 0, 2, 8, 2];
    expect(await check({ grpc: { port } }, 1000, target())).toEqual({
      ok: false,
      output: 'service unhealthy (responded with "NOT_SERVING")',
    });
  });

  it('run commands and find named ports', async () => {
    expect((await check({ exec: { command: ['good'] } }, 1000, target())).ok).toBe(true);
    expect(await check({ exec: { command: ['bad', 'luck'] } }, 1000, target())).toEqual({
      ok: false,
      output: 'bad luck',
    });
    expect(resolvePort('web', { name: 'm', ports: [{ name: 'web', containerPort: 81 }] })).toBe(81);
    expect(() => resolvePort('none', { name: 'm' })).toThrow('invalid syntax');
  });
});

describe('thresholds', () => {
  it('need as many answers in a row as the probe says', () => {
    const probe: Probe = { failureThreshold: 2, successThreshold: 2 };
    const verdicts = [true, false, false, true, true].map(
      ((state) => (ok: boolean) => {
        const step = track(state.now, ok, probe);
        state.now = step.state;
        return step.verdict;
      })({ now: UNTRIED }),
    );
    expect(verdicts).toEqual([undefined, undefined, false, undefined, true]);
  });
});

describe('prober', () => {
  it('lets the startup probe go first, then asks the others, each in its own time', async () => {
    const clock = new FakeClock();
    const asked: string[] = [];
    const verdicts: string[] = [];
    const prober = new Prober({
      clock,
      target: target({
        startupProbe: { periodSeconds: 1, exec: { command: ['startup'] } },
        readinessProbe: { periodSeconds: 2, exec: { command: ['readiness'] } },
        livenessProbe: { periodSeconds: 3, initialDelaySeconds: 4, exec: { command: ['liveness'] } },
      }),
      startedMono: 0,
      onVerdict: (kind, ok) => verdicts.push(`${kind} ${ok}`),
      onFailure: () => {},
      ask: async (probe) => {
        const name = probe.exec?.command?.[0] ?? '';
        asked.push(`${clock.monotonicMs() / 1000} ${name}`);
        return { ok: name !== 'startup' || clock.monotonicMs() >= 2000, output: '' };
      },
    });
    prober.start(false);
    await clock.advance(7000);
    prober.stop();
    expect(asked).toEqual([
      ...['0 startup', '1 startup', '2 startup'],
      ...['2 readiness', '4 liveness', '4 readiness', '6 readiness', '7 liveness'],
    ]);
    expect(verdicts[0]).toBe('startup true');
    expect(clock.timers).toBe(0);
  });
});
