import type { Lifecycle } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { addressOf, programPod } from '../net-pods.ts';
import { printed, running } from '../pod-output.ts';
import { pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const LONG = { timeoutMs: 120_000 };

/** A pod that writes every request into its log; its address. */
async function handler(context: SpecContext, name = 'pod-handle-http-request'): Promise<string> {
  const readinessProbe = { tcpSocket: { port: 8080 }, periodSeconds: 1 };
  const spec = programPod(['echo-server', 'http:8080'], { readinessProbe });
  await context.pods.create({ metadata: { name }, spec });
  await running(context, name);
  return await addressOf(context, name);
}

/** A request by a command of a container. */
const request = (host: string, path: string) => ({
  exec: { command: ['sh', '-c', `printf 'GET ${path} HTTP/1.0\\r\\n\\r\\n' | nc -w 5 ${host} 8080`] },
});

async function hooked(context: SpecContext, lifecycle: Lifecycle): Promise<void> {
  await context.pods.create(pod('hooked', { lifecycle }, { terminationGracePeriodSeconds: 15 }));
  await running(context, 'hooked');
}
async function remove(context: SpecContext): Promise<void> {
  await context.pods.delete('hooked');
  await context.until('the pod to go', async () => !(await context.pods.find('hooked')), 60_000);
}

area('sig-node', 'Container Lifecycle Hook when create a pod with lifecycle hook', (spec) => {
  for (const hook of ['poststart', 'prestop'] as const)
    for (const kind of ['exec', 'http'] as const)
      spec(
        `should execute ${hook} ${kind} hook properly [NodeConformance]`,
        async (context) => {
          const host = await handler(context);
          const path = `/echo?msg=${hook}`;
          const action = kind === 'exec' ? request(host, path) : { httpGet: { path, host, port: 8080 } };
          await hooked(context, hook === 'poststart' ? { postStart: action } : { preStop: action });
          if (hook === 'poststart') await printed(context, 'pod-handle-http-request', `GET ${path}`, 'main');
          await remove(context);
          await printed(context, 'pod-handle-http-request', `GET ${path}`, 'main');
        },
        LONG,
      );
});

area('sig-node', 'PreStop', (spec) => {
  spec(
    'should call prestop when killing a pod',
    async (context) => {
      const host = await handler(context, 'server');
      await hooked(context, { preStop: request(host, '/prestop') });
      await context.pods.delete('hooked');
      await printed(context, 'server', 'GET /prestop', 'main');
      await context.until('the pod to go', async () => !(await context.pods.find('hooked')), 60_000);
    },
    LONG,
  );
});
