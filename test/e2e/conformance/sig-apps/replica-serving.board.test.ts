import { expect } from 'vitest';
import type { ReplicationController } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { programPod } from '../net-pods.ts';
import type { SpecContext } from '../spec-context.ts';

const LABELS = { name: 'basic' };
const template = { metadata: { labels: LABELS }, spec: programPod(['echo-server', 'http:9376']) };

/** Every replica runs and answers with its own name. */
async function serves(context: SpecContext, replicas: number): Promise<void> {
  const items = await context.until(
    `${replicas} running pods`,
    async () => {
      const { items } = await context.pods.list({ labelSelector: 'name=basic' });
      return items.length === replicas && items.every(({ status }) => status?.phase === 'Running') && items;
    },
    60_000,
  );
  for (const { metadata } of items) {
    const path = `${context.pods.path}/${metadata.name}:9376/proxy/`;
    await context.until(`${metadata.name} to answer with its name`, async () => {
      const { text } = await context.cluster.api.raw('GET', path);
      return text === metadata.name;
    });
  }
  expect(new Set(items.map(({ metadata }) => metadata.name)).size).toBe(replicas);
}

area('sig-apps', '', (spec) => {
  spec('ReplicaSet should serve a basic image on each replica with a public image', async (context) => {
    const fields = { replicas: 2, selector: { matchLabels: LABELS }, template };
    await context.replicaSets.create({ metadata: { name: 'basic' }, spec: fields });
    await serves(context, 2);
  });
  spec(
    'ReplicationController should serve a basic image on each replica with a public image',
    async (context) => {
      const controllers = context.resource<ReplicationController>('v1', 'replicationcontrollers');
      const fields = { replicas: 2, selector: LABELS, template };
      await controllers.create({ metadata: { name: 'basic' }, spec: fields });
      await serves(context, 2);
    },
  );
});
