import type { StorageVersionMigration, StorageVersionMigrationStatus } from '../../api/types.gen.ts';
import { withCondition } from '../framework/status-writer.ts';

export type Outcome = 'Running' | 'Succeeded' | 'Failed';

const REASONS: Readonly<Record<Outcome, string>> = {
  Running: 'StorageVersionMigrationInProgress',
  Succeeded: 'StorageVersionMigrationSucceeded',
  Failed: 'StorageVersionMigrationFailed',
};

/** Nothing is left to do, whatever came of it. */
export const isOver = ({ status }: StorageVersionMigration): boolean =>
  status?.conditions?.some(({ type, status: is }) => type !== 'Running' && is === 'True') ?? false;

/** The status once a migration has come so far; it no longer runs when it has ended. Pure. */
export function statusAfter(
  { status = {} }: StorageVersionMigration,
  outcome: Outcome,
  { now, message = '', resourceVersion }: { now: string; message?: string; resourceVersion?: string },
): StorageVersionMigrationStatus {
  const condition = (type: Outcome, is: 'True' | 'False', text: string) => ({
    type,
    status: is,
    reason: REASONS[is === 'True' ? type : outcome],
    message: text,
    lastTransitionTime: now,
  });
  let conditions = status.conditions ?? [];
  if (outcome !== 'Running') conditions = withCondition(conditions, condition('Running', 'False', ''));
  conditions = withCondition(conditions, condition(outcome, 'True', message));
  const since = status.resourceVersion || resourceVersion;
  return { conditions, ...(since === undefined ? {} : { resourceVersion: since }) };
}
