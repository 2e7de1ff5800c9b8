import { expect } from 'vitest';
import type { RuntimeClass } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

async function scheduled(context: SpecContext, more: Partial<RuntimeClass>) {
  const classes = context.cluster.resource<RuntimeClass>('node.k8s.io/v1', 'runtimeclasses');
  const runtimeClassName = context.unique('class');
  await classes.create({ metadata: { name: runtimeClassName }, handler: 'runc', ...more });
  context.defer(async () => await classes.delete(runtimeClassName));
  await context.pods.create(pod('classed', {}, { runtimeClassName, terminationGracePeriodSeconds: 0 }));
  return await context.until('the pod to be scheduled', async () => {
    const found = await context.pods.get('classed');
    const condition = found.status?.conditions?.find(({ type }) => type === 'PodScheduled');
    return condition?.status === 'True' && found;
  });
}

area('sig-node', 'RuntimeClass', (spec) => {
  spec(
    'should schedule a Pod requesting a RuntimeClass without PodOverhead [NodeConformance]',
    async (context) => {
      const found = await scheduled(context, {});
      expect(found.spec?.overhead).toBeUndefined();
      expect(found.spec?.nodeName).not.toBe('');
    },
  );
  spec(
    'should schedule a Pod requesting a RuntimeClass and initialize its Overhead [NodeConformance]',
    async (context) => {
      const podFixed = { cpu: '10m', memory: '1Mi' };
      const found = await scheduled(context, { overhead: { podFixed } });
      expect(found.spec?.overhead).toEqual(podFixed);
    },
  );
});
