import { describe, expect, it } from 'vitest';
import { required } from './field-errors.ts';
import {
  alreadyExists,
  conflict,
  forbidden,
  invalid,
  isConflict,
  isNotFound,
  MODIFIED,
  notFound,
} from './status.ts';

const deployments = { group: 'apps', resource: 'deployments' };
const pods = { group: '', resource: 'pods' };

describe('Status errors', () => {
  it("carry upstream's sentences, codes and details", () => {
    expect(notFound(pods, 'web').status).toEqual({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'pods "web" not found',
      reason: 'NotFound',
      details: { name: 'web', kind: 'pods' },
      code: 404,
    });
    expect(alreadyExists(deployments, 'web').message).toBe('deployments.apps "web" already exists');
    const stale = conflict(deployments, 'web', MODIFIED);
    expect(stale.message).toMatch(
      /^Operation cannot be fulfilled on deployments\.apps "web": the object has been modified;/,
    );
    expect(stale.status.details).toEqual({ name: 'web', group: 'apps', kind: 'deployments' });
    expect([isConflict(stale), isNotFound(stale), isConflict(alreadyExists(pods, 'a'))]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('leave out the name where a whole collection was asked for', () => {
    const { status } = forbidden(pods, '', 'User "x" cannot list resource "pods"');
    expect(status.message).toBe('pods is forbidden: User "x" cannot list resource "pods"');
    expect(status.details).toEqual({ kind: 'pods' });
  });

  it('tell once what two checks found alike', () => {
    const error = { field: 'spec.x', reason: 'FieldValueRequired', message: 'Required value' } as const;
    const { status } = invalid({ group: '', kind: 'Pod' }, 'a', [error, { ...error }]);
    expect(status.message).toBe('Pod "a" is invalid: spec.x: Required value');
    expect(status.details?.causes).toHaveLength(1);
  });

  it('list every field, in brackets when there are several', () => {
    const one = invalid({ group: '', kind: 'Pod' }, 'web', [required('spec.containers')]);
    expect(one.message).toBe('Pod "web" is invalid: spec.containers: Required value');
    const two = invalid({ group: 'apps', kind: 'Deployment' }, 'web', [
      required('spec.a'),
      required('spec.b', 'why'),
    ]);
    expect(two.message).toBe(
      'Deployment.apps "web" is invalid: [spec.a: Required value, spec.b: Required value: why]',
    );
    expect(two.status.details?.causes?.[1]).toEqual({
      reason: 'FieldValueRequired',
      message: 'Required value: why',
      field: 'spec.b',
    });
  });
});
