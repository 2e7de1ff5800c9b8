import { forbiddenField, invalidValue, tooLong } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { configMapKeyProblems } from '../../../api/names.ts';
import { configMaps } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { ConfigMap } from '../../../api/types.gen.ts';
import { LIMITS } from '../../../lib/limits.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, integerColumn, nameColumn } from '../columns.ts';
import { decodedBytes } from './base64.ts';

const IMMUTABLE_SET = 'field is immutable when `immutable` is set';

function validateConfigMap(map: ConfigMap): FieldError[] {
  const { data = {}, binaryData = {} } = map;
  const errors: FieldError[] = [];
  let sizeBytes = 0;
  const checkKey = (field: string, key: string): void => {
    for (const problem of configMapKeyProblems(key)) {
      errors.push(invalidValue(`${field}[${key}]`, key, problem));
    }
  };
  for (const [key, value] of Object.entries(data)) {
    checkKey('data', key);
    if (Object.hasOwn(binaryData, key)) {
      errors.push(invalidValue(`data[${key}]`, key, 'duplicate of key present in binaryData'));
    }
    sizeBytes += Buffer.byteLength(value);
  }
  for (const [key, value] of Object.entries(binaryData)) {
    checkKey('binaryData', key);
    sizeBytes += decodedBytes(value);
  }
  // Upstream reports the size against the whole object, which has an empty path.
  if (sizeBytes > LIMITS.object.payloadBytes) errors.push(tooLong('', LIMITS.object.payloadBytes));
  return errors;
}

function validateConfigMapUpdate(map: ConfigMap, old: ConfigMap): FieldError[] {
  if (!old.immutable) return [];
  const errors: FieldError[] = [];
  if (!map.immutable) errors.push(forbiddenField('immutable', IMMUTABLE_SET));
  if (!equalJson(map.data ?? {}, old.data ?? {})) errors.push(forbiddenField('data', IMMUTABLE_SET));
  if (!equalJson(map.binaryData ?? {}, old.binaryData ?? {})) {
    errors.push(forbiddenField('binaryData', IMMUTABLE_SET));
  }
  return errors;
}

export const configMap: ResourceDefinition<ConfigMap> = {
  resource: configMaps,
  singular: 'configmap',
  shortNames: ['cm'],
  columns: [
    nameColumn,
    integerColumn(
      'Data',
      'Number of entries.',
      (map: ConfigMap) => Object.keys(map.data ?? {}).length + Object.keys(map.binaryData ?? {}).length,
    ),
    ageColumn,
  ],
  strategy: { hasGeneration: false, validate: validateConfigMap, validateUpdate: validateConfigMapUpdate },
};
