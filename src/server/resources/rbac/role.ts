import { pathSegmentProblems } from '../../../api/names.ts';
import { roles } from '../../../api/resources.gen.ts';
import type { Role } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { createdAtColumn, nameColumn } from '../columns.ts';
import { validateRules } from './validation.ts';

export const role: ResourceDefinition<Role> = {
  resource: roles,
  singular: 'role',
  validateName: pathSegmentProblems,
  columns: [nameColumn, createdAtColumn],
  strategy: {
    hasGeneration: false,
    allowCreateOnUpdate: true,
    validate: ({ rules }) => validateRules(rules, true),
  },
};
