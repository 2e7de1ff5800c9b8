import { invalidValue } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { labelKeyProblems } from '../../../api/names.ts';
import { parseQuantity } from '../../../api/quantity.ts';
import { resourceQuotas } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { Quantity, ResourceQuota } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';
import { AT_LEAST_ZERO, problemsOf } from '../field-checks.ts';
import { validateQuotaScopes } from './quota-scopes.ts';

/** `requests.cpu: 1/2, pods: 3/10`, split as upstream does: limits have a column of their own. */
function usage({ status, spec }: ResourceQuota, part: 'request' | 'limit'): string {
  const hard = status?.hard ?? spec?.hard ?? {};
  return Object.keys(hard)
    .filter((name) => name.startsWith('limits.') === (part === 'limit'))
    .sort()
    .map((name) => `${name}: ${status?.used?.[name] ?? '0'}/${hard[name]}`)
    .join(', ');
}

const PLAIN: ReadonlySet<string> = new Set([
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'pods',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'resourcequotas',
  'services.nodeports',
  'services.loadbalancers',
]);

function validateName(name: string, field: string): FieldError[] {
  const errors = problemsOf(field, name, labelKeyProblems);
  if (errors.length > 0 || name.includes('/')) return errors;
  return PLAIN.has(name) || name.startsWith('hugepages-') || name.startsWith('requests.hugepages-')
    ? []
    : [invalidValue(field, name, 'must be a standard resource type or fully qualified')];
}

function validateHard(hard: Readonly<Record<string, Quantity>> | undefined): FieldError[] {
  return Object.entries(hard ?? {}).flatMap(([name, quantity]) => {
    const field = `spec.hard[${name}]`;
    const { nano } = parseQuantity(quantity);
    const errors = validateName(name, field);
    if (nano < 0n) errors.push(invalidValue(field, quantity, AT_LEAST_ZERO));
    return errors;
  });
}

export const resourceQuota: ResourceDefinition<ResourceQuota> = {
  resource: resourceQuotas,
  singular: 'resourcequota',
  shortNames: ['quota'],
  returnsDeleted: true,
  columns: [
    nameColumn,
    textColumn('Request', 'Requests used and allowed.', (object: ResourceQuota) => usage(object, 'request')),
    textColumn('Limit', 'Limits used and allowed.', (object: ResourceQuota) => usage(object, 'limit')),
    ageColumn,
  ],
  strategy: {
    hasGeneration: false,
    validate: ({ spec }) => [...validateHard(spec?.hard), ...validateQuotaScopes(spec)],
    validateUpdate: ({ spec }, old) =>
      equalJson([...(spec?.scopes ?? [])].sort(), [...(old.spec?.scopes ?? [])].sort())
        ? []
        : [invalidValue('spec.scopes', spec?.scopes, 'field is immutable')],
  },
  subresources: [{ name: 'status' }],
};
