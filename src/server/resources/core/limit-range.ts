import { duplicate, forbiddenField, invalidValue } from '../../../api/field-errors.ts';
import { compareQuantities } from '../../../api/quantity.ts';
import { limitRanges } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { LimitRange, LimitRangeItem } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { createdAtColumn, nameColumn } from '../columns.ts';
import { eachOf } from '../field-checks.ts';

/** For containers: limit ← max, request ← limit, request ← min (upstream's SetDefaults_LimitRangeItem). */
function defaultItem(item: LimitRangeItem): void {
  if (item.type !== 'Container') return;
  item.default = { ...item.max, ...item.default };
  item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest };
}

const PARTS = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;

function validateItem(item: LimitRangeItem, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { type, min = {}, max = {}, default: limit = {}, defaultRequest: request = {} } = item;
  if (type === 'Pod') {
    for (const part of ['default', 'defaultRequest'] as const) {
      if (Object.keys(item[part] ?? {}).length > 0) {
        errors.push(forbiddenField(`${path}.${part}`, "may not be specified when `type` is 'Pod'"));
      }
    }
  }
  if (type === 'PersistentVolumeClaim' && min.storage === undefined && max.storage === undefined) {
    errors.push({
      field: `${path}.limits`,
      reason: 'FieldValueRequired',
      message:
        'Required value: either minimum or maximum storage value is required, but neither was provided',
    });
  }
  const names = new Set(PARTS.flatMap((part) => Object.keys(item[part] ?? {})));
  const order = (
    name: string,
    lower: [string, string | undefined],
    upper: [string, string | undefined],
  ): void => {
    if (lower[1] === undefined || upper[1] === undefined || compareQuantities(lower[1], upper[1]) <= 0)
      return;
    errors.push(
      invalidValue(
        `${path}.${lower[0]}[${name}]`,
        lower[1],
        `${WORDS[lower[0]]} value ${lower[1]} is greater than ${WORDS[upper[0]]} value ${upper[1]}`,
      ),
    );
  };
  for (const name of names) {
    order(name, ['min', min[name]], ['max', max[name]]);
    order(name, ['min', min[name]], ['defaultRequest', request[name]]);
    order(name, ['defaultRequest', request[name]], ['max', max[name]]);
    order(name, ['defaultRequest', request[name]], ['default', limit[name]]);
    order(name, ['min', min[name]], ['default', limit[name]]);
    order(name, ['default', limit[name]], ['max', max[name]]);
    const ratio = item.maxLimitRequestRatio?.[name];
    if (ratio !== undefined && compareQuantities(ratio, '1') < 0) {
      errors.push(
        invalidValue(`${path}.maxLimitRequestRatio[${name}]`, ratio, `ratio ${ratio} is less than 1`),
      );
    }
  }
  return errors;
}

const WORDS: Readonly<Record<string, string>> = {
  min: 'min',
  max: 'max',
  default: 'default',
  defaultRequest: 'default request',
};

function validateLimitRange({ spec }: LimitRange): FieldError[] {
  const types = new Set<string>();
  return eachOf(spec?.limits, 'spec.limits', (item, at) => {
    const errors = validateItem(item, at);
    if (types.has(item.type)) errors.push(duplicate(`${at}.type`, item.type));
    types.add(item.type);
    return errors;
  });
}

export const limitRange: ResourceDefinition<LimitRange> = {
  resource: limitRanges,
  singular: 'limitrange',
  shortNames: ['limits'],
  columns: [nameColumn, createdAtColumn],
  strategy: {
    hasGeneration: false,
    allowCreateOnUpdate: true,
    default: ({ spec }) => {
      for (const item of spec?.limits ?? []) defaultItem(item);
    },
    validate: validateLimitRange,
  },
};
