import { expect } from 'vitest';
import type { Namespace } from '../../../../src/api/types.gen.ts';
import { refusal } from '../api-client.ts';
import { area } from '../area.ts';

area('sig-api-machinery', 'Namespaces', (spec) => {
  spec(
    'should ensure that all services are removed when a namespace is deleted [Serial]',
    async (context) => {
      const { namespaces } = context.cluster;
      const name = await context.newNamespace();
      const services = context.resource('v1', 'services', name);
      const service = {
        metadata: { name: 'left' },
        spec: { selector: { foo: 'bar', baz: 'blah' }, ports: [{ port: 80, targetPort: 80 }] },
      };
      await services.create(service);
      const gone = await namespaces.delete(name);
      expect(gone).toMatchObject({ kind: 'Namespace', status: { phase: 'Terminating' } });
      await context.until('the namespace to go', async () => !(await namespaces.find(name)));
      await namespaces.create({ metadata: { name } });
      expect((await refusal(services.get('left'))).code).toBe(404);
      expect((await services.list()).items).toEqual([]);
    },
  );

  spec('should patch a Namespace [Serial]', async (context) => {
    const { namespaces } = context.cluster;
    const name = await context.newNamespace();
    const patch = { metadata: { labels: { testLabel: 'testValue' } } };
    await namespaces.patch(name, patch, { type: 'strategic' });
    expect((await namespaces.get(name)).metadata.labels?.['testLabel']).toBe('testValue');
  });

  spec('should apply an update to a Namespace [Serial]', async (context) => {
    const { namespaces } = context.cluster;
    const name = await context.newNamespace();
    const updated = await namespaces.modify(name, ({ metadata }) => {
      metadata.labels = { ...metadata.labels, [name]: 'updated' };
    });
    expect(updated.metadata.labels).toMatchObject({ [name]: 'updated', 'kubernetes.io/metadata.name': name });
    expect((await namespaces.get(name)).metadata.labels?.[name]).toBe('updated');
  });

  spec('should apply changes to a namespace status [Serial]', async (context) => {
    const { namespaces } = context.cluster;
    const name = await context.newNamespace();
    const status = await namespaces.get(name, 'status');
    expect(status.status?.phase).toBe('Active');
    const condition = (type: string) => ({
      type,
      status: 'True',
      reason: 'E2E',
      message: `${type} by an e2e test`,
    });
    const patched = await namespaces.patch(
      name,
      {
        metadata: { annotations: { 'e2e-patched-ns-status': name } },
        status: { conditions: [condition('StatusPatch')] },
      },
      { subresource: 'status' },
    );
    expect(patched.metadata.annotations?.['e2e-patched-ns-status']).toBe(name);
    expect(patched.status?.conditions?.at(-1)).toMatchObject(condition('StatusPatch'));
    const updated = await namespaces.modify(
      name,
      (namespace: Namespace) => {
        namespace.status?.conditions?.push(condition('StatusUpdate'));
      },
      'status',
    );
    expect(updated.status?.phase).toBe('Active');
    expect(updated.status?.conditions?.map(({ type }) => type)).toEqual(['StatusPatch', 'StatusUpdate']);
  });

  spec('should apply a finalizer to a Namespace [Serial]', async (context) => {
    const { namespaces } = context.cluster;
    const name = await context.newNamespace();
    const ours = 'e2e.example.com/fakeFinalizer';
    const submitted = await namespaces.get(name);
    const added = await namespaces.update(
      { ...submitted, spec: { finalizers: ['kubernetes', ours] } },
      'finalize',
    );
    expect(added.spec?.finalizers).toEqual(['kubernetes', ours]);
    expect((await namespaces.get(name)).spec?.finalizers).toContain(ours);
    const removed = await namespaces.update({ ...added, spec: { finalizers: ['kubernetes'] } }, 'finalize');
    expect(removed.spec?.finalizers).toEqual(['kubernetes']);
    expect((await namespaces.get(name)).spec?.finalizers).toEqual(['kubernetes']);
  });
});
