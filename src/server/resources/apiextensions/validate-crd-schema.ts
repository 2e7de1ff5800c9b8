import { forbiddenField, invalidValue } from '../../../api/field-errors.ts';
import { pathSegmentProblems } from '../../../api/names.ts';
import type { FieldError } from '../../../api/status.ts';
import { type JsonSchema, someSchema, VALUE_CHECKS } from '../../../api/structural/json-schema.ts';
import { RuleChecker } from '../../../api/structural/rule-check.ts';
import { RuleSet } from '../../../api/structural/rule-programs.ts';
import { compileRoot } from '../../../api/structural/structural.ts';
import { hasUnprunedDefaults, validateDefaults } from '../../../api/structural/validate-defaults.ts';
import { validateRules } from '../../../api/structural/validate-rules.ts';
import { type SchemaRules, validateSchema } from '../../../api/structural/validate-schema.ts';
import { unsupportedPart, validateStructural } from '../../../api/structural/validate-structural.ts';
import { LIMITS } from '../../../lib/limits.ts';
import { validateMetadata } from '../../registry/metadata-validation.ts';

export interface CrdSchemaRules extends SchemaRules {
  readonly requireStructural: boolean;
  readonly requirePrunedDefaults: boolean;
  /** Single rules may not be too expensive. */
  readonly limitsRuleCost: boolean;
}

/** What the root may say where there is a status: its schema must be that of `properties.status` alone. */
const ROOT_FIELDS: ReadonlySet<string> = new Set([
  'description',
  'type',
  'format',
  'title',
  ...VALUE_CHECKS,
  'required',
  'items',
  'properties',
  'externalDocs',
  'example',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-validations',
]);
const ROOT_FIELD_NAMES =
  'Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations';

/** Everything about the schema of one version, `path` being that of `openAPIV3Schema`. */
export function validateCrdSchema(
  schema: JsonSchema,
  path: string,
  hasStatus: boolean,
  rules: CrdSchemaRules,
): FieldError[] {
  const errors = hasStatus ? rootProblems(schema, path) : [];
  if (schema.nullable) errors.push(forbiddenField(`${path}.nullable`, 'nullable cannot be true at the root'));
  let late: FieldError[] = [];
  let checker: RuleChecker | undefined;
  if (rules.requireStructural) {
    const unsupported = findUnsupported(schema);
    if (unsupported !== undefined) late = [invalidValue(path, '', unsupported)];
    else {
      const structural = validateStructural(schema, path);
      const problems = structural.length > 0 ? structural : defaultProblems(schema, path, rules);
      errors.push(...problems);
      if (problems.length === 0) checker = new RuleChecker(schema, { limitsEach: rules.limitsRuleCost });
    }
  }
  errors.push(...validateSchema(schema, path, rules, checker?.check));
  if (checker) errors.push(...checker.total(path));
  // They say in general what other errors say in detail.
  return errors.length === 0 ? late : errors;
}

function rootProblems(schema: JsonSchema, path: string): FieldError[] {
  const { type = '' } = schema;
  const why = 'fields are allowed at the root of the schema if the status subresource is enabled';
  if (type !== '' && type !== 'object') {
    const only =
      'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
    return [invalidValue(`${path}.type`, type, only)];
  }
  const isOther = Object.entries(schema).some(
    ([key, value]) => !ROOT_FIELDS.has(key) && value !== undefined && value !== false,
  );
  return isOther ? [invalidValue(path, schema, `only [${ROOT_FIELD_NAMES}] ${why}`)] : [];
}

function findUnsupported(schema: JsonSchema): string | undefined {
  let found: string | undefined;
  someSchema(schema, (one) => {
    found ??= unsupportedPart(one);
    return found !== undefined;
  });
  return found;
}

function defaultProblems(schema: JsonSchema, path: string, rules: CrdSchemaRules): FieldError[] {
  if (!hasDefaults(schema)) return [];
  return validateDefaults(compileRoot(schema), path, {
    requirePruned: rules.requirePrunedDefaults,
    metadata: (metadata, namespaced) => validateMetadata(metadata, namespaced, pathSegmentProblems),
    rules: (value, inner, at) =>
      validateRules({
        value,
        old: value,
        schema: inner,
        programs: new RuleSet(),
        budget: LIMITS.customResources.rulesCost,
        path: at,
      }).errors,
  });
}

export const hasDefaults = (schema: JsonSchema | undefined): boolean =>
  someSchema(schema, (one) => one.default !== undefined && one.default !== null);

export function isStructural(schema: JsonSchema | undefined): boolean {
  return !schema || (findUnsupported(schema) === undefined && validateStructural(schema, '').length === 0);
}

export const unprunedDefaults = (schema: JsonSchema | undefined): boolean =>
  schema !== undefined &&
  hasDefaults(schema) &&
  isStructural(schema) &&
  hasUnprunedDefaults(compileRoot(schema));
