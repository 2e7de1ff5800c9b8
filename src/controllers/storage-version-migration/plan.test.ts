import { describe, expect, it } from 'vitest';
import type { StorageVersionMigration } from '../../api/types.gen.ts';
import { isOver, statusAfter } from './plan.ts';

const migration: StorageVersionMigration = {
  metadata: { name: 'widgets' },
  spec: { resource: { group: 'example.com', resource: 'widgets' } },
};
const now = '2026-01-01T00:00:00Z';

describe('the status of a migration', () => {
  it('tells that it runs, and since which revision', () => {
    expect(statusAfter(migration, 'Running', { now, resourceVersion: '7' })).toEqual({
      resourceVersion: '7',
      conditions: [
        {
          type: 'Running',
          status: 'True',
          reason: 'StorageVersionMigrationInProgress',
          message: '',
          lastTransitionTime: now,
        },
      ],
    });
  });

  it('tells how it ended, and then stays', () => {
    const running = {
      ...migration,
      status: statusAfter(migration, 'Running', { now, resourceVersion: '7' }),
    };
    expect(isOver(running)).toBe(false);
    const ended = { ...running, status: statusAfter(running, 'Failed', { now, message: 'no' }) };
    expect(ended.status.conditions?.map(({ type, status, message }) => [type, status, message])).toEqual([
      ['Running', 'False', ''],
      ['Failed', 'True', 'no'],
    ]);
    expect(ended.status.resourceVersion).toBe('7');
    expect(isOver(ended)).toBe(true);
  });
});
