import { forbiddenField, IMMUTABLE, invalidValue, required } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { volumeAttachments, volumeAttributesClasses } from '../../../api/resources.gen.ts';
import type { VolumeAttachment, VolumeAttributesClass } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';

export const volumeAttachment: ResourceDefinition<VolumeAttachment> = {
  resource: volumeAttachments,
  singular: 'volumeattachment',
  columns: [
    nameColumn,
    textColumn('Attacher', 'What attaches the volume.', ({ spec }: VolumeAttachment) => spec?.attacher),
    textColumn('PV', 'The volume.', ({ spec }: VolumeAttachment) => spec?.source?.persistentVolumeName),
    textColumn('Node', 'Where it is attached.', ({ spec }: VolumeAttachment) => spec?.nodeName),
    {
      name: 'Attached',
      type: 'boolean',
      description: 'Whether it is attached.',
      cell: ({ status }) => status?.attached ?? false,
    },
    ageColumn,
  ],
  strategy: {
    hasGeneration: false,
    allowUnconditionalUpdate: false,
    prepareCreate: (object) => {
      object.status = { attached: false };
    },
    validate: ({ spec }) => [
      ...(spec?.attacher ? [] : [required('spec.attacher')]),
      ...(spec?.nodeName ? [] : [required('spec.nodeName')]),
      ...(spec?.source?.persistentVolumeName || spec?.source?.inlineVolumeSpec
        ? []
        : [required('spec.source', 'must specify exactly one of inlineVolumeSpec and persistentVolumeName')]),
    ],
    validateUpdate: ({ spec }, old) =>
      equalJson(spec, old.spec) ? [] : [invalidValue('spec', spec, IMMUTABLE)],
  },
  subresources: [{ name: 'status', keeps: 'metadata' }],
};

export const volumeAttributesClass: ResourceDefinition<VolumeAttributesClass> = {
  resource: volumeAttributesClasses,
  singular: 'volumeattributesclass',
  shortNames: ['vac'],
  columns: [
    nameColumn,
    textColumn(
      'DriverName',
      'Driver that knows the class.',
      ({ driverName }: VolumeAttributesClass) => driverName,
    ),
    ageColumn,
  ],
  strategy: {
    hasGeneration: false,
    validate: ({ driverName, parameters }) => [
      ...(driverName ? [] : [required('driverName')]),
      ...(Object.keys(parameters ?? {}).length > 0
        ? []
        : [required('parameters', 'must contain at least one key/value pair')]),
    ],
    validateUpdate: (object, old) => {
      const errors = [];
      if (object.driverName !== old.driverName) {
        errors.push(forbiddenField('driverName', 'updates to driverName are forbidden.'));
      }
      if (!equalJson(object.parameters ?? {}, old.parameters ?? {})) {
        errors.push(forbiddenField('parameters', 'updates to parameters are forbidden.'));
      }
      return errors;
    },
  },
};
