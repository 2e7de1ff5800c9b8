import { invalidValue, required } from '../../../api/field-errors.ts';
import { apiServices } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { APIService } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';
import { inRange } from '../field-checks.ts';

function available({ status }: APIService): string {
  const condition = status?.conditions?.find(({ type }) => type === 'Available');
  if (condition === undefined) return 'Unknown';
  return condition.status === 'True' ? 'True' : `${condition.status} (${condition.reason})`;
}

function validateApiService({ metadata, spec }: APIService): FieldError[] {
  const errors: FieldError[] = [];
  const { group = '', version = '', groupPriorityMinimum, versionPriority } = spec ?? {};
  const wanted = `${version}.${group}`;
  if (metadata.name !== wanted && !(group === '' && metadata.name === `${version}.`)) {
    errors.push(
      invalidValue('metadata.name', metadata.name, `must be \`spec.version+"."+spec.group\`: "${wanted}"`),
    );
  }
  if (version === '') errors.push(required('spec.version'));
  errors.push(
    ...inRange('spec.groupPriorityMinimum', groupPriorityMinimum, 1, 20_000),
    ...inRange('spec.versionPriority', versionPriority, 1, 1000),
  );
  if (spec?.service && !spec.service.name) errors.push(required('spec.service.name'));
  if (spec?.service && !spec.service.namespace) errors.push(required('spec.service.namespace'));
  if (spec?.insecureSkipTLSVerify && spec.caBundle) {
    errors.push(invalidValue('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present'));
  }
  return errors;
}

export const apiService: ResourceDefinition<APIService> = {
  resource: apiServices,
  singular: 'apiservice',
  categories: ['api-extensions'],
  validateName: () => [],
  columns: [
    nameColumn,
    textColumn('Service', 'What serves the version.', ({ spec }: APIService) =>
      spec?.service ? `${spec.service.namespace}/${spec.service.name}` : 'Local',
    ),
    textColumn('Available', 'Whether it is reachable.', available),
    ageColumn,
  ],
  strategy: {
    hasGeneration: false,
    default: ({ spec }) => {
      if (spec?.service !== undefined) spec.service.port ??= 443;
    },
    validate: validateApiService,
  },
  subresources: [{ name: 'status' }],
};
