import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiVersionOf, type KubeObject, qualifiedResource } from '../../api/resource.ts';
import { isNotFound } from '../../api/status.ts';
import type { Client } from '../../client/port.ts';
import type { ApiServer } from '../api-server.ts';
import { startTestServer } from '../test-server.fake.ts';
import { MINIMAL, NAMES } from './minimal-objects.fake.ts';
import { RESOURCES } from './table.ts';

const stored = RESOURCES.filter((one) => !one.virtual && one.verbs?.includes('create') !== false);
const keyOf = (one: (typeof stored)[number]): string => qualifiedResource(one.resource);
const withStatus = stored.filter((one) => one.subresources?.some(({ name }) => name === 'status'));

/** Kinds that a PUT creates; everywhere else it is a 404. */
const CREATED_BY_UPDATE = `clusterrolebindings.rbac.authorization.k8s.io clusterroles.rbac.authorization.k8s.io endpoints
  events leases.coordination.k8s.io limitranges rolebindings.rbac.authorization.k8s.io roles.rbac.authorization.k8s.io
  runtimeclasses.node.k8s.io services`;
/** Kinds that a PUT without resourceVersion is refused for. */
const VERSIONED_UPDATE = `apiservices.apiregistration.k8s.io clustertrustbundles.certificates.k8s.io
  csidrivers.storage.k8s.io csinodes.storage.k8s.io csistoragecapacities.storage.k8s.io
  customresourcedefinitions.apiextensions.k8s.io leases.coordination.k8s.io
  mutatingadmissionpolicies.admissionregistration.k8s.io
  mutatingadmissionpolicybindings.admissionregistration.k8s.io
  mutatingwebhookconfigurations.admissionregistration.k8s.io podcertificaterequests.certificates.k8s.io
  poddisruptionbudgets.policy runtimeclasses.node.k8s.io storageversionmigrations.storagemigration.k8s.io
  validatingadmissionpolicies.admissionregistration.k8s.io
  validatingadmissionpolicybindings.admissionregistration.k8s.io
  validatingwebhookconfigurations.admissionregistration.k8s.io volumeattachments.storage.k8s.io`;
/** Kinds whose status route writes labels, annotations and finalizers, too. */
const STATUS_WITH_METADATA = `certificatesigningrequests.certificates.k8s.io cronjobs.batch
  customresourcedefinitions.apiextensions.k8s.io daemonsets.apps horizontalpodautoscalers.autoscaling
  ingresses.networking.k8s.io jobs.batch namespaces nodes persistentvolumeclaims persistentvolumes
  poddisruptionbudgets.policy pods replicasets.apps replicationcontrollers resourcequotas services statefulsets.apps`;
/** Kinds whose dependents stay when a delete does not say. */
const ORPHANING = 'jobs.batch replicationcontrollers';
const OUT_OF_GARBAGE_COLLECTION = 'events';

const words = (text: string): string[] => text.split(/\s+/).sort();

// Upstream's exceptions from what every kind should do: test/integration/apiserver/apidefinitions.
describe('what sets kinds apart, as upstream lists it', () => {
  let server: ApiServer;
  let client: Client;
  beforeAll(async () => {
    ({ server } = await startTestServer());
    client = server.client({ name: 'admin', groups: ['system:masters'] });
  });
  afterAll(() => server.close());

  const build = (one: (typeof stored)[number], suffix: string, metadata: object = {}): KubeObject => {
    const { resource } = one;
    const name = NAMES[keyOf(one)] ?? `b-${suffix}`;
    return {
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      metadata: { name, ...(resource.namespaced && { namespace: 'default' }), ...metadata },
      ...structuredClone(MINIMAL[keyOf(one)]),
    };
  };
  const refOf = ({ metadata: { name = '', namespace } }: KubeObject) => ({
    name,
    ...(namespace === undefined ? {} : { namespace }),
  });
  const remove = async (one: (typeof stored)[number], object: KubeObject): Promise<void> => {
    const { resource } = one;
    await client.patch(resource, refOf(object), { type: 'merge', body: { metadata: { finalizers: null } } });
    await client
      .delete(resource, refOf(object), { gracePeriodSeconds: 0, propagationPolicy: 'Background' })
      .catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
  };

  it('what a PUT creates, and what it may not replace blindly', async () => {
    const created: string[] = [];
    const refused: string[] = [];
    for (const one of stored) {
      const object = build(one, 'put');
      try {
        await client.update(one.resource, object);
        created.push(keyOf(one));
      } catch (error) {
        expect(isNotFound(error), keyOf(one)).toBe(true);
        await client.create(one.resource, object);
      }
      const present: KubeObject = structuredClone(await client.get(one.resource, refOf(object)));
      delete present.metadata.resourceVersion;
      const blind = client.update(one.resource, present);
      await blind.catch((error: Error) => {
        expect(error.message).toContain(
          'metadata.resourceVersion: Invalid value: 0: must be specified for an update',
        );
        refused.push(keyOf(one));
      });
      await remove(one, object);
    }
    expect(created.sort()).toEqual(words(CREATED_BY_UPDATE));
    expect(refused.sort()).toEqual(words(VERSIONED_UPDATE));
  });

  it('what a status route leaves of metadata, for patches and for apply', async () => {
    const patched: string[] = [];
    const owned: string[] = [];
    for (const one of withStatus) {
      const object = build(one, 'status');
      const { metadata: before } = await client.create(one.resource, object);
      const body = { metadata: { labels: { patched: 'yes' } } };
      const status = { subresource: 'status' } as const;
      const after = await client.patch(one.resource, refOf(object), { type: 'merge', body }, status);
      if (after.metadata.labels?.['patched'] === 'yes') patched.push(keyOf(one));
      expect(after.metadata.generation, keyOf(one)).toBe(before.generation);
      const { apiVersion, kind } = object;
      const config = { apiVersion, kind, metadata: { ...refOf(object), labels: { applied: 'yes' } } };
      const applied = await client.patch(
        one.resource,
        refOf(object),
        { type: 'apply', body: config },
        { ...status, fieldManager: 'applier' },
      );
      if (applied.metadata.managedFields?.some(({ manager }) => manager === 'applier'))
        owned.push(keyOf(one));
      await remove(one, object);
    }
    expect(patched.sort()).toEqual(words(STATUS_WITH_METADATA));
    expect(owned.sort()).toEqual(words(STATUS_WITH_METADATA));
  });

  it('a deployment keeps its labels, and its generation whatever annotations its status route writes', async () => {
    const one = stored.find((definition) => keyOf(definition) === 'deployments.apps')!;
    const object = build(one, 'annotated');
    await client.create(one.resource, object);
    const body = {
      metadata: { labels: { a: 'b' }, annotations: { 'deployment.kubernetes.io/revision': '1' } },
    };
    const { metadata } = await client.patch(
      one.resource,
      refOf(object),
      { type: 'merge', body },
      { subresource: 'status' },
    );
    expect(metadata).toMatchObject({ generation: 1, annotations: body.metadata.annotations });
    expect(metadata).not.toHaveProperty('labels');
  });

  it('what a delete means for dependents when it does not say, and when it does', async () => {
    const orphaning: string[] = [];
    const untouched: string[] = [];
    for (const one of stored) {
      const object = build(one, 'gone', { finalizers: ['example.com/block'] });
      await client.create(one.resource, object);
      await client.delete(one.resource, refOf(object));
      const { finalizers = [] } = (await client.get(one.resource, refOf(object))).metadata;
      expect(finalizers, keyOf(one)).not.toContain('foregroundDeletion');
      if (finalizers.includes('orphan')) orphaning.push(keyOf(one));
      await client.delete(one.resource, refOf(object), { propagationPolicy: 'Foreground' });
      const after = (await client.get(one.resource, refOf(object))).metadata.finalizers ?? [];
      expect(after, keyOf(one)).not.toContain('orphan');
      if (!after.includes('foregroundDeletion')) untouched.push(keyOf(one));
      await remove(one, object);
    }
    expect(orphaning.sort()).toEqual(words(ORPHANING));
    expect(untouched).toEqual([OUT_OF_GARBAGE_COLLECTION]);
  });
});
