import { pathSegmentProblems } from '../../../api/names.ts';
import { clusterRoles } from '../../../api/resources.gen.ts';
import type { ClusterRole } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { createdAtColumn, nameColumn } from '../columns.ts';
import { validateAggregation, validateRules } from './validation.ts';

export const clusterRole: ResourceDefinition<ClusterRole> = {
  resource: clusterRoles,
  singular: 'clusterrole',
  validateName: pathSegmentProblems,
  columns: [nameColumn, createdAtColumn],
  strategy: {
    hasGeneration: false,
    allowCreateOnUpdate: true,
    validate: ({ rules, aggregationRule }) => [
      ...validateRules(rules, false),
      ...validateAggregation(aggregationRule),
    ],
  },
};
