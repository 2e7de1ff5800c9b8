import { podTemplates } from '../../../api/resources.gen.ts';
import type { PodTemplate } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { containerColumns, formatLabels, nameColumn, textColumn } from '../columns.ts';
import { defaultPodTemplate } from '../pod-template/defaults.ts';
import { validatePodTemplate } from '../pod-template/validate.ts';

export const podTemplate: ResourceDefinition<PodTemplate> = {
  resource: podTemplates,
  singular: 'podtemplate',
  returnsDeleted: true,
  columns: [
    nameColumn,
    ...containerColumns(({ template }: PodTemplate) => template?.spec?.containers).map((column) => ({
      ...column,
      priority: 0 as const,
    })),
    textColumn('Pod Labels', 'Labels of the template.', ({ template }: PodTemplate) =>
      formatLabels(template?.metadata?.labels),
    ),
  ],
  strategy: {
    hasGeneration: true,
    default: ({ template }) => defaultPodTemplate(template),
    validate: ({ template }) => validatePodTemplate(template, 'template'),
  },
};
