import { priorityLevelConfigurations } from '../../../api/resources.gen.ts';
import type { PriorityLevelConfiguration } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';
import { validatePriorityLevel } from './validate-priority-level.ts';

const SHARES = 30;

function defaultLevel({ spec }: PriorityLevelConfiguration): void {
  const { exempt, limited } = spec ?? {};
  if (exempt !== undefined) {
    exempt.nominalConcurrencyShares ??= 0;
    exempt.lendablePercent ??= 0;
  }
  if (limited === undefined) return;
  limited.nominalConcurrencyShares ??= SHARES;
  limited.lendablePercent ??= 0;
  const queuing = limited.limitResponse?.queuing;
  if (queuing === undefined) return;
  queuing.queues ||= 64;
  queuing.handSize ||= 8;
  queuing.queueLengthLimit ||= 50;
}

const limitedText =
  (read: (limited: NonNullable<NonNullable<PriorityLevelConfiguration['spec']>['limited']>) => unknown) =>
  ({ spec }: PriorityLevelConfiguration): string =>
    String((spec?.limited && read(spec.limited)) ?? '<none>');

export const priorityLevelConfiguration: ResourceDefinition<PriorityLevelConfiguration> = {
  resource: priorityLevelConfigurations,
  singular: 'prioritylevelconfiguration',
  columns: [
    nameColumn,
    textColumn('Type', 'Whether requests are limited.', ({ spec }: PriorityLevelConfiguration) => spec?.type),
    textColumn(
      'NominalConcurrencyShares',
      'Its part of the whole.',
      limitedText((one) => one.nominalConcurrencyShares),
    ),
    textColumn(
      'Queues',
      'How many queues.',
      limitedText((one) => one.limitResponse?.queuing?.queues),
    ),
    textColumn(
      'HandSize',
      'Queues that a flow may use.',
      limitedText((one) => one.limitResponse?.queuing?.handSize),
    ),
    textColumn(
      'QueueLengthLimit',
      'Requests that may wait in one.',
      limitedText((one) => one.limitResponse?.queuing?.queueLengthLimit),
    ),
    ageColumn,
  ],
  strategy: { default: defaultLevel, validate: validatePriorityLevel },
  subresources: [{ name: 'status', keeps: 'metadata' }],
};
