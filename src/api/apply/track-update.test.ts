import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../resource.ts';
import { definitionSchema } from '../schema/built-in.ts';
import type { ManagedFieldsEntry } from '../types.gen.ts';
import { managerFromUserAgent, STATUS_FIELDS, trackUpdate } from './track-update.ts';

type Loose = KubeObject & Record<string, unknown>;
const type = definitionSchema('io.k8s.api.apps.v1.Deployment');

const deployment = (replicas: number, image = 'nginx:1'): Loose => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default', uid: 'u', resourceVersion: '1', labels: { app: 'web' } },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        containers: [
          { name: 'nginx', image, ports: [{ containerPort: 80, protocol: 'TCP' }], resources: {} },
        ],
      },
    },
  },
});
const owned = (object: Loose, managedFields: ManagedFieldsEntry[]): Loose => ({
  ...object,
  metadata: { ...object.metadata, managedFields },
});
const track = (
  old: Loose | undefined,
  next: Loose,
  manager = 'kubectl',
  more: { now?: string; subresource?: string } = {},
): ManagedFieldsEntry[] =>
  trackUpdate({
    old,
    new: next,
    manager,
    apiVersion: 'apps/v1',
    now: '2026-01-01T00:00:00Z',
    type,
    ...(more.subresource === 'status' ? {} : { resetFields: STATUS_FIELDS }),
    ...more,
  });

describe('tracking updates', () => {
  it('records a creation as upstream does for kubectl create deployment', () => {
    expect(track(undefined, deployment(1), 'kubectl-create')).toEqual([
      {
        manager: 'kubectl-create',
        operation: 'Update',
        apiVersion: 'apps/v1',
        time: '2026-01-01T00:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
          'f:spec': {
            'f:replicas': {},
            'f:selector': {},
            'f:strategy': {
              'f:rollingUpdate': { '.': {}, 'f:maxSurge': {}, 'f:maxUnavailable': {} },
              'f:type': {},
            },
            'f:template': {
              'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
              'f:spec': {
                'f:containers': {
                  'k:{"name":"nginx"}': {
                    '.': {},
                    'f:image': {},
                    'f:name': {},
                    'f:ports': {
                      '.': {},
                      'k:{"containerPort":80,"protocol":"TCP"}': {
                        '.': {},
                        'f:containerPort': {},
                        'f:protocol': {},
                      },
                    },
                    'f:resources': {},
                  },
                },
              },
            },
          },
        },
      },
    ]);
  });

  it('gives a changed field to who changed it and takes it from the others', () => {
    const before = owned(deployment(1), track(undefined, deployment(1), 'a'));
    const after = track(before, deployment(3), 'b', { now: '2026-01-02T00:00:00Z' });
    expect(after.map(({ manager, time }) => [manager, time])).toEqual([
      ['a', '2026-01-01T00:00:00Z'],
      ['b', '2026-01-02T00:00:00Z'],
    ]);
    expect(after[1]?.fieldsV1).toEqual({ 'f:spec': { 'f:replicas': {} } });
    expect(JSON.stringify(after[0]?.fieldsV1)).not.toContain('f:replicas');
  });

  it('joins repeated updates of one manager', () => {
    const before = owned(deployment(1), track(undefined, deployment(1), 'a'));
    const after = track(before, deployment(3, 'nginx:2'), 'a', { now: '2026-01-02T00:00:00Z' });
    expect(after).toHaveLength(1);
    expect(after[0]?.time).toBe('2026-01-02T00:00:00Z');
    expect(after[0]?.fieldsV1).toEqual(before.metadata.managedFields?.[0]?.fieldsV1);
  });

  it('returns the stored list itself when nothing changed', () => {
    const before = owned(deployment(1), track(undefined, deployment(1), 'a'));
    const same = owned(deployment(1), before.metadata.managedFields ?? []);
    expect(track(before, same, 'b')).toBe(before.metadata.managedFields);
  });

  it('forgets a removed field and everybody who owned it', () => {
    const before = owned(deployment(1), track(undefined, deployment(1), 'a'));
    const { labels: _, ...metadata } = deployment(1).metadata;
    const after = track(before, { ...deployment(1), metadata }, 'b');
    expect(after).toHaveLength(1);
    expect(JSON.stringify(after[0]?.fieldsV1)).not.toContain(
      '"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:replicas"',
    );
    expect(Object.keys(after[0]?.fieldsV1 ?? {})).toEqual(['f:spec']);
  });

  it('keeps subresources apart and does not own status through the object itself', () => {
    const before = owned(deployment(1), track(undefined, deployment(1), 'a'));
    const withStatus = { ...deployment(1), status: { replicas: 1 } };
    expect(track(before, withStatus, 'c')).toEqual(before.metadata.managedFields);
    const after = track(before, withStatus, 'c', { subresource: 'status' });
    expect(after[1]).toMatchObject({
      manager: 'c',
      subresource: 'status',
      fieldsV1: { 'f:status': { 'f:replicas': {} } },
    });
  });

  it.each([[[]], [[{}]]])('is reset by a client that sends %j', (managedFields) => {
    const before = owned(deployment(1), track(undefined, deployment(1), 'a'));
    expect(track(before, owned(deployment(1), managedFields), 'b')).toEqual([]);
  });

  it('lets a client edit the entries, and ignores nonsense', () => {
    const before = owned(deployment(1), track(undefined, deployment(1), 'a'));
    const [entry] = before.metadata.managedFields ?? [];
    const renamed = [{ ...entry, manager: 'z' }];
    expect(track(before, owned(deployment(1), renamed), 'b')).toEqual(renamed);
    expect(track(before, owned(deployment(1), [{ ...entry, fieldsType: 'FieldsV9' }]), 'b')).toEqual([entry]);
  });

  it('keeps the last of entries that a client made name the same manager', () => {
    const before = owned(deployment(1), track(undefined, deployment(1), 'a'));
    const [entry] = before.metadata.managedFields ?? [];
    const last = { ...entry, fieldsV1: { 'f:spec': { 'f:replicas': {} } } };
    expect(track(before, owned(deployment(1), [{ ...entry }, last]), 'b')).toEqual([last]);
    const other = { ...last, subresource: 'status' };
    expect(track(before, owned(deployment(1), [{ ...entry }, other]), 'b')).toHaveLength(2);
  });

  it('leaves an object untracked that has no owners', () => {
    expect(track(deployment(1), deployment(2), 'a')).toEqual([]);
  });

  it('joins the oldest update managers when there are more than ten', () => {
    let object = owned(deployment(0), track(undefined, deployment(0), 'm00'));
    for (let index = 1; index <= 12; index++) {
      const next: Loose = {
        ...object,
        metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [`k${index}`]: 'v' } },
      };
      const now = `2026-01-01T00:00:${String(index).padStart(2, '0')}Z`;
      object = owned(next, track(object, next, `m${String(index).padStart(2, '0')}`, { now }));
    }
    const managers = object.metadata.managedFields ?? [];
    expect(managers).toHaveLength(10);
    expect(managers[0]?.manager).toBe('ancient-changes');
    expect(JSON.stringify(managers[0]?.fieldsV1)).toContain('f:k1"');
  });
});

it('names the manager after the user agent', () => {
  expect(managerFromUserAgent('kubectl/v1.35 (linux/amd64)')).toBe('kubectl');
  expect(managerFromUserAgent('')).toBe('unknown');
  expect(managerFromUserAgent(`${'ü'.repeat(100)}/1`)).toBe('ü'.repeat(64));
});
