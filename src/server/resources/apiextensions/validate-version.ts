import { duplicate, invalidValue, required, tooMany } from '../../../api/field-errors.ts';
import type { FieldError } from '../../../api/status.ts';
import { resolveFieldPath } from '../../../api/structural/field-path.ts';
import type { JsonSchema } from '../../../api/structural/json-schema.ts';
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinitionVersion,
  CustomResourceSubresources,
  SelectableField,
} from '../../../api/types.gen.ts';

/** As upstream's MaxSelectableFields. */
const MAX_SELECTABLE_FIELDS = 8;
const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];
const COLUMN_FORMATS = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];

export function validateDeprecation(
  { deprecated = false, deprecationWarning: text }: CustomResourceDefinitionVersion,
  path: string,
): FieldError[] {
  if (text === undefined) return [];
  const say = (why: string): FieldError => invalidValue(`${path}.deprecationWarning`, text, why);
  if (!deprecated) return [say('can only be set for deprecated versions')];
  const errors: FieldError[] = [];
  if (Buffer.byteLength(text) > 256) errors.push(say('must be <= 256 characters long'));
  if (text === '') errors.push(say('must not be an empty string'));
  const bad = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(text);
  if (bad) {
    const index = Buffer.byteLength(text.slice(0, bad.index));
    const why = `must only contain printable UTF-8 characters; non-printable character found at index ${index}`;
    errors.push(say(why));
  }
  return errors;
}

/** Upstream asks no more of a path here than that it begins with a dot. */
function simplePath(text: string, path: string): FieldError[] {
  return text.startsWith('.') ? [] : [invalidValue(path, text, 'must be a simple json path starting with .')];
}

export function validateSubresources(
  subresources: CustomResourceSubresources | undefined,
  path: string,
): FieldError[] {
  const scale = subresources?.scale;
  if (!scale) return [];
  const under = (
    field: string,
    text: string | undefined,
    roots: readonly string[],
    where: string,
  ): FieldError[] => {
    const at = `${path}.scale.${field}`;
    if (!text) return [required(at)];
    const simple = simplePath(text, at);
    if (simple.length > 0) return simple;
    return roots.some((root) => text.startsWith(root)) ? [] : [invalidValue(at, text, where)];
  };
  const { labelSelectorPath } = scale;
  return [
    ...under('specReplicasPath', scale.specReplicasPath, ['.spec.'], 'should be a json path under .spec'),
    ...under(
      'statusReplicasPath',
      scale.statusReplicasPath,
      ['.status.'],
      'should be a json path under .status',
    ),
    ...(labelSelectorPath
      ? under(
          'labelSelectorPath',
          labelSelectorPath,
          ['.spec.', '.status.'],
          'should be a json path under either .spec or .status',
        )
      : []),
  ];
}

export function validateColumns(
  columns: readonly CustomResourceColumnDefinition[] | undefined,
  path: string,
): FieldError[] {
  return (columns ?? []).flatMap((column, index) => validateColumn(column, `${path}[${index}]`));
}

function validateColumn(
  { name, type, format, jsonPath }: CustomResourceColumnDefinition,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${path}.name`));
  const types = `must be one of ${COLUMN_TYPES.join(',')}`;
  if (!type) errors.push(required(`${path}.type`, types));
  else if (!COLUMN_TYPES.includes(type)) errors.push(invalidValue(`${path}.type`, type, types));
  if (format && !COLUMN_FORMATS.includes(format))
    errors.push(invalidValue(`${path}.format`, format, `must be one of ${COLUMN_FORMATS.join(',')}`));
  if (!jsonPath) errors.push(required(`${path}.JSONPath`));
  else errors.push(...simplePath(jsonPath, `${path}.JSONPath`));
  return errors;
}

/** `allowTooMany`: there were more than are allowed before, and they are the same. */
export function validateSelectableFields(
  fields: readonly SelectableField[],
  schema: JsonSchema,
  path: string,
  allowTooMany: boolean,
): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  fields.forEach(({ jsonPath }, index) => {
    const at = `${path}[${index}].jsonPath`;
    if (!jsonPath) {
      errors.push(required(at));
      return;
    }
    const found = resolveFieldPath(jsonPath, schema, { arrays: false });
    if ('problem' in found) {
      errors.push(invalidValue(at, jsonPath, `is an invalid path: ${found.problem}`));
      return;
    }
    if (found.names[0] === 'metadata')
      errors.push(invalidValue(at, jsonPath, 'must not point to fields in metadata'));
    if (!['string', 'boolean', 'integer'].includes(found.schema.type ?? '')) {
      const why =
        'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
      errors.push(invalidValue(at, jsonPath, why));
    }
    if (seen.has(found.path)) errors.push(duplicate(at, jsonPath));
    seen.add(found.path);
  });
  if (seen.size > MAX_SELECTABLE_FIELDS && !allowTooMany)
    errors.push(tooMany(path, seen.size, MAX_SELECTABLE_FIELDS));
  return errors;
}

export const hasTooManySelectableFields = (fields: readonly SelectableField[] | undefined): boolean =>
  (fields?.length ?? 0) > MAX_SELECTABLE_FIELDS;
