import { IMMUTABLE, invalidValue, required } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { validateLabelSelector } from '../../../api/labels.ts';
import { dns1123SubdomainProblems } from '../../../api/names.ts';
import { csiDrivers, csiNodes, csiStorageCapacities } from '../../../api/resources.gen.ts';
import type { CSIDriver, CSINode, CSIStorageCapacity } from '../../../api/types.gen.ts';
import type { Column, ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, integerColumn, nameColumn, textColumn } from '../columns.ts';
import { eachOf, problemsOf } from '../field-checks.ts';

const flag = (name: string, description: string, field: keyof CSIDriver['spec']): Column<CSIDriver> => ({
  name,
  type: 'boolean',
  description,
  cell: ({ spec }) => spec?.[field] === true,
});

export const csiDriver: ResourceDefinition<CSIDriver> = {
  resource: csiDrivers,
  singular: 'csidriver',
  columns: [
    nameColumn,
    flag('AttachRequired', 'Whether volumes are attached to nodes first.', 'attachRequired'),
    flag('PodInfoOnMount', 'Whether the driver learns about the pod.', 'podInfoOnMount'),
    flag('StorageCapacity', 'Whether the driver publishes its capacity.', 'storageCapacity'),
    textColumn(
      'TokenRequests',
      'Audiences of the tokens it gets.',
      ({ spec }: CSIDriver) => spec?.tokenRequests?.map(({ audience }) => audience).join(',') || '<unset>',
    ),
    flag('RequiresRepublish', 'Whether it is called again and again.', 'requiresRepublish'),
    textColumn(
      'Modes',
      'Lives of its volumes.',
      ({ spec }: CSIDriver) => spec?.volumeLifecycleModes?.join(',') || '<none>',
    ),
    ageColumn,
  ],
  strategy: {
    allowUnconditionalUpdate: false,
    default: ({ spec }) => {
      if (spec === undefined) return;
      spec.attachRequired ??= true;
      spec.podInfoOnMount ??= false;
      spec.storageCapacity ??= false;
      spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
      spec.requiresRepublish ??= false;
      spec.seLinuxMount ??= false;
      if (!spec.volumeLifecycleModes?.length) spec.volumeLifecycleModes = ['Persistent'];
    },
    validateUpdate: ({ spec }, old) =>
      (['attachRequired', 'fsGroupPolicy', 'volumeLifecycleModes'] as const)
        .filter((field) => !equalJson(spec?.[field], old.spec?.[field]))
        .map((field) => invalidValue(`spec.${field}`, spec?.[field], IMMUTABLE)),
  },
};

export const csiNode: ResourceDefinition<CSINode> = {
  resource: csiNodes,
  singular: 'csinode',
  columns: [
    nameColumn,
    integerColumn('Drivers', 'How many drivers run on it.', ({ spec }: CSINode) => spec?.drivers?.length),
    ageColumn,
  ],
  strategy: {
    allowUnconditionalUpdate: false,
    hasGeneration: false,
    validate: ({ spec }) =>
      eachOf(spec?.drivers, 'spec.drivers', ({ name, nodeID }, at) => [
        ...(name
          ? problemsOf(`${at}.name`, name.toLowerCase(), dns1123SubdomainProblems)
          : [required(`${at}.name`)]),
        ...(nodeID ? [] : [required(`${at}.nodeID`)]),
      ]),
  },
};

export const csiStorageCapacity: ResourceDefinition<CSIStorageCapacity> = {
  resource: csiStorageCapacities,
  singular: 'csistoragecapacity',
  columns: [
    nameColumn,
    textColumn(
      'StorageClassName',
      'StorageClass it is about.',
      ({ storageClassName }: CSIStorageCapacity) => storageClassName,
    ),
    textColumn('Capacity', 'What is left.', ({ capacity }: CSIStorageCapacity) => capacity ?? '<unset>'),
    ageColumn,
  ],
  strategy: {
    allowUnconditionalUpdate: false,
    hasGeneration: false,
    validate: ({ nodeTopology, storageClassName }) => [
      ...validateLabelSelector(nodeTopology, 'nodeTopology'),
      ...(storageClassName
        ? problemsOf('storageClassName', storageClassName, dns1123SubdomainProblems)
        : [required('storageClassName')]),
    ],
    validateUpdate: (object, old) => {
      const errors = [];
      if (!equalJson(object.nodeTopology, old.nodeTopology)) {
        errors.push(invalidValue('nodeTopology', object.nodeTopology, IMMUTABLE));
      }
      if (object.storageClassName !== old.storageClassName) {
        errors.push(invalidValue('storageClassName', object.storageClassName, IMMUTABLE));
      }
      return errors;
    },
  },
};
