import { invalidValue, required } from '../../../api/field-errors.ts';
import { flowSchemas } from '../../../api/resources.gen.ts';
import type { FlowSchema } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, integerColumn, nameColumn, textColumn } from '../columns.ts';

const PRECEDENCE = 1000;
const MAX_PRECEDENCE = 10_000;

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
    validate: ({ spec }) => {
      const precedence = spec?.matchingPrecedence ?? PRECEDENCE;
      const errors = [];
      if (precedence < 1)
        errors.push(invalidValue('spec.matchingPrecedence', precedence, 'must be a positive value'));
      if (precedence > MAX_PRECEDENCE) {
        errors.push(
          invalidValue('spec.matchingPrecedence', precedence, `must not be greater than ${MAX_PRECEDENCE}`),
        );
      }
      if (!spec?.priorityLevelConfiguration?.name)
        errors.push(required('spec.priorityLevelConfiguration.name', 'must reference a priority level'));
      return errors;
    },
  },
  subresources: [{ name: 'status' }],
};
