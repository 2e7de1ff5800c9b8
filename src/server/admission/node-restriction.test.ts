import { describe, expect, it } from 'vitest';
import type { KubeObject, Resource } from '../../api/resource.ts';
import { leases, nodes, pods, serviceAccounts } from '../../api/resources.gen.ts';
import { ApiError } from '../../api/status.ts';
import { FakeClient } from '../../client/fake-client.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { PodGraph } from '../authz/node-graph.ts';
import { Registry } from '../registry/registry.ts';
import { isAllowedNodeLabel } from './node-labels.ts';
import { nodeRestriction } from './node-restriction.ts';
import type { AdmissionAttributes } from './port.ts';
import { WebhookMetrics } from './webhook/metrics.ts';

const graph = new PodGraph();
graph.put({ metadata: { name: 'mine', namespace: 'ns' }, spec: { nodeName: 'pi', containers: [] } });
graph.put({ metadata: { name: 'foreign', namespace: 'ns' }, spec: { nodeName: 'far', containers: [] } });
const client = new FakeClient(systemClock);
const { uid: piUid = '' } = (await client.create(nodes, { metadata: { name: 'pi' } })).metadata;
const plugin = nodeRestriction({
  client,
  clock: systemClock,
  nodeGraph: graph,
  authorizer: {
    authorize: () => ({ allowed: false, reason: '' }),
    rulesFor: () => ({ resource: [], nonResource: [] }),
  },
  webhooks: { call: () => Promise.reject(new Error('no webhooks here')) },
  webhookMetrics: new WebhookMetrics(),
  registry: new Registry(),
  schemas: () => undefined,
  cacheOf: () => undefined,
  isStarted: () => true,
  log: silentLogger,
});

interface Case {
  resource: Resource;
  operation?: 'CREATE' | 'UPDATE' | 'DELETE';
  subresource?: string;
  object?: object;
  oldObject?: object;
  name?: string;
  user?: string;
}
async function outcome({
  operation = 'CREATE',
  subresource = '',
  user = 'system:node:pi',
  ...rest
}: Case): Promise<string> {
  const attributes = {
    namespace: 'ns',
    name: (rest.object as KubeObject | undefined)?.metadata?.name ?? rest.name ?? '',
    operation,
    subresource,
    user: { name: user, groups: ['system:nodes'] },
    client,
    ...rest,
  } as unknown as AdmissionAttributes;
  try {
    if (plugin.handles?.(attributes)) await plugin.validate?.(attributes);
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
  return 'accepted';
}
const owner = { apiVersion: 'v1', kind: 'Node', name: 'pi', uid: piUid, controller: true };
const mirror = (spec: object = {}, metadata: object = {}): object => ({
  metadata: {
    name: 'm',
    namespace: 'ns',
    annotations: { 'kubernetes.io/config.mirror': 'x' },
    ownerReferences: [owner],
    ...metadata,
  },
  spec: { nodeName: 'pi', containers: [], ...spec },
});
const node = (name: string, labels = {}, spec = {}): object => ({ metadata: { name, labels }, spec });
const token = (boundObjectRef?: object): object => ({ metadata: {}, spec: { boundObjectRef } });

describe('what a node may write', () => {
  it.each<[string, Case]>([
    ['a mirror pod', { resource: pods, object: mirror() }],
    [
      'its node',
      { resource: nodes, object: node('pi', { 'kubernetes.io/hostname': 'pi', 'example.org/x': 'y' }) },
    ],
    [
      "its node's status",
      {
        resource: nodes,
        operation: 'UPDATE',
        subresource: 'status',
        object: node('pi'),
        oldObject: node('pi'),
      },
    ],
    ['its lease', { resource: leases, object: { metadata: { name: 'pi' } } }],
    [
      'a token of its pod',
      {
        resource: serviceAccounts,
        subresource: 'token',
        object: token({ apiVersion: 'v1', kind: 'Pod', name: 'mine', uid: 'u' }),
      },
    ],
    ['the end of its pod', { resource: pods, operation: 'DELETE', oldObject: mirror() }],
    ['anything, when it is no node', { resource: nodes, object: node('far'), user: 'jane' }],
  ])('includes %s', async (_what, one) => {
    expect(await outcome(one)).toBe('accepted');
  });

  it.each<[Case, string]>([
    [{ resource: pods, object: mirror({}, { annotations: {} }) }, 'can only create mirror pods'],
    [
      { resource: pods, object: mirror({ nodeName: 'far' }) },
      'can only create pods with spec.nodeName set to itself',
    ],
    [{ resource: pods, object: mirror({ serviceAccountName: 'admin' }) }, 'reference a service account'],
    [{ resource: pods, object: mirror({ imagePullSecrets: [{ name: 's' }] }) }, 'reference secrets'],
    [
      {
        resource: pods,
        operation: 'UPDATE',
        subresource: 'status',
        object: mirror(),
        oldObject: mirror({ nodeName: 'far' }),
      },
      'can only update pod status for pods with spec.nodeName set to itself',
    ],
    [
      {
        resource: pods,
        operation: 'UPDATE',
        subresource: 'status',
        object: mirror({}, { labels: { a: 'b' } }),
        oldObject: mirror(),
      },
      'cannot update labels through pod status',
    ],
    [
      { resource: pods, operation: 'UPDATE', object: mirror(), oldObject: mirror() },
      'unexpected pod subresource',
    ],
    [{ resource: nodes, object: node('far') }, 'node "pi" is not allowed to modify node "far"'],
    [
      { resource: nodes, object: node('pi', { 'node-role.kubernetes.io/control-plane': '' }) },
      'is not allowed to set the following labels: node-role.kubernetes.io/control-plane',
    ],
    [
      {
        resource: nodes,
        operation: 'UPDATE',
        object: node('pi'),
        oldObject: node('pi', { 'node-restriction.kubernetes.io/safe': 'yes' }),
      },
      'is not allowed to modify labels: node-restriction.kubernetes.io/safe',
    ],
    [
      {
        resource: nodes,
        operation: 'UPDATE',
        object: node('pi'),
        oldObject: node('pi', {}, { taints: [{ key: 'k', effect: 'NoSchedule' }] }),
      },
      'is not allowed to modify taints',
    ],
    [
      { resource: leases, object: { metadata: { name: 'far' } } },
      'can only access node lease with the same name',
    ],
    [{ resource: serviceAccounts, subresource: 'token', object: token() }, 'token not bound to a pod'],
    [
      {
        resource: serviceAccounts,
        subresource: 'token',
        object: token({ apiVersion: 'v1', kind: 'Pod', name: 'foreign', uid: 'u' }),
      },
      'scheduled on a different node',
    ],
  ])('does not include %j', async (one, message) => {
    expect(await outcome(one)).toContain(message);
  });

  it.each<[object[], string]>([
    [[], 'node "pi" can only create pods with an owner reference set to itself'],
    [[{ ...owner, name: 'far' }], 'node "pi" can only create pods with an owner reference set to itself'],
    [[{ ...owner, kind: 'Pod' }], 'node "pi" can only create pods with an owner reference set to itself'],
    [[owner, owner], 'node "pi" can only create pods with a single owner reference set to itself'],
    [
      [{ ...owner, controller: false }],
      'node "pi" can only create pods with a controller owner reference set to itself',
    ],
    [
      [{ ...owner, blockOwnerDeletion: true }],
      'node "pi" must not set blockOwnerDeletion on an owner reference',
    ],
    [[{ ...owner, uid: 'other' }], `node pi UID mismatch: expected ${piUid} got other`],
  ])('does not include mirror pods of the owners %j', async (ownerReferences, message) => {
    expect(await outcome({ resource: pods, object: mirror({}, { ownerReferences }) })).toContain(message);
  });
});

it.each([
  ['example.org/anything', true],
  ['plain', true],
  ['kubernetes.io/arch', true],
  ['kubelet.kubernetes.io/x', true],
  ['x.node.kubernetes.io/y', true],
  ['kubernetes.io/x', false],
  ['node-role.kubernetes.io/worker', false],
  ['scheduling.k8s.io/x', false],
])('a node may set the label %s: %s', (label, expected) => {
  expect(isAllowedNodeLabel(label)).toBe(expected);
});
