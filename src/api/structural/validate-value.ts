import { isObject } from '../json-value.ts';
import type { FieldError } from '../status.ts';
import { CheckResult } from './check-result.ts';
import type { Correlated } from './correlated.ts';
import type { StructuralSchema } from './structural.ts';
import {
  addGeneral,
  checkEnum,
  checkFormat,
  checkItems,
  checkNumber,
  checkProperties,
  checkRequired,
  checkString,
  checkType,
  PatternBudget,
  type Place,
} from './value-checks.ts';

/**
 * Everything in which a value does not fit its schema, with upstream's paths and texts. With `correlated`, what did not
 * change since is forgiven. `base` is put in front of every field.
 */
export function validateValue(
  value: unknown,
  schema: StructuralSchema,
  { base = '', correlated }: { readonly base?: string; readonly correlated?: Correlated | undefined } = {},
): readonly FieldError[] {
  return check(value, schema, { base, path: '', patterns: new PatternBudget() }, correlated).errors;
}

function check(
  value: unknown,
  schema: StructuralSchema,
  place: Place,
  correlated: Correlated | undefined,
): CheckResult {
  const result = checkAll(value, schema, place, correlated);
  if (!result.isValid && correlated?.isUnchanged) result.forgive();
  return result;
}

function checkAll(
  value: unknown,
  schema: StructuralSchema,
  place: Place,
  correlated: Correlated | undefined,
): CheckResult {
  const result = new CheckResult();
  const { checks } = schema;
  if (value === null) {
    checkType(value, schema, place, result);
    if (checks?.enum) checkEnum(value, checks.enum, place, result);
    return result;
  }
  const isTyped = schema.type !== undefined || schema.isIntOrString || checks?.format !== undefined;
  if (isTyped) {
    checkType(value, schema, place, result);
    result.matches++;
  }
  if (checks) checkJunctors(value, schema, place, { result, correlated });
  result.matches += 2;
  if (typeof value === 'string') {
    result.matches++;
    if (checks) checkString(value, checks, place, result);
    if (checks?.format) {
      result.matches++;
      checkFormat(value, checks.format, place, result);
    }
  } else if (typeof value === 'number') {
    result.matches += 2;
    checkNumber(value, schema, place, result);
  } else if (Array.isArray(value)) {
    result.matches += 2;
    if (schema.items) {
      const { items } = schema;
      value.forEach((item: unknown, index) => {
        const inner = { ...place, path: `${place.path}[${index}]` };
        result.merge(check(item, items, inner, correlated?.index(index)));
      });
    }
    if (checks) checkItems(value, checks, place, result);
  }
  if (checks?.enum) checkEnum(value, checks.enum, place, result);
  if (isObject(value)) {
    checkFields(value, schema, place, { result, correlated });
    result.matches++;
  }
  result.matches += 2;
  return result;
}

interface Context {
  readonly result: CheckResult;
  readonly correlated: Correlated | undefined;
}

function checkFields(
  value: Readonly<Record<string, unknown>>,
  schema: StructuralSchema,
  place: Place,
  { result, correlated }: Context,
): void {
  checkProperties(value, schema, place, result);
  for (const name of Object.keys(value)) {
    const property = schema.property(name);
    if (property === undefined) continue;
    const isTypeMeta = place.path === '' && (name === 'kind' || name === 'apiVersion');
    const inner = { ...place, path: place.path === '' ? name : `${place.path}.${name}` };
    // Both versions are shown with the same type, so that a change of it would not be seen.
    result.merge(check(value[name], property, inner, isTypeMeta ? undefined : correlated?.key(name)));
  }
  if (schema.checks?.required) checkRequired(value, schema.checks.required, place, result);
}

/** `anyOf`, `oneOf`, `allOf` and `not`. Which complaints of the alternatives are shown follows upstream. */
function checkJunctors(
  value: unknown,
  { checks = {} }: StructuralSchema,
  place: Place,
  { result, correlated }: Context,
): void {
  const quoted = JSON.stringify(place.path);
  const tryOne = (schema: StructuralSchema): CheckResult => checkAll(value, schema, place, correlated);
  if (checks.anyOf) {
    const { valid, best } = tryEach(checks.anyOf, tryOne, true);
    if (valid === 0) addGeneral(result, place, `${quoted} must validate at least one schema (anyOf)`);
    if (best) result.merge(best);
  }
  if (checks.oneOf) {
    const { valid, best } = tryEach(checks.oneOf, tryOne, false);
    if (valid !== 1) {
      const found = valid === 0 ? 'Found none valid' : `Found ${valid} valid alternatives`;
      addGeneral(result, place, `${quoted} must validate one and only one schema (oneOf). ${found}`);
    }
    if (best && valid <= 1) result.merge(best);
  }
  if (checks.allOf) {
    let valid = 0;
    for (const schema of checks.allOf) {
      const one = tryOne(schema);
      if (one.isValid) valid++;
      result.merge(one);
    }
    if (valid < checks.allOf.length)
      addGeneral(
        result,
        place,
        `${quoted} must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`,
      );
  }
  if (checks.not && tryOne(checks.not).isValid)
    addGeneral(result, place, `${quoted} must not validate the schema (not)`);
}

/** The first alternative that fits, or of those that do not the one that comes nearest. */
function tryEach(
  schemas: readonly StructuralSchema[],
  tryOne: (schema: StructuralSchema) => CheckResult,
  firstIsEnough: boolean,
): { readonly valid: number; readonly best: CheckResult | undefined } {
  let valid = 0;
  let best: CheckResult | undefined;
  for (const schema of schemas) {
    const one = tryOne(schema);
    if (one.isValid) {
      valid++;
      if (valid === 1) best = one;
      if (firstIsEnough) break;
    } else if (valid === 0 && (best === undefined || one.matches > best.matches)) best = one;
  }
  return { valid, best };
}
