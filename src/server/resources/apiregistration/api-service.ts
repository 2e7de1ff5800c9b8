import { invalidValue, notSupported, required } from '../../../api/field-errors.ts';
import { dns1035LabelProblems, dns1123SubdomainProblems, portNumberProblems } from '../../../api/names.ts';
import { apiServices } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { APIService, APIServiceSpec } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';
import { eachOf, problemsOf } from '../field-checks.ts';

function available({ status }: APIService): string {
  const condition = status?.conditions?.find(({ type }) => type === 'Available');
  if (condition === undefined) return 'Unknown';
  return condition.status === 'True' ? 'True' : `${condition.status} (${condition.reason})`;
}

function validateApiService({ metadata, spec }: APIService): FieldError[] {
  const errors: FieldError[] = [];
  const { group = '', version = '', groupPriorityMinimum = 0, versionPriority = 0 } = spec ?? {};
  const wanted = `${version}.${group}`;
  if (metadata.name !== wanted) {
    errors.push(
      invalidValue('metadata.name', metadata.name, `must be \`spec.version+"."+spec.group\`: "${wanted}"`),
    );
  }
  if (group === '' && version !== 'v1')
    errors.push(required('spec.group', 'only v1 may have an empty group and it better be legacy kube'));
  if (group !== '') errors.push(...problemsOf('spec.group', group, dns1123SubdomainProblems));
  errors.push(...problemsOf('spec.version', version, dns1035LabelProblems));
  if (groupPriorityMinimum <= 0 || groupPriorityMinimum > 20_000) {
    const why = 'must be positive and less than 20000';
    errors.push(invalidValue('spec.groupPriorityMinimum', groupPriorityMinimum, why));
  }
  if (versionPriority <= 0 || versionPriority > 1000)
    errors.push(invalidValue('spec.versionPriority', versionPriority, 'must be positive and less than 1000'));
  return [...errors, ...(spec?.service ? validateRemote(spec) : validateLocal(spec))];
}

function validateLocal({ caBundle, insecureSkipTLSVerify }: Partial<APIServiceSpec> = {}): FieldError[] {
  const errors: FieldError[] = [];
  if (caBundle) {
    const size = `${Buffer.from(caBundle, 'base64').length} bytes`;
    errors.push(invalidValue('spec.caBundle', size, 'local APIServices may not have a caBundle'));
  }
  if (insecureSkipTLSVerify) {
    const why = 'local APIServices may not have insecureSkipTLSVerify';
    errors.push(invalidValue('spec.insecureSkipTLSVerify', true, why));
  }
  return errors;
}

function validateRemote({ service, caBundle, insecureSkipTLSVerify }: APIServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  if (!service?.namespace) errors.push(required('spec.service.namespace'));
  if (!service?.name) errors.push(required('spec.service.name'));
  for (const problem of portNumberProblems(service?.port ?? 0))
    errors.push(invalidValue('spec.service.port', service?.port, `port is not valid: ${problem}`));
  if (insecureSkipTLSVerify && caBundle) {
    errors.push(invalidValue('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present'));
  }
  return errors;
}

const CONDITION_STATUSES = ['True', 'False', 'Unknown'];

function validateStatus({ status }: APIService): FieldError[] {
  return eachOf(status?.conditions, 'status.conditions', (condition, path) =>
    CONDITION_STATUSES.includes(condition.status)
      ? []
      : [notSupported(`${path}.status`, condition.status, CONDITION_STATUSES)],
  );
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
  anyFinalizer: true,
  strategy: {
    hasGeneration: false,
    allowUnconditionalUpdate: false,
    // Nothing has to be looked at before the server's own versions are there.
    prepareCreate: (object, { now }) => {
      if (object.spec?.service !== undefined) return;
      object.status = {
        conditions: [
          {
            type: 'Available',
            status: 'True',
            lastTransitionTime: now(),
            reason: 'Local',
            message: 'Local APIServices are always available',
          },
        ],
      };
    },
    default: ({ spec }) => {
      if (spec?.service !== undefined) spec.service.port ??= 443;
    },
    validate: validateApiService,
  },
  subresources: [{ name: 'status', keeps: 'metadata', validateUpdate: validateStatus }],
};
