import { forbiddenField, invalidValue } from '../../../api/field-errors.ts';
import { priorityClasses } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { PriorityClass } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, integerColumn, nameColumn, textColumn } from '../columns.ts';

const HIGHEST = 1_000_000_000;
const SYSTEM: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

function validateClass({ metadata, value = 0, globalDefault }: PriorityClass): FieldError[] {
  const name = metadata.name ?? '';
  if (name.startsWith('system-')) {
    const known = Object.hasOwn(SYSTEM, name) ? SYSTEM[name] : undefined;
    if (known !== undefined && known === value && !globalDefault) return [];
    return [
      forbiddenField(
        'metadata.name',
        "priority class names with 'system-' prefix are reserved for system use only. error: " +
          (known === undefined
            ? `${name} is not a known system priority class`
            : `value of ${name} PriorityClass must be ${known}`),
      ),
    ];
  }
  return value > HIGHEST
    ? [forbiddenField('value', `maximum allowed value of a user defined priority is ${HIGHEST}`)]
    : [];
}

function validateClassUpdate(object: PriorityClass, old: PriorityClass): FieldError[] {
  const errors: FieldError[] = [];
  if ((object.value ?? 0) !== (old.value ?? 0)) {
    errors.push(forbiddenField('value', 'may not be changed in an update.'));
  }
  if (object.preemptionPolicy !== old.preemptionPolicy) {
    errors.push(invalidValue('preemptionPolicy', object.preemptionPolicy, 'field is immutable'));
  }
  return errors;
}

export const priorityClass: ResourceDefinition<PriorityClass> = {
  resource: priorityClasses,
  singular: 'priorityclass',
  shortNames: ['pc'],
  columns: [
    nameColumn,
    integerColumn('Value', 'Priority of its pods.', ({ value }: PriorityClass) => value),
    {
      name: 'Global-Default',
      type: 'boolean',
      description: 'Whether it is for pods that name no class.',
      cell: ({ globalDefault }) => globalDefault ?? false,
    },
    ageColumn,
    textColumn(
      'PreemptionPolicy',
      'Whether its pods push out others.',
      ({ preemptionPolicy }: PriorityClass) => preemptionPolicy,
    ),
  ],
  strategy: {
    hasGeneration: true,
    default: (object) => {
      object.value ??= 0;
      object.preemptionPolicy ??= 'PreemptLowerPriority';
    },
    validate: validateClass,
    validateUpdate: validateClassUpdate,
  },
};
