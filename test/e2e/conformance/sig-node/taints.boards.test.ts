import { expect } from 'vitest';
import type { Taint } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { running } from '../pod-output.ts';
import { onNode, pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const TAINT: Taint = {
  key: 'kubernetes.io/e2e-evict-taint-key',
  value: 'evictTaintVal',
  effect: 'NoExecute',
};

/** A pod that bears the taint for some seconds. */
async function tolerant(
  context: SpecContext,
  name: string,
  seconds: number,
  nodeName?: string,
): Promise<string> {
  const { key, value = '', effect } = TAINT;
  const tolerations = [{ key, value, effect, operator: 'Equal', tolerationSeconds: seconds }];
  const where = nodeName === undefined ? {} : onNode(nodeName);
  await context.pods.create(pod(name, {}, { tolerations, terminationGracePeriodSeconds: 1, ...where }));
  return (await running(context, name)).spec?.nodeName ?? '';
}

async function taint(context: SpecContext, nodeName: string): Promise<() => Promise<void>> {
  const { nodes } = context.cluster;
  const without = (taints: readonly Taint[] = []): Taint[] => taints.filter(({ key }) => key !== TAINT.key);
  await nodes.modify(nodeName, ({ spec: fields }) => {
    fields!.taints = [...without(fields?.taints), TAINT];
  });
  const untaint = async (): Promise<void> => {
    await nodes.modify(nodeName, ({ spec: fields }) => {
      fields!.taints = without(fields?.taints);
    });
  };
  context.defer(untaint);
  return untaint;
}

area('sig-node', 'NoExecuteTaintManager', (spec) => {
  spec(
    'Single Pod removing taint cancels eviction [Disruptive] [Serial]',
    async (context) => {
      const SECONDS = 12;
      const nodeName = await tolerant(context, 'taint-eviction', SECONDS);
      const { metadata } = await context.pods.get('taint-eviction');
      const untaint = await taint(context, nodeName);
      const stays = async () => {
        const found = await context.pods.find('taint-eviction');
        return found?.metadata.uid === metadata.uid && found?.metadata.deletionTimestamp === undefined;
      };
      await context.throughout('the pod stays while it may', (SECONDS * 1000) / 2, stays);
      await untaint();
      await context.throughout('the pod stays', SECONDS * 1000, stays);
    },
    { timeoutMs: 120_000 },
  );

  spec(
    'Multiple Pods evicts pods with minTolerationSeconds [Disruptive] [Serial]',
    async (context) => {
      const nodeName = await tolerant(context, 'taint-eviction-b1', 5);
      await tolerant(context, 'taint-eviction-b2', 15, nodeName);
      const watch = context.watch(context.pods);
      const begin = performance.now();
      await taint(context, nodeName);
      for (const [name, seconds] of [
        ['taint-eviction-b1', 5],
        ['taint-eviction-b2', 15],
      ] as const) {
        const { object } = await watch.next(
          ({ type, object: { metadata } }) =>
            metadata.name === name && (type === 'DELETED' || metadata.deletionTimestamp !== undefined),
          60_000,
        );
        const tookMs = performance.now() - begin;
        expect(tookMs).toBeGreaterThan(seconds * 1000 - 500);
        expect(tookMs).toBeLessThan(seconds * 1000 + 5_000);
        expect(object.status?.conditions).toContainEqual(
          expect.objectContaining({
            type: 'DisruptionTarget',
            status: 'True',
            reason: 'DeletionByTaintManager',
            message: 'Taint manager: deleting due to NoExecute taint',
          }),
        );
      }
    },
    { timeoutMs: 120_000 },
  );
});
