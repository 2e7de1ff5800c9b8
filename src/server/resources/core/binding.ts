import { bindings, pods } from '../../../api/resources.gen.ts';
import { badRequest } from '../../../api/status.ts';
import type { Binding } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';

/** The old way to place a pod, kept by upstream for old schedulers; the same as `pods/binding`. */
export const binding: ResourceDefinition<Binding> = {
  resource: bindings,
  singular: 'binding',
  verbs: ['create'],
  columns: [],
  virtual: {
    create: async ({ body, namespace, context }) => {
      const { name } = body.metadata;
      if (!name) throw badRequest('name must be provided');
      return context.client.createSubresource(pods, { name, namespace }, 'binding', body);
    },
  },
};
