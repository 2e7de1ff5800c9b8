/** What a schema says of a single value, in the words of k8s.io/kube-openapi/pkg/validation/validate. */

import { LIMITS } from '../../lib/limits.ts';
import { invalidValue, notOneOf, required, tooLong, tooMany, typeInvalid } from '../field-errors.ts';
import { equalJson } from '../json-value.ts';
import { compileGoRegexp, type GoRegexp } from '../regexp/go-regexp.ts';
import type { CheckResult } from './check-result.ts';
import { hasFormat } from './formats.ts';
import { goFloat } from './go-number.ts';
import type { Checks, StructuralSchema } from './structural.ts';

/** Where in the object a value stands: as shown in `field`, and as upstream's texts name it. */
export interface Place {
  /** Put in front of every field, such as `status` when the status alone is checked. */
  readonly base: string;
  /** From the checked root; empty for the root, else without a leading dot. */
  readonly path: string;
  /** What the patterns of the whole value may still cost. */
  readonly patterns: PatternBudget;
}

/** Upstream's field of an error that belongs to no field. */
const NOWHERE = '<nil>';

export function fieldOf({ base, path }: Pick<Place, 'base' | 'path'>): string {
  if (base !== '' && path !== '') return `${base}.${path}`;
  return base + path || NOWHERE;
}

/** An error about the whole, whose text names the place. */
export function addGeneral(result: CheckResult, { base }: Place, text: string): void {
  result.add(invalidValue(base || NOWHERE, '', text), text);
}

export type Kind = 'object' | 'array' | 'string' | 'boolean' | 'integer' | 'number';

export function kindOf(value: unknown): Kind {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value as Kind;
}

/** The types a schema allows; none: all. */
function typesOf({ type, isIntOrString }: StructuralSchema): readonly string[] {
  if (isIntOrString) return ['integer', 'string'];
  return type === undefined ? [] : [type];
}

/** What the type validator says; false when it refuses. */
export function checkType(
  value: unknown,
  schema: StructuralSchema,
  place: Place,
  result: CheckResult,
): boolean {
  const types = typesOf(schema);
  const format = schema.checks?.format;
  const refuse = (wanted: string, actual: string): false => {
    const text = `${place.path} in body must be of type ${wanted}: ${JSON.stringify(actual)}`;
    result.add(typeInvalid(fieldOf(place), actual, text), text);
    return false;
  };
  if (value === null) {
    if (types.length > 0 && !schema.isNullable) return refuse(types.join(','), 'null');
    result.matches++;
    return true;
  }
  const kind = kindOf(value);
  const hasType = types.includes(kind) || (kind === 'integer' && types.includes('number'));
  const isTextLike = kind === 'string' || kind === 'array';
  if (!isTextLike && format && !hasType) return refuse(format, '');
  const isNumeric = types.includes('number') || types.includes('integer');
  if (!(format && !isNumeric && isTextLike) && !hasType) return refuse(types.join(','), kind);
  result.matches++;
  return true;
}

export function checkString(value: string, checks: Checks, place: Place, result: CheckResult): void {
  const { maxLength, minLength, pattern } = checks;
  const say = (detail: string): void => {
    const text = `${place.path} in body ${detail}`;
    result.add(invalidValue(fieldOf(place), value, text), text);
  };
  const length = maxLength === undefined && minLength === undefined ? 0 : [...value].length;
  if (maxLength !== undefined && length > maxLength)
    result.add(
      tooLong(fieldOf(place), maxLength),
      `${place.path} in body should be at most ${maxLength} chars long`,
    );
  else if (minLength !== undefined && length < minLength) say(`should be at least ${minLength} chars long`);
  else if (pattern) {
    const problem = patternProblem(pattern, value, place.patterns);
    if (problem !== undefined) say(`should match '${problem}'`);
  }
}

const patterns = new Map<string, GoRegexp | string>();

class PatternTooCostly extends Error {
  override readonly name = 'PatternTooCostly';
}

/** Where the way is known, a character costs a look into a map. */
const CHARACTERS_A_STEP = 16;

/**
 * Patterns run in linear time, but a long one over a long text is a large product: what all of them cost for one object
 * is bounded, so that no object holds up the server.
 */
export class PatternBudget {
  #left: number = LIMITS.customResources.patternSteps;

  take(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new PatternTooCostly();
  }
}

/** What is wrong: the pattern itself, that it costs too much, or that the value does not match. */
function patternProblem(pattern: string, value: string, budget: PatternBudget): string | undefined {
  let compiled = patterns.get(pattern);
  if (compiled === undefined) {
    try {
      compiled = compileGoRegexp(pattern);
    } catch (error) {
      compiled = error instanceof Error ? error.message : '';
    }
    if (patterns.size >= LIMITS.customResources.patterns) patterns.delete(patterns.keys().next().value ?? '');
    patterns.set(pattern, compiled);
  }
  if (typeof compiled === 'string') return `${pattern}, but pattern is invalid: ${compiled}`;
  try {
    budget.take(value.length / CHARACTERS_A_STEP);
    return compiled.test(value, (steps) => budget.take(steps)) ? undefined : pattern;
  } catch (error) {
    if (error instanceof PatternTooCostly) return `${pattern}, but that takes too long to find out`;
    throw error;
  }
}

export function checkFormat(value: string, format: string, place: Place, result: CheckResult): void {
  if (hasFormat(format, value) !== false) return;
  const text = `${place.path} in body must be of type ${format}: ${JSON.stringify(value)}`;
  result.add(typeInvalid(fieldOf(place), value, text), text);
}

const INT64 = 2 ** 63;
const INT32 = 2 ** 31;
const FLOAT32_MAX = 3.4028234663852886e38;

/** Whether a number fits the schema's type and format. */
function inRange(value: number, type: string | undefined, format: string | undefined): boolean {
  if (type === 'integer') {
    const limit = format === 'int32' ? INT32 : INT64;
    return Number.isInteger(value) && value >= -limit && value < limit;
  }
  return format !== 'float' || Math.abs(value) <= FLOAT32_MAX;
}

export function checkNumber(
  value: number,
  schema: StructuralSchema,
  place: Place,
  result: CheckResult,
): void {
  const { type: declared, isIntOrString, checks = {} } = schema;
  const type = isIntOrString || (declared !== 'integer' && declared !== 'number') ? undefined : declared;
  const format = type === undefined ? undefined : checks.format;
  const range = (what: string, number: number): void => {
    if (inRange(number, type, format)) return;
    const kind = format === undefined ? `${type} (default format)` : `${type} with format ${format}`;
    addGeneral(result, place, `${what} value must be of type ${kind} in ${place.path}`);
  };
  const say = (detail: string): void => {
    const text = `${place.path} in body ${detail}`;
    result.add(invalidValue(fieldOf(place), value, text), text);
  };
  const { multipleOf, maximum, minimum, exclusiveMaximum, exclusiveMinimum } = checks;
  // Bounds of an integer are cut to whole numbers.
  const bound = (limit: number): number => (Number.isInteger(value) ? Math.trunc(limit) : limit);
  range('Checked', value);
  if (multipleOf !== undefined) {
    range('MultipleOf', multipleOf);
    const factor = type === 'integer' ? bound(multipleOf) : multipleOf;
    if (factor <= 0)
      result.add(
        invalidValue(
          fieldOf(place),
          multipleOf,
          `factor MultipleOf declared for ${place.path} must be positive: ${goFloat(multipleOf)}`,
        ),
      );
    else if (!isMultiple(value, factor)) say(`should be a multiple of ${goFloat(factor)}`);
  }
  if (maximum !== undefined) {
    range('Maximum boundary', maximum);
    const limit = bound(maximum);
    if (exclusiveMaximum ? value >= limit : value > limit)
      say(`should be less than ${exclusiveMaximum ? '' : 'or equal to '}${goFloat(limit)}`);
  }
  if (minimum !== undefined) {
    range('Minimum boundary', minimum);
    const limit = bound(minimum);
    if (exclusiveMinimum ? value <= limit : value < limit)
      say(`should be greater than ${exclusiveMinimum ? '' : 'or equal to '}${goFloat(limit)}`);
  }
}

function isMultiple(value: number, factor: number): boolean {
  const times = factor < 1 ? (1 / factor) * value : value / factor;
  if (Number.isInteger(times)) return true;
  const difference = Math.abs(times - Math.round(times));
  return Math.abs(times) < INT64 && difference <= 1e-9 * Math.max(1, Math.abs(times));
}

export function checkItems(
  value: readonly unknown[],
  checks: Checks,
  place: Place,
  result: CheckResult,
): void {
  const { maxItems, minItems, uniqueItems } = checks;
  const { length } = value;
  if (minItems !== undefined && length < minItems) {
    const text = `${place.path} in body should have at least ${minItems} items`;
    result.add(invalidValue(fieldOf(place), length, text), text);
  }
  if (maxItems !== undefined && length > maxItems)
    result.add(
      tooMany(fieldOf(place), length, maxItems),
      `${place.path} in body should have at most ${maxItems} items`,
    );
  if (
    uniqueItems &&
    value.some((one, index) => value.slice(0, index).some((other) => equalJson(one, other)))
  ) {
    const text = `${place.path} in body shouldn't contain duplicates`;
    result.add(invalidValue(fieldOf(place), '', text), text);
  }
}

export function checkProperties(
  value: Readonly<Record<string, unknown>>,
  { checks = {}, additional, properties }: StructuralSchema,
  place: Place,
  result: CheckResult,
): void {
  const names = Object.keys(value);
  const { minProperties, maxProperties } = checks;
  if (minProperties !== undefined && names.length < minProperties) {
    const text = `${place.path} in body should have at least ${minProperties} properties`;
    result.add(invalidValue(fieldOf(place), names.length, text), text);
  }
  if (maxProperties !== undefined && names.length > maxProperties) {
    const text = `${place.path} in body should have at most ${maxProperties} properties`;
    result.add(tooMany(fieldOf(place), names.length, maxProperties), text);
  }
  if (additional !== false) return;
  for (const name of names) {
    if (properties.has(name)) continue;
    const text = `${place.path}.${name} in body is a forbidden property`;
    result.add(invalidValue(fieldOf(place), name, text), text);
  }
}

export function checkRequired(
  value: Readonly<Record<string, unknown>>,
  names: readonly string[],
  place: Place,
  result: CheckResult,
): void {
  for (const name of names) {
    if (Object.hasOwn(value, name)) continue;
    const path = place.path === '' ? name : `${place.path}.${name}`;
    result.add(required(fieldOf({ base: place.base, path })), `${place.path}.${name} in body is required`);
  }
}

export function checkEnum(
  value: unknown,
  allowed: readonly unknown[],
  place: Place,
  result: CheckResult,
): void {
  if (value !== null && allowed.some((one) => one !== null && equalJson(one, value))) return;
  const texts = allowed.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)));
  result.add(notOneOf(fieldOf(place), value, texts));
}
