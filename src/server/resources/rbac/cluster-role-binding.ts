import { pathSegmentProblems } from '../../../api/names.ts';
import { clusterRoleBindings } from '../../../api/resources.gen.ts';
import type { ClusterRoleBinding } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { bindingColumns } from './binding-columns.ts';
import { defaultBinding, validateBinding, validateBindingUpdate } from './validation.ts';

export const clusterRoleBinding: ResourceDefinition<ClusterRoleBinding> = {
  resource: clusterRoleBindings,
  singular: 'clusterrolebinding',
  validateName: pathSegmentProblems,
  columns: bindingColumns,
  strategy: {
    hasGeneration: false,
    allowCreateOnUpdate: true,
    default: defaultBinding,
    validate: (object) => validateBinding(object, ['ClusterRole']),
    validateUpdate: validateBindingUpdate,
  },
};
