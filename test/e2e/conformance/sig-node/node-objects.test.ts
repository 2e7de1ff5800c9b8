import { expect } from 'vitest';
import type { Lease, Node, PodTemplate, RuntimeClass } from '../../../../src/api/types.gen.ts';
import { refusal } from '../api-client.ts';
import { checkApiOperations } from '../api-operations.ts';
import { area } from '../area.ts';
import { pod, podTemplate } from '../pods.ts';

area('sig-node', 'Lease', (spec) => {
  spec('lease API should be available', async (context) => {
    const leases = context.resource<Lease>('coordination.k8s.io/v1', 'leases');
    const labels = { type: 'conformance' };
    const made = await leases.create({
      metadata: { name: 'lease', labels },
      spec: {
        holderIdentity: 'holder',
        leaseDurationSeconds: 30,
        acquireTime: '2026-01-01T00:00:00.000000Z',
        renewTime: '2026-01-01T00:00:02.000000Z',
        leaseTransitions: 0,
      },
    });
    const read = await leases.get('lease');
    expect(read.spec).toEqual(made.spec);
    const later = {
      holderIdentity: 'holder2',
      leaseDurationSeconds: 60,
      acquireTime: '2026-01-01T00:00:10.500000Z',
      renewTime: '2026-01-01T00:00:11.123456Z',
      leaseTransitions: 1,
    };
    await leases.update({ ...read, spec: later });
    expect((await leases.get('lease')).spec).toEqual(later);
    const latest = { ...later, holderIdentity: 'holder3', leaseTransitions: 2 };
    await leases.patch('lease', { spec: latest }, { type: 'strategic' });
    expect((await leases.get('lease')).spec).toEqual(latest);
    await leases.create({ metadata: { name: 'lease2', labels: { type: 'other' } } });
    expect((await leases.list()).items).toHaveLength(2);
    await leases.deleteCollection({ labelSelector: 'type=conformance' });
    await context.until('the first to go', async () => !(await leases.find('lease')));
    expect((await leases.list()).items.map(({ metadata }) => metadata.name)).toEqual(['lease2']);
    await leases.delete('lease2');
    expect((await refusal(leases.get('lease2'))).reason).toBe('NotFound');
  });
});

area('sig-node', 'Node Lifecycle', (spec) => {
  spec('should run through the lifecycle of a node', async (context) => {
    const { nodes } = context.cluster;
    const name = context.unique('e2e-fake-node');
    const labelSelector = `e2e=${name}`;
    context.defer(async () => await nodes.delete(name));
    const watch = context.watch(nodes, { fieldSelector: `metadata.name=${name}` });
    await nodes.create({
      metadata: { name, labels: { e2e: name } },
      status: { phase: 'Running' },
    });
    expect((await watch.next()).type).toBe('ADDED');
    const made = await nodes.get(name);
    expect(made.metadata.name).toBe(name);
    expect(made.status?.phase).toBe('Running');
    await nodes.patch(name, { metadata: { labels: { [name]: 'patched' } } }, { type: 'strategic' });
    expect((await nodes.get(name)).metadata.labels?.[name]).toBe('patched');
    expect((await nodes.list({ labelSelector: `${name}=patched` })).items).toHaveLength(1);
    const updated = await nodes.modify(name, ({ metadata }: Node) => {
      metadata.labels = { ...metadata.labels, [name]: 'updated' };
    });
    expect(updated.metadata.labels?.[name]).toBe('updated');
    await nodes.delete(name);
    await watch.next(({ type }) => type === 'DELETED');
    expect((await nodes.list({ labelSelector })).items).toEqual([]);
    expect((await refusal(nodes.get(name))).code).toBe(404);
  });
});

area('sig-node', 'PodTemplates', (spec) => {
  spec('should run the lifecycle of PodTemplates', async (context) => {
    const templates = context.resource<PodTemplate>('v1', 'podtemplates');
    const labels = { 'podtemplate-static': 'true' };
    await templates.create({ metadata: { name: 'lived', labels }, template: podTemplate({}) });
    const read = await templates.get('lived');
    expect(read.template?.spec?.containers[0]).toMatchObject({
      terminationMessagePath: '/dev/termination-log',
    });
    const patch = { metadata: { labels: { podtemplate: 'patched' } } };
    await templates.patch('lived', patch, { type: 'strategic' });
    expect((await templates.get('lived')).metadata.labels).toEqual({ ...labels, podtemplate: 'patched' });
    const everywhere = context.cluster.resource<PodTemplate>('v1', 'podtemplates');
    const listed = await everywhere.list({ labelSelector: 'podtemplate=patched' });
    expect(listed.items.filter(({ metadata }) => metadata.namespace === context.namespace)).toHaveLength(1);
    await templates.delete('lived');
    expect((await templates.list({ labelSelector: 'podtemplate=patched' })).items).toEqual([]);
  });

  spec('should delete a collection of pod templates', async (context) => {
    const templates = context.resource<PodTemplate>('v1', 'podtemplates');
    const labelSelector = 'podtemplate-set=true';
    for (const name of ['test-podtemplate-1', 'test-podtemplate-2', 'test-podtemplate-3'])
      await templates.create({
        metadata: { name, labels: { 'podtemplate-set': 'true' } },
        template: podTemplate({}),
      });
    expect((await templates.list({ labelSelector })).items).toHaveLength(3);
    await templates.deleteCollection({ labelSelector });
    expect((await templates.list({ labelSelector })).items).toEqual([]);
  });

  spec('should replace a pod template', async (context) => {
    const templates = context.resource<PodTemplate>('v1', 'podtemplates');
    await templates.create({
      metadata: { name: 'replaced', labels: { 'e2e-podtemplate': 'true' } },
      template: podTemplate({}),
    });
    const updated = await templates.modify('replaced', ({ metadata }) => {
      metadata.annotations = { updated: 'true' };
    });
    expect(updated.metadata.annotations).toEqual({ updated: 'true' });
    expect((await templates.get('replaced')).metadata.annotations).toEqual({ updated: 'true' });
  });
});

area('sig-node', 'Pods Extended', (spec) => {
  spec(
    'Pods Set QOS Class should be set on Pods with matching resource requests and limits for memory and cpu',
    async ({ pods }) => {
      const amounts = { cpu: '100m', memory: '100Mi' };
      await pods.create(pod('guaranteed', { resources: { limits: amounts, requests: amounts } }));
      expect((await pods.get('guaranteed')).status?.qosClass).toBe('Guaranteed');
    },
  );
});

area('sig-node', 'RuntimeClass', (spec) => {
  const rejects = async (request: Promise<unknown>, name: string) => {
    const error = await refusal(request);
    expect(error.status).toMatchObject({
      code: 403,
      reason: 'Forbidden',
      message: `pods "classed" is forbidden: pod rejected: RuntimeClass "${name}" not found`,
    });
  };

  spec('should reject a Pod requesting a non-existent RuntimeClass [NodeConformance]', async (context) => {
    const { pods } = context;
    const runtimeClassName = context.unique('nonexistent');
    await rejects(pods.create(pod('classed', {}, { runtimeClassName })), runtimeClassName);
  });

  spec('should reject a Pod requesting a deleted RuntimeClass [NodeConformance]', async (context) => {
    const classes = context.cluster.resource<RuntimeClass>('node.k8s.io/v1', 'runtimeclasses');
    const runtimeClassName = context.unique('deleted');
    await classes.create({ metadata: { name: runtimeClassName }, handler: 'runc' });
    await context.pods.create(pod('before', {}, { runtimeClassName }));
    await classes.delete(runtimeClassName);
    await rejects(context.pods.create(pod('classed', {}, { runtimeClassName })), runtimeClassName);
  });

  spec('should support RuntimeClasses API operations', async (context) => {
    await checkApiOperations<RuntimeClass>(context, {
      groupVersion: 'node.k8s.io/v1',
      plural: 'runtimeclasses',
      kind: 'RuntimeClass',
      namespaced: false,
      make: () => ({ handler: 'e2e-handler' }),
    });
  });
});

area('sig-node', 'Sysctls [LinuxOnly]', (spec) => {
  spec('should reject invalid sysctls [NodeConformance]', async ({ pods }) => {
    const sysctls = [
      { name: 'foo-', value: 'bar' },
      { name: 'kernel.shmmax', value: '100000000' },
      { name: 'safe-and-unsafe', value: '100000000' },
      { name: 'bar..', value: '42' },
    ];
    const error = await refusal(pods.create(pod('sysctls', {}, { securityContext: { sysctls } })));
    expect(error.code).toBe(422);
    expect(error.status.message).toContain('Invalid value: "foo-"');
    expect(error.status.message).toContain('Invalid value: "bar.."');
    expect(error.status.message).not.toMatch(/safe-and-unsafe|kernel\.shmmax/);
    expect(error.status.details?.causes?.map(({ field }) => field)).toEqual([
      'spec.securityContext.sysctls[0].name',
      'spec.securityContext.sysctls[3].name',
    ]);
  });
});
