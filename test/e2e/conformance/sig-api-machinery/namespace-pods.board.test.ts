import { expect } from 'vitest';
import { refusal } from '../api-client.ts';
import { area } from '../area.ts';
import { pod } from '../pods.ts';

area('sig-api-machinery', '', (spec) => {
  spec(
    'Namespaces should ensure that all pods are removed when a namespace is deleted [Serial]',
    async (context) => {
      const { namespaces } = context.cluster;
      const name = await context.newNamespace();
      const pods = context.resource('v1', 'pods', name);
      await pods.create(pod('left', {}, { terminationGracePeriodSeconds: 1 }));
      await context.until('the pod to run', async () => {
        const found = (await pods.get('left')) as { status?: { phase?: string } };
        return found.status?.phase === 'Running';
      });
      await namespaces.delete(name);
      await context.until('the namespace to go', async () => !(await namespaces.find(name)));
      await namespaces.create({ metadata: { name } });
      expect((await refusal(pods.get('left'))).code).toBe(404);
      expect((await pods.list()).items).toEqual([]);
    },
    { timeoutMs: 120_000 },
  );

  spec(
    'OrderedNamespaceDeletion namespace deletion should delete pod first',
    async (context) => {
      const { namespaces } = context.cluster;
      const name = await context.newNamespace();
      const pods = context.resource('v1', 'pods', name);
      const maps = context.resource('v1', 'configmaps', name);
      const finalizer = 'e2e.example.com/finalizer';
      const held = pod('held', {}, { terminationGracePeriodSeconds: 0 });
      await pods.create({ ...held, metadata: { name: 'held', finalizers: [finalizer] } });
      await maps.create({ metadata: { name: 'later' } });
      context.defer(async () => await pods.patch('held', { metadata: { finalizers: null } }));
      await namespaces.delete(name);
      await context.until('the pod to be told to go', async () => {
        const { metadata } = await pods.get('held');
        return metadata.deletionTimestamp !== undefined;
      });
      await context.until('the namespace to say what remains', async () => {
        const { status } = await namespaces.get(name);
        const remaining = status?.conditions?.find(({ type }) => type === 'NamespaceContentRemaining');
        const finalizers = status?.conditions?.find(({ type }) => type === 'NamespaceFinalizersRemaining');
        return (
          remaining?.status === 'True' &&
          /pods\. has 1 resource instances/.test(remaining.message ?? '') &&
          finalizers?.status === 'True' &&
          finalizers.message?.includes(finalizer)
        );
      });
      await context.throughout('the ConfigMap stays', 3_000, async () => {
        const found = await maps.find('later');
        return found !== undefined && found.metadata.deletionTimestamp === undefined;
      });
      await pods.patch('held', { metadata: { finalizers: null } });
      await context.until('the namespace to go', async () => !(await namespaces.find(name)), 60_000);
    },
    { timeoutMs: 120_000 },
  );
});
