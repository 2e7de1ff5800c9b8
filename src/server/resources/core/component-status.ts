import { componentStatuses } from '../../../api/resources.gen.ts';
import type { ComponentStatus } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { nameColumn, textColumn } from '../columns.ts';

const healthy = ({ conditions }: ComponentStatus) => conditions?.find(({ type }) => type === 'Healthy');

/** Deprecated since 1.19; served empty, since all components are one process that would not answer if it were ill. */
export const componentStatus: ResourceDefinition<ComponentStatus> = {
  resource: componentStatuses,
  singular: 'componentstatus',
  deprecation: 'v1 ComponentStatus is deprecated in v1.19+',
  shortNames: ['cs'],
  verbs: ['get', 'list'],
  columns: [
    nameColumn,
    textColumn('Status', 'Whether the component is healthy.', (object: ComponentStatus) => {
      const status = healthy(object)?.status;
      return status === undefined ? 'Unknown' : status === 'True' ? 'Healthy' : 'Unhealthy';
    }),
    textColumn('Message', 'What it says of itself.', (object: ComponentStatus) => healthy(object)?.message),
    textColumn('Error', 'What is wrong with it.', (object: ComponentStatus) => healthy(object)?.error),
  ],
  strategy: { hasGeneration: false },
};
