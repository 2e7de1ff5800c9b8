import { forbiddenField, IMMUTABLE, invalidValue, required, tooLong } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { configMapKeyProblems } from '../../../api/names.ts';
import { secrets } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { Secret } from '../../../api/types.gen.ts';
import { LIMITS } from '../../../lib/limits.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, integerColumn, nameColumn, textColumn } from '../columns.ts';
import { decodedBytes, decodedText } from './base64.ts';

const SERVICE_ACCOUNT_NAME = 'kubernetes.io/service-account.name';
const IMMUTABLE_SET = 'field is immutable when `immutable` is set';

/** `stringData` is write-only: it is merged over `data` and never stored. */
function mergeStringData(secret: Secret): void {
  const { stringData } = secret;
  if (stringData === undefined) return;
  const encoded = Object.entries(stringData).map(([key, text]) => [
    key,
    Buffer.from(text).toString('base64'),
  ]);
  secret.data = { ...secret.data, ...Object.fromEntries(encoded) };
  delete secret.stringData;
}

function defaultSecret(secret: Secret): void {
  secret.type ||= 'Opaque';
  mergeStringData(secret);
}

function validateJsonKey(secret: Secret, key: string): FieldError[] {
  const value = secret.data?.[key];
  if (value === undefined) return [required(`data[${key}]`)];
  try {
    JSON.parse(decodedText(value));
    return [];
  } catch (error) {
    // The value itself is never shown.
    return [invalidValue(`data[${key}]`, '<secret contents redacted>', (error as Error).message)];
  }
}

const requiredKeys = (secret: Secret, ...keys: string[]): FieldError[] =>
  keys.filter((key) => secret.data?.[key] === undefined).map((key) => required(`data[${key}]`));

/** What each well-known type asks of its data. */
const TYPE_RULES: Readonly<Record<string, (secret: Secret) => FieldError[]>> = {
  'kubernetes.io/service-account-token': ({ metadata }) =>
    metadata.annotations?.[SERVICE_ACCOUNT_NAME]
      ? []
      : [required(`metadata.annotations[${SERVICE_ACCOUNT_NAME}]`)],
  'kubernetes.io/dockercfg': (secret) => validateJsonKey(secret, '.dockercfg'),
  'kubernetes.io/dockerconfigjson': (secret) => validateJsonKey(secret, '.dockerconfigjson'),
  'kubernetes.io/basic-auth': ({ data = {} }) =>
    data.username === undefined && data.password === undefined
      ? [required('data[username]'), required('data[password]')]
      : [],
  'kubernetes.io/ssh-auth': ({ data = {} }) =>
    data['ssh-privatekey'] ? [] : [required('data[ssh-privatekey]')],
  'kubernetes.io/tls': (secret) => requiredKeys(secret, 'tls.crt', 'tls.key'),
};

function validateSecret(secret: Secret): FieldError[] {
  const errors: FieldError[] = [];
  let sizeBytes = 0;
  for (const [key, value] of Object.entries(secret.data ?? {})) {
    for (const problem of configMapKeyProblems(key)) errors.push(invalidValue(`data[${key}]`, key, problem));
    sizeBytes += decodedBytes(value);
  }
  if (sizeBytes > LIMITS.object.payloadBytes) errors.push(tooLong('data', LIMITS.object.payloadBytes));
  return [...errors, ...(TYPE_RULES[secret.type ?? '']?.(secret) ?? [])];
}

function validateSecretUpdate(secret: Secret, old: Secret): FieldError[] {
  const errors: FieldError[] = [];
  if (secret.type !== old.type) errors.push(invalidValue('type', secret.type, IMMUTABLE));
  if (old.immutable) {
    if (!secret.immutable) errors.push(forbiddenField('immutable', IMMUTABLE_SET));
    if (!equalJson(secret.data ?? {}, old.data ?? {})) errors.push(forbiddenField('data', IMMUTABLE_SET));
  }
  return errors;
}

export const secret: ResourceDefinition<Secret> = {
  resource: secrets,
  singular: 'secret',
  columns: [
    nameColumn,
    textColumn('Type', 'What the data is for.', (object: Secret) => object.type),
    integerColumn('Data', 'Number of entries.', (object: Secret) => Object.keys(object.data ?? {}).length),
    ageColumn,
  ],
  selectableFields: { type: (object) => object.type ?? '' },
  strategy: {
    hasGeneration: false,
    default: defaultSecret,
    prepareUpdate: (object, old) => {
      // A client that leaves the type out means the same type.
      if (!object.type) object.type = old.type;
    },
    validate: validateSecret,
    validateUpdate: validateSecretUpdate,
  },
};
