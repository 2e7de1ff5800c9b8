import { expect } from 'vitest';
import { area } from '../area.ts';
import { programPod } from '../net-pods.ts';
import type { SpecContext } from '../spec-context.ts';

function tier(role: string, replicas: number, ...leads: string[]): object[] {
  const labels = { app: 'guestbook', role };
  const template = { metadata: { labels }, spec: programPod(['guestbook', role, ...leads]) };
  const spec = { replicas, selector: { matchLabels: labels }, template };
  const metadata = { name: role, labels };
  return [
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels, ports: [{ port: 80 }] } },
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec },
  ];
}

async function ask({ cluster, namespace }: SpecContext, path: string): Promise<string> {
  const service = `/api/v1/namespaces/${namespace}/services/frontend/proxy`;
  return (await cluster.api.raw('GET', `${service}${path}`)).text;
}

area('sig-cli', 'Kubectl client Guestbook application', (spec) => {
  spec(
    'should create and stop a working application',
    async (context) => {
      const items = [
        ...tier('primary', 1),
        ...tier('replica', 2, 'primary'),
        ...tier('frontend', 3, 'primary', 'replica'),
      ];
      const manifest = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
      await context.ok(['create', '-f', '-'], manifest);
      for (const role of ['primary', 'replica', 'frontend'])
        await context.ok(['rollout', 'status', `deployment/${role}`, '--timeout=60s']);
      await context.until(
        'the frontend to serve',
        async () => (await ask(context, '/get')) === '{"data":""}',
      );
      expect(await ask(context, '/set?value=TestEntry')).toBe('{"message":"Updated"}');
      await context.until('the entry', async () => (await ask(context, '/get')) === '{"data":"TestEntry"}');
      await context.ok(['delete', '--grace-period=0', '--force', '-f', '-'], manifest);
      await context.until(
        'nothing to be left',
        async () => {
          const left = await context.ok(['get', 'all', '-l', 'app=guestbook', '-o', 'name']);
          return left.trim() === '';
        },
        60_000,
      );
    },
    { timeoutMs: 180_000 },
  );
});
