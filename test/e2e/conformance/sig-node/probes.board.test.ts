import { expect } from 'vitest';
import type { Container, Probe } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { running } from '../pod-output.ts';
import { programContainer, programVolumes } from '../pod-program.ts';
import { pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

/** How long a container that must not be restarted is watched: many periods of its probe. */
const STAYS_MS = 8_000;

const statusOf = async ({ pods }: SpecContext) => (await pods.get('probed')).status?.containerStatuses?.[0];

async function create(context: SpecContext, run: string, probes: Partial<Container>): Promise<void> {
  const container = { command: ['sh', '-c', run], ...probes };
  await context.pods.create(pod('probed', container, { terminationGracePeriodSeconds: 0 }));
}

const liveness = (probe: Partial<Probe>): Partial<Container> => ({
  livenessProbe: { initialDelaySeconds: 1, periodSeconds: 1, failureThreshold: 1, ...probe },
});
/** Serves gRPC health on port 5000 and is asked on another, or the same. */
async function createGrpc(context: SpecContext, port: number): Promise<void> {
  const { livenessProbe } = liveness({ grpc: { port }, initialDelaySeconds: 5, periodSeconds: 2 });
  const container = programContainer(['grpc-health', '5000'], { livenessProbe: livenessProbe! });
  const spec = { containers: [container], volumes: programVolumes, terminationGracePeriodSeconds: 0 };
  await context.pods.create({ metadata: { name: 'probed' }, spec });
}
const SERVER = 'mkdir -p /www; echo ok > /www/healthz; httpd -p 8080 -h /www';
const HTTP = { httpGet: { path: '/healthz', port: 8080 } };
const EXEC = { exec: { command: ['cat', '/tmp/health'] } };

async function isRestarted(context: SpecContext, times: number): Promise<void> {
  let last = 0;
  await context.until(
    `${times} restarts`,
    async () => {
      const count = (await statusOf(context))?.restartCount ?? 0;
      expect(count).toBeGreaterThanOrEqual(last);
      last = count;
      return count >= times;
    },
    150_000,
  );
}
async function isNotRestarted(context: SpecContext): Promise<void> {
  await running(context, 'probed');
  await context.throughout('no restart', STAYS_MS, async () => (await statusOf(context))?.restartCount === 0);
}

area('sig-node', 'Probing container', (spec) => {
  const LONG = { timeoutMs: 240_000 };
  spec(
    'with readiness probe should not be ready before initial delay and never restart [NodeConformance]',
    async (context) => {
      const readinessProbe = { exec: { command: ['true'] }, initialDelaySeconds: 5, periodSeconds: 1 };
      await create(context, 'exec sleep 100000', { readinessProbe });
      const { status } = await running(context, 'probed');
      const startedAt = Date.parse(status?.containerStatuses?.[0]?.state?.running?.startedAt ?? '');
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      expect(Date.parse(ready?.lastTransitionTime ?? '') - startedAt).toBeGreaterThanOrEqual(4_000);
      expect((await statusOf(context))?.restartCount).toBe(0);
    },
  );
  spec(
    'with readiness probe that fails should never be ready and never restart [NodeConformance]',
    async (context) => {
      const readinessProbe = { exec: { command: ['false'] }, periodSeconds: 1 };
      await create(context, 'exec sleep 100000', { readinessProbe });
      await context.until('the container to run', async () => (await statusOf(context))?.state?.running);
      await context.throughout('neither ready nor restarted', STAYS_MS, async () => {
        const status = await statusOf(context);
        return status?.ready === false && status.restartCount === 0;
      });
    },
  );
  spec(
    'should be restarted with a exec "cat /tmp/health" liveness probe [NodeConformance]',
    async (context) => {
      await create(
        context,
        'echo ok > /tmp/health; sleep 3; rm /tmp/health; exec sleep 100000',
        liveness(EXEC),
      );
      await isRestarted(context, 1);
    },
    LONG,
  );
  spec(
    'should *not* be restarted with a exec "cat /tmp/health" liveness probe [NodeConformance]',
    async (context) => {
      await create(context, 'echo ok > /tmp/health; exec sleep 100000', liveness(EXEC));
      await isNotRestarted(context);
    },
  );
  spec(
    'should be restarted with a /healthz http liveness probe [NodeConformance]',
    async (context) => {
      await create(context, `${SERVER}; sleep 3; rm /www/healthz; exec sleep 100000`, liveness(HTTP));
      await isRestarted(context, 1);
    },
    LONG,
  );
  spec('should *not* be restarted with a /healthz http liveness probe [NodeConformance]', async (context) => {
    await create(context, `${SERVER}; exec sleep 100000`, liveness({ ...HTTP, failureThreshold: 5 }));
    await isNotRestarted(context);
  });
  spec('should *not* be restarted with a tcp:8080 liveness probe [NodeConformance]', async (context) => {
    await create(context, `${SERVER}; exec sleep 100000`, liveness({ tcpSocket: { port: 8080 } }));
    await isNotRestarted(context);
  });
  spec(
    'should have monotonically increasing restart count [NodeConformance]',
    async (context) => {
      await create(context, `${SERVER}; sleep 2; rm /www/healthz; exec sleep 100000`, liveness(HTTP));
      await isRestarted(context, 3);
    },
    LONG,
  );
  spec('should *not* be restarted with a GRPC liveness probe [NodeConformance]', async (context) => {
    await createGrpc(context, 5000);
    await isNotRestarted(context);
  });
  spec(
    'should be restarted with a GRPC liveness probe [NodeConformance]',
    async (context) => {
      await createGrpc(context, 2333);
      await isRestarted(context, 1);
    },
    LONG,
  );
});
