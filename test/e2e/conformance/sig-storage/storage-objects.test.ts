import { expect } from 'vitest';
import type {
  ConfigMap,
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  PersistentVolume,
  PersistentVolumeClaim,
  Secret,
  StorageClass,
  VolumeAttachment,
  VolumeAttributesClass,
} from '../../../../src/api/types.gen.ts';
import { refusal } from '../api-client.ts';
import { checkApiOperations } from '../api-operations.ts';
import { area } from '../area.ts';
import { pod } from '../pods.ts';
import type { KubeObject, ResourceClient } from '../resource-client.ts';
import type { SpecContext } from '../spec-context.ts';

const GROUP = 'storage.k8s.io/v1';

/**
 * Create, read, list, patch, update, delete, and again by collection: what the lifecycle specs of the storage kinds have
 * in common.
 */
async function checkLifecycle<T extends KubeObject>(
  context: SpecContext,
  client: ResourceClient<T>,
  make: (name: string) => Partial<T>,
): Promise<void> {
  const name = context.unique('e2e');
  const create = async (name: string) => {
    const object = make(name);
    return await client.create({ ...object, metadata: { ...object.metadata, name } });
  };
  const remaining = async (labelSelector: string) => (await client.list({ labelSelector })).items.length;
  const made = await create(name);
  expect((await client.get(name)).metadata.uid).toBe(made.metadata.uid);
  const patched = await client.patch(
    name,
    { metadata: { labels: { [name]: 'patched' } } },
    { type: 'strategic' },
  );
  expect(patched.metadata.labels?.[name]).toBe('patched');
  expect(await remaining(`${name}=patched`)).toBe(1);
  const updated = await client.modify(name, ({ metadata }) => {
    metadata.labels = { ...metadata.labels, [name]: 'updated' };
  });
  expect(updated.metadata.labels?.[name]).toBe('updated');
  expect(await remaining(`${name}=updated`)).toBe(1);
  await client.delete(name);
  await context.until('the object to go', async () => (await remaining(`${name}=updated`)) === 0);
  expect((await refusal(client.get(name))).reason).toBe('NotFound');
  const second = context.unique('e2e');
  await create(second);
  await client.patch(second, { metadata: { labels: { [name]: 'collected' } } });
  await client.deleteCollection({ labelSelector: `${name}=collected` });
  await context.until('the collection to go', async () => (await remaining(`${name}=collected`)) === 0);
  expect((await refusal(client.get(second))).reason).toBe('NotFound');
}

const csiDriver = (): Partial<CSIDriver> => ({
  spec: { attachRequired: false, podInfoOnMount: true, volumeLifecycleModes: ['Ephemeral', 'Persistent'] },
});

area('sig-storage', 'CSIInlineVolumes', (spec) => {
  spec('should run through the lifecycle of a CSIDriver', async (context) => {
    await checkLifecycle<CSIDriver>(context, context.cluster.resource(GROUP, 'csidrivers'), csiDriver);
  });

  spec('should support CSIVolumeSource in Pod API', async (context) => {
    const { pods } = context;
    const drivers = context.cluster.resource<CSIDriver>(GROUP, 'csidrivers');
    const driver = context.unique('inline-driver');
    await drivers.create({ metadata: { name: driver }, ...csiDriver() });
    context.defer(async () => await drivers.delete(driver));
    const volumes = [
      { name: 'csi-volume', csi: { driver, readOnly: true, volumeAttributes: { foo: 'bar' } } },
    ];
    const mounts = [{ name: 'csi-volume', mountPath: '/mnt/test' }];
    await pods.create(pod('inline', { volumeMounts: mounts }, { volumes }, { inline: 'true' }));
    const read = await pods.get('inline');
    expect(read.spec?.volumes?.find(({ name }) => name === 'csi-volume')).toEqual(volumes[0]);
    expect((await pods.list({ labelSelector: 'inline=true' })).items).toHaveLength(1);
    const patched = await pods.patch(
      'inline',
      { metadata: { labels: { test: 'patched' } } },
      { type: 'strategic' },
    );
    expect(patched.metadata.labels?.['test']).toBe('patched');
    await pods.deleteCollection({ labelSelector: 'inline=true' }, { gracePeriodSeconds: 0 });
    await context.until('the pod to go', async () => (await pods.list()).items.length === 0);
  });
});

area('sig-storage', 'CSINodes', (spec) => {
  spec('CSI Conformance should run through the lifecycle of a csinode', async (context) => {
    await checkLifecycle<CSINode>(context, context.cluster.resource(GROUP, 'csinodes'), (name) => ({
      spec: { drivers: [{ name: 'e2e-driver.example.com', nodeID: name, topologyKeys: [] }] },
    }));
  });
});

area('sig-storage', 'CSIStorageCapacity', (spec) => {
  spec('should support CSIStorageCapacities API operations', async (context) => {
    await checkApiOperations<CSIStorageCapacity>(context, {
      groupVersion: GROUP,
      plural: 'csistoragecapacities',
      kind: 'CSIStorageCapacity',
      namespaced: true,
      make: () => ({ storageClassName: 'standard', capacity: '1Gi' }),
      change: (object) => {
        object.capacity = '2Gi';
      },
    });
  });
});

area('sig-storage', 'StorageClasses', (spec) => {
  spec('CSI Conformance should run through the lifecycle of a StorageClass', async (context) => {
    await checkLifecycle<StorageClass>(context, context.cluster.resource(GROUP, 'storageclasses'), () => ({
      provisioner: 'e2e-fake-provisioner',
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'Immediate',
    }));
  });
});

area('sig-storage', 'VolumeAttributesClass', (spec) => {
  spec(
    '[FeatureGate:VolumeAttributesClass] should run through the lifecycle of a VolumeAttributesClass',
    async (context) => {
      await checkLifecycle<VolumeAttributesClass>(
        context,
        context.cluster.resource(GROUP, 'volumeattributesclasses'),
        () => ({ driverName: 'e2e-fake-provisioner', parameters: { iops: '3000' } }),
      );
    },
  );
});

const attachment = (): Partial<VolumeAttachment> => ({
  spec: { attacher: 'e2e-test.example.com', nodeName: 'none', source: { persistentVolumeName: 'e2e-pv' } },
});

area('sig-storage', 'VolumeAttachment', (spec) => {
  spec('Conformance should run through the lifecycle of a VolumeAttachment', async (context) => {
    await checkLifecycle<VolumeAttachment>(
      context,
      context.cluster.resource(GROUP, 'volumeattachments'),
      attachment,
    );
  });

  spec('Conformance should apply changes to a volumeattachment status', async (context) => {
    const attachments = context.cluster.resource<VolumeAttachment>(GROUP, 'volumeattachments');
    const name = context.unique('e2e-va');
    const made = await attachments.create({ metadata: { name }, ...attachment() });
    context.defer(async () => await attachments.delete(name));
    expect(made.status?.attached).toBe(false);
    const patched = await attachments.patch(name, { status: { attached: true } }, { subresource: 'status' });
    expect(patched.status?.attached).toBe(true);
    expect((await attachments.get(name, 'status')).status?.attached).toBe(true);
    const updated = await attachments.modify(
      name,
      ({ status }) => {
        status!.attached = false;
      },
      'status',
    );
    expect(updated.status?.attached).toBe(false);
    expect(updated.spec).toEqual(made.spec);
  });
});

const volumeSpec = (storageClassName: string): PersistentVolume['spec'] => ({
  accessModes: ['ReadWriteOnce'],
  capacity: { storage: '2Gi' },
  hostPath: { path: '/tmp/e2e' },
  persistentVolumeReclaimPolicy: 'Retain',
  storageClassName,
});
const claimSpec = (storageClassName: string): PersistentVolumeClaim['spec'] => ({
  accessModes: ['ReadWriteOnce'],
  resources: { requests: { storage: '2Gi' } },
  storageClassName,
});

area('sig-storage', 'PersistentVolumes', (spec) => {
  spec('CSI Conformance should run through the lifecycle of a PV and a PVC', async (context) => {
    const volumes = context.cluster.resource<PersistentVolume>('v1', 'persistentvolumes');
    const claims = context.resource<PersistentVolumeClaim>('v1', 'persistentvolumeclaims');
    // Neither is bound to the other, nor to anybody else's.
    const label = context.unique('lifecycle');
    const labelSelector = `lifecycle=${label}`;
    const labels = { lifecycle: label };
    for (const round of ['one', 'two']) {
      const name = `${label}-${round}`;
      await volumes.create({ metadata: { name, labels }, spec: volumeSpec(`${name}-volumes`) });
      context.defer(async () => await volumes.delete(name));
      await claims.create({ metadata: { name, labels }, spec: claimSpec(`${name}-claims`) });
      expect((await volumes.list({ labelSelector })).items).toHaveLength(1);
      expect((await claims.list({ labelSelector })).items).toHaveLength(1);
      for (const client of [volumes, claims] as readonly ResourceClient<KubeObject>[]) {
        const patch = { metadata: { labels: { [name]: 'patched' } } };
        expect((await client.patch(name, patch, { type: 'strategic' })).metadata.labels?.[name]).toBe(
          'patched',
        );
        expect((await client.get(name)).metadata.labels).toEqual({ ...labels, [name]: 'patched' });
        const updated = await client.modify(name, ({ metadata }) => {
          metadata.labels = { ...metadata.labels, [name]: 'updated' };
        });
        expect(updated.metadata.labels?.[name]).toBe('updated');
      }
      const everywhere = context.cluster.resource('v1', 'persistentvolumeclaims');
      expect((await everywhere.list({ labelSelector })).items).toHaveLength(1);
      if (round === 'one') {
        await claims.delete(name);
        await volumes.delete(name);
      } else {
        await claims.deleteCollection({ labelSelector });
        await volumes.deleteCollection({ labelSelector });
      }
      for (const client of [volumes, claims] as readonly ResourceClient<KubeObject>[])
        await context.until(
          'both to go',
          async () => (await client.list({ labelSelector })).items.length === 0,
        );
    }
  });

  spec('CSI Conformance should apply changes to a pv/pvc status', async (context) => {
    const volumes = context.cluster.resource<PersistentVolume>('v1', 'persistentvolumes');
    const claims = context.resource<PersistentVolumeClaim>('v1', 'persistentvolumeclaims');
    const name = context.unique('status');
    const volume = await volumes.create({ metadata: { name }, spec: volumeSpec(`${name}-volumes`) });
    context.defer(async () => await volumes.delete(name));
    const claim = await claims.create({ metadata: { name }, spec: claimSpec(`${name}-claims`) });
    expect((await claims.get(name, 'status')).status?.phase).toBe('Pending');
    const condition = (type: string) => ({
      type,
      status: 'True',
      reason: 'E2E',
      message: `${type} by an e2e test`,
    });
    const patchedClaim = await claims.patch(
      name,
      { status: { conditions: [condition('StatusPatched')] } },
      { subresource: 'status' },
    );
    expect(patchedClaim.status?.conditions).toMatchObject([condition('StatusPatched')]);
    const updatedClaim = await claims.modify(
      name,
      ({ status }) => {
        status!.conditions = [condition('StatusUpdated')];
      },
      'status',
    );
    expect(updatedClaim.status?.conditions).toMatchObject([condition('StatusUpdated')]);
    expect(updatedClaim.spec).toEqual(claim.spec);
    expect((await volumes.get(name, 'status')).metadata.name).toBe(name);
    const patchedVolume = await volumes.patch(
      name,
      { status: { message: 'patched by an e2e test', reason: 'E2E' } },
      { subresource: 'status' },
    );
    expect(patchedVolume.status).toMatchObject({ message: 'patched by an e2e test', reason: 'E2E' });
    const updatedVolume = await volumes.modify(
      name,
      ({ status }) => {
        status!.message = 'updated by an e2e test';
        status!.reason = 'E2EUpdated';
      },
      'status',
    );
    expect(updatedVolume.status).toMatchObject({ message: 'updated by an e2e test', reason: 'E2EUpdated' });
    expect(updatedVolume.spec).toEqual(volume.spec);
  });
});

/** Data and the mark itself are locked; everything else of the object is not. */
async function checkImmutable<T extends (ConfigMap | Secret) & KubeObject>(
  client: ResourceClient<T>,
  [before, after]: readonly [Record<string, string>, Record<string, string>],
): Promise<void> {
  const name = 'immutable';
  await client.create({ metadata: { name }, data: before } as Partial<T>);
  await client.modify(name, (object) => {
    object.data = { ...after };
  });
  const marked = await client.modify(name, (object) => {
    object.immutable = true;
  });
  expect(marked).toMatchObject({ immutable: true, data: after });
  const refused = async (change: (object: T) => void, field: string) => {
    const error = await refusal(client.modify(name, change));
    expect(error.status).toMatchObject({ code: 422, reason: 'Invalid' });
    expect(error.status.details?.causes).toContainEqual({
      reason: 'FieldValueForbidden',
      field,
      message: 'Forbidden: field is immutable when `immutable` is set',
    });
  };
  await refused((object) => {
    object.data = { ...before };
  }, 'data');
  await refused((object) => {
    object.immutable = false;
  }, 'immutable');
  await refused((object) => {
    delete object.immutable;
  }, 'immutable');
  const labelled = await client.modify(name, ({ metadata }) => {
    metadata.labels = { 'label-for-immutable': 'true' };
  });
  expect(labelled.metadata.labels).toEqual({ 'label-for-immutable': 'true' });
  expect(labelled.data).toEqual(after);
  await client.delete(name);
  expect((await refusal(client.get(name))).code).toBe(404);
  await client.create({ metadata: { name }, data: before } as Partial<T>);
  expect((await client.get(name)).immutable).toBeUndefined();
}

area('sig-storage', 'ConfigMap', (spec) => {
  spec('should be immutable if `immutable` field is set', async (context) => {
    await checkImmutable<ConfigMap>(context.configMaps, [{ data: 'one' }, { data: 'two' }]);
  });
});

area('sig-storage', 'Secrets', (spec) => {
  spec('should be immutable if `immutable` field is set', async (context) => {
    await checkImmutable<Secret>(context.secrets, [{ data: 'b25l' }, { data: 'dHdv' }]);
  });
});
