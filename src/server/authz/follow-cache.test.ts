import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject, Resource } from '../../api/resource.ts';
import {
  clusterRoleBindings,
  clusterRoles,
  nodes,
  pods,
  roleBindings,
  roles,
  secrets,
  serviceAccounts,
} from '../../api/resources.gen.ts';
import { createMemoryDatastore } from '../../datastore/memory.ts';
import type { Datastore } from '../../datastore/port.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { createLogger } from '../../lib/log.ts';
import { createIdentityLookups } from '../authn/identity-lookups.ts';
import { keyPrefix } from '../registry/storage-key.ts';
import type { WatchCache } from '../watchcache/port.ts';
import { encodeForStorage } from '../watchcache/stored-object.ts';
import { createWatchCaches, type WatchCaches } from '../watchcache/watch-caches.ts';
import { createNodeGraph } from './node-graph.ts';
import { createRbacAuthorizer } from './rbac-authorizer.ts';

const log = createLogger({ level: 'error', write: () => {} });
let datastore: Datastore;
let caches: WatchCaches;
let opened: Map<string, WatchCache>;

beforeEach(async () => {
  datastore = createMemoryDatastore();
  caches = createWatchCaches({ datastore, clock: new FakeClock() });
  opened = new Map();
  for (const resource of [
    roles,
    clusterRoles,
    roleBindings,
    clusterRoleBindings,
    pods,
    nodes,
    secrets,
    serviceAccounts,
  ])
    opened.set(resource.resource, await caches.open({ resource, prefix: keyPrefix(resource) }));
});
afterEach(async () => {
  caches.close();
  await datastore.close();
});

const cache = (resource: Pick<Resource, 'resource'>): WatchCache => opened.get(resource.resource)!;
async function write(resource: Resource, object: KubeObject | { gone: string }): Promise<void> {
  const prefix = keyPrefix(resource);
  const write =
    'gone' in object
      ? { key: `${prefix}${object.gone}`, value: undefined }
      : {
          key: `${prefix}${object.metadata.namespace === undefined ? '' : `${object.metadata.namespace}/`}${object.metadata.name}`,
          value: encodeForStorage(object),
        };
  await datastore.commit([write]);
}

describe('over the watch caches', () => {
  it('a right counts, and stops counting, with the write that gives or takes it', async () => {
    await write(clusterRoles, {
      metadata: { name: 'reader' },
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }],
    } as KubeObject);
    const rbac = createRbacAuthorizer(
      {
        roles: cache(roles),
        clusterRoles: cache(clusterRoles),
        roleBindings: cache(roleBindings),
        clusterRoleBindings: cache(clusterRoleBindings),
      },
      log,
    );
    const may = (): boolean =>
      rbac.authorize({
        user: { name: 'jane', groups: [] },
        verb: 'list',
        group: '',
        version: 'v1',
        resource: 'pods',
        subresource: '',
        namespace: 'ns',
        name: '',
      }).allowed;
    expect(may()).toBe(false);
    await write(roleBindings, {
      metadata: { name: 'b', namespace: 'ns' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' },
      subjects: [{ kind: 'User', name: 'jane' }],
    } as KubeObject);
    expect(may()).toBe(true);
    await write(clusterRoles, { metadata: { name: 'reader' } } as KubeObject);
    expect(may()).toBe(false);
    await write(clusterRoles, {
      metadata: { name: 'reader' },
      rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }],
    } as KubeObject);
    expect(may()).toBe(true);
    await write(roleBindings, { gone: 'ns/b' });
    expect(may()).toBe(false);
    rbac.close();
    await write(roleBindings, {
      metadata: { name: 'b', namespace: 'ns' },
      roleRef: { kind: 'ClusterRole', name: 'reader' },
      subjects: [{ kind: 'User', name: 'jane' }],
    } as KubeObject);
    expect(may()).toBe(false);
  });

  it('a node reaches a secret as long as its pod needs it', async () => {
    const pod = (nodeName: string): KubeObject =>
      ({
        metadata: { name: 'p', namespace: 'ns' },
        spec: { nodeName, containers: [], imagePullSecrets: [{ name: 's' }] },
      }) as KubeObject;
    await write(pods, pod('pi'));
    const graph = createNodeGraph(cache(pods), log);
    expect(graph.uses('pi', 'secrets', 'ns', 's')).toBe(true);
    expect(graph.nodeOf('ns', 'p')).toBe('pi');
    await write(pods, pod('far'));
    expect([graph.uses('pi', 'secrets', 'ns', 's'), graph.uses('far', 'secrets', 'ns', 's')]).toEqual([
      false,
      true,
    ]);
    await write(pods, { gone: 'ns/p' });
    expect(graph.uses('far', 'secrets', 'ns', 's')).toBe(false);
    graph.close();
  });

  it('tokens are looked up by what is stored now', async () => {
    const lookups = createIdentityLookups((resource) => opened.get(resource.resource));
    expect(lookups.serviceAccount('ns', 'a')).toBeUndefined();
    await write(serviceAccounts, { metadata: { name: 'a', namespace: 'ns', uid: 'u' } });
    await write(nodes, { metadata: { name: 'pi', uid: 'n' } });
    await write(pods, {
      metadata: { name: 'p', namespace: 'ns', uid: 'p' },
      spec: { nodeName: 'pi', serviceAccountName: 'a', containers: [] },
    } as KubeObject);
    expect(lookups.serviceAccount('ns', 'a')?.uid).toBe('u');
    expect(lookups.node('pi')?.uid).toBe('n');
    expect(lookups.pod('ns', 'p')).toEqual({
      uid: 'p',
      deletionTimestamp: undefined,
      serviceAccountName: 'a',
      nodeName: 'pi',
    });
    await write(serviceAccounts, { gone: 'ns/a' });
    expect(lookups.serviceAccount('ns', 'a')).toBeUndefined();
  });
});
