/**
 * What a CustomResourceDefinition may say in a schema, whether it is structural or not
 * (k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation).
 */
import { forbiddenField, invalidValue, notOneOf, required } from '../field-errors.ts';
import type { FieldError } from '../status.ts';
import type { ValidationRule } from '../types.gen.ts';
import { additionalSchema, isEmbedded, type JsonSchema } from './json-schema.ts';
import { validateListExtensions, validateMapListKeys } from './validate-list-extensions.ts';
import { validateRuleTexts } from './validate-rule-texts.ts';

/** What an update may leave as it was, although it would be refused in a new definition. */
export interface SchemaRules {
  readonly requireValidTypes: boolean;
  readonly requireAtomicSets: boolean;
  readonly requireMapListKeys: boolean;
}

/** One place with rules. */
export interface RulePlace {
  readonly schema: JsonSchema;
  readonly path: string;
  readonly rules: readonly ValidationRule[];
  /** Where on the way to here an item cannot be told from another; `oldSelf` means nothing below it. */
  readonly uncorrelatable: string | undefined;
  /** Steps from the root: names of properties, `*` for values of maps and items of lists. */
  readonly steps: readonly string[];
}

/** Compiles the rules of a place once everything in and below it is fine; says what is wrong with them. */
export type RuleCheck = (place: RulePlace) => readonly FieldError[];

interface Place {
  readonly path: string;
  readonly isRoot: boolean;
  /** Inside of `metadata`, `kind` or `apiVersion` of a whole resource. */
  readonly insideMeta: boolean;
  /** Why there may be no default here. */
  readonly forbidsDefault: string | undefined;
  readonly uncorrelatable: string | undefined;
  /** `undefined` inside of junctors, which have no rules. */
  readonly steps: readonly string[] | undefined;
}

interface Found {
  readonly schema: FieldError[];
  readonly rules: FieldError[];
}

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'] as const;
const META_FIELDS: ReadonlySet<string> = new Set(['metadata', 'kind', 'apiVersion']);

export function validateSchema(
  schema: JsonSchema,
  path: string,
  rules: SchemaRules,
  checkRules: RuleCheck | undefined,
): FieldError[] {
  const root: Place = {
    path,
    isRoot: true,
    insideMeta: false,
    forbidsDefault: undefined,
    uncorrelatable: undefined,
    steps: [],
  };
  const found = new SchemaValidation(rules, checkRules).visit(schema, root);
  return [...found.schema, ...found.rules];
}

class SchemaValidation {
  readonly #rules: SchemaRules;
  readonly #checkRules: RuleCheck | undefined;

  constructor(rules: SchemaRules, checkRules: RuleCheck | undefined) {
    this.#rules = rules;
    this.#checkRules = checkRules;
  }

  visit(schema: JsonSchema, place: Place): Found {
    const { path } = place;
    const found: Found = { schema: this.#standard(schema, place), rules: [] };
    const join = (other: Found): void => {
      found.schema.push(...other.schema);
      found.rules.push(...other.rules);
    };
    if (schema.uniqueItems) {
      const why = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
      found.schema.push(forbiddenField(`${path}.uniqueItems`, why));
    }
    this.#insideAdditional(schema, place, join);
    this.#insideProperties(schema, place, join);
    this.#insideJunctors(schema, place, join);
    this.#insideItems(schema, place, join);
    found.schema.push(...this.#extensions(schema, path));
    const { 'x-kubernetes-validations': rules = [] } = schema;
    if (rules.length === 0) return found;
    found.schema.push(...validateRuleTexts(schema, rules, `${path}.x-kubernetes-validations`));
    const { steps, uncorrelatable } = place;
    if (found.schema.length === 0 && this.#checkRules && steps)
      found.rules.push(...this.#checkRules({ schema, path, rules, uncorrelatable, steps }));
    return found;
  }

  #insideAdditional(schema: JsonSchema, place: Place, join: (found: Found) => void): void {
    const { additionalProperties, properties } = schema;
    if (additionalProperties === undefined) return;
    const path = `${place.path}.additionalProperties`;
    if (Object.keys(properties ?? {}).length > 0 && additionalProperties !== true) {
      const why = 'additionalProperties and properties are mutual exclusive';
      join({ schema: [forbiddenField(path, why)], rules: [] });
    }
    const additional = additionalSchema(schema);
    if (!additional) return;
    const forbidsDefault = place.insideMeta
      ? 'inside additionalProperties applying to object metadata'
      : place.forbidsDefault;
    join(this.visit(additional, { ...place, path, isRoot: false, forbidsDefault, steps: below(place, '*') }));
  }

  #insideProperties(schema: JsonSchema, place: Place, join: (found: Found) => void): void {
    const isAtomic = schema['x-kubernetes-map-type'] === 'atomic';
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      const isMeta = (place.isRoot || isEmbedded(schema)) && META_FIELDS.has(name);
      join(
        this.visit(property, {
          path: `${place.path}.properties[${name}]`,
          isRoot: false,
          insideMeta: place.insideMeta || isMeta,
          forbidsDefault: isMeta && place.isRoot ? `in top-level ${name}` : place.forbidsDefault,
          uncorrelatable: place.uncorrelatable ?? (isAtomic ? place.path : undefined),
          steps: below(place, name),
        }),
      );
    }
  }

  #insideJunctors(schema: JsonSchema, place: Place, join: (found: Found) => void): void {
    const inside = (one: JsonSchema, name: string): void =>
      join(this.visit(one, { ...place, path: `${place.path}.${name}`, isRoot: false, steps: undefined }));
    if (schema.not) inside(schema.not, 'not');
    for (const name of ['allOf', 'oneOf', 'anyOf'] as const)
      schema[name]?.forEach((one, index) => void inside(one, `${name}[${index}]`));
    for (const [name, one] of Object.entries(schema.definitions ?? {})) inside(one, `definitions[${name}]`);
    for (const [name, one] of Object.entries(schema.dependencies ?? {}))
      if (!Array.isArray(one)) inside(one, `dependencies[${name}]`);
  }

  #insideItems(schema: JsonSchema, place: Place, join: (found: Found) => void): void {
    const isKeyed = schema['x-kubernetes-list-type'] === 'map';
    const uncorrelatable = place.uncorrelatable ?? (isKeyed ? undefined : place.path);
    const list = Array.isArray(schema.items) ? schema.items : [schema.items];
    list.forEach((items, index) => {
      if (!items) return;
      const path = `${place.path}.items${Array.isArray(schema.items) ? `[${index}]` : ''}`;
      join(this.visit(items, { ...place, path, isRoot: false, uncorrelatable, steps: below(place, '*') }));
    });
  }

  /** Parts of JSON Schema that are not supported. */
  #standard(schema: JsonSchema, { path, forbidsDefault, insideMeta }: Place): FieldError[] {
    const errors: FieldError[] = [];
    const forbid = (name: string, why = `${name} is not supported`): void => {
      errors.push(forbiddenField(`${path}.${name}`, why));
    };
    const { type } = schema;
    if (this.#rules.requireValidTypes && type && !(TYPES as readonly string[]).includes(type))
      errors.push(notOneOf(`${path}.type`, type, TYPES));
    if (schema.default !== undefined && schema.default !== null && forbidsDefault !== undefined)
      forbid('default', `must not be set ${forbidsDefault}`.trim());
    if (schema.id) forbid('id');
    if (schema.additionalItems !== undefined) forbid('additionalItems');
    if (Object.keys(schema.patternProperties ?? {}).length > 0) forbid('patternProperties');
    if (Object.keys(schema.definitions ?? {}).length > 0) forbid('definitions');
    if (schema.dependencies !== undefined) forbid('dependencies');
    if (schema.$ref !== undefined) forbid('$ref');
    if (type === 'null') forbid('type', 'type cannot be set to null, use nullable as an alternative');
    if (Array.isArray(schema.items)) forbid('items', 'items must be a schema object and not an array');
    if (insideMeta && isEmbedded(schema))
      forbid('x-kubernetes-embedded-resource', 'must not be used inside of resource meta');
    return errors;
  }

  #extensions(schema: JsonSchema, path: string): FieldError[] {
    const errors: FieldError[] = [];
    if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
      const at = `${path}.x-kubernetes-preserve-unknown-fields`;
      errors.push(invalidValue(at, false, 'must be true or undefined'));
    }
    const mapType = schema['x-kubernetes-map-type'];
    if (mapType !== undefined && schema.type !== 'object') {
      const why = 'must be object if x-kubernetes-map-type is specified';
      errors.push(
        schema.type ? invalidValue(`${path}.type`, schema.type, why) : required(`${path}.type`, why),
      );
    }
    if (mapType !== undefined && mapType !== 'atomic' && mapType !== 'granular')
      errors.push(notOneOf(`${path}.x-kubernetes-map-type`, mapType, ['atomic', 'granular']));
    errors.push(...validateListExtensions(schema, path, this.#rules.requireAtomicSets));
    if (this.#rules.requireMapListKeys) errors.push(...validateMapListKeys(schema, path));
    return errors;
  }
}

const below = ({ steps }: Place, step: string): readonly string[] | undefined => steps && [...steps, step];
