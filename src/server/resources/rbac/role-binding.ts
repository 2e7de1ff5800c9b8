import { pathSegmentProblems } from '../../../api/names.ts';
import { roleBindings } from '../../../api/resources.gen.ts';
import type { RoleBinding } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { bindingColumns } from './binding-columns.ts';
import { defaultBinding, validateBinding, validateBindingUpdate } from './validation.ts';

export const roleBinding: ResourceDefinition<RoleBinding> = {
  resource: roleBindings,
  singular: 'rolebinding',
  validateName: pathSegmentProblems,
  columns: bindingColumns,
  strategy: {
    hasGeneration: false,
    allowCreateOnUpdate: true,
    default: defaultBinding,
    validate: (object) => validateBinding(object, ['Role', 'ClusterRole']),
    validateUpdate: validateBindingUpdate,
  },
};
