import { flowSchemas } from '../../../api/resources.gen.ts';
import type { FlowSchema } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, integerColumn, nameColumn, textColumn } from '../columns.ts';
import { validateFlowSchema } from './validate-flow-schema.ts';

const PRECEDENCE = 1000;

function missingLevel({ status }: FlowSchema): string {
  return status?.conditions?.find(({ type }) => type === 'Dangling')?.status ?? '?';
}

export const flowSchema: ResourceDefinition<FlowSchema> = {
  resource: flowSchemas,
  singular: 'flowschema',
  columns: [
    nameColumn,
    textColumn(
      'PriorityLevel',
      'Level that its requests get.',
      ({ spec }: FlowSchema) => spec?.priorityLevelConfiguration?.name,
    ),
    integerColumn(
      'MatchingPrecedence',
      'Lower ones are asked first.',
      ({ spec }: FlowSchema) => spec?.matchingPrecedence,
    ),
    textColumn(
      'DistinguisherMethod',
      'What tells one flow from another.',
      ({ spec }: FlowSchema) => spec?.distinguisherMethod?.type ?? '<none>',
    ),
    ageColumn,
    textColumn('MissingPL', 'Whether its level is missing.', missingLevel),
  ],
  strategy: {
    default: ({ spec }) => {
      if (spec !== undefined) spec.matchingPrecedence ||= PRECEDENCE;
    },
    validate: validateFlowSchema,
  },
  subresources: [{ name: 'status', keeps: 'metadata' }],
};
