/** k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation, in its order and words. */
import { IMMUTABLE, invalidValue, notOneOf, required } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { dns1035LabelProblems, dns1123SubdomainProblems } from '../../../api/names.ts';
import type { FieldError } from '../../../api/status.ts';
import { type JsonSchema, someSchema } from '../../../api/structural/json-schema.ts';
import { validateMapListKeys } from '../../../api/structural/validate-list-extensions.ts';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
} from '../../../api/types.gen.ts';
import { validateApproval } from './api-approval.ts';
import { isConditionTrue, schemaOf } from './crd.ts';
import {
  type ConversionRules,
  hasKnownReviewVersion,
  isCaBundle,
  validateConversion,
} from './validate-conversion.ts';
import {
  type CrdSchemaRules,
  hasDefaults,
  isStructural,
  unprunedDefaults,
  validateCrdSchema,
} from './validate-crd-schema.ts';
import { validateNames } from './validate-names.ts';
import {
  hasTooManySelectableFields,
  validateColumns,
  validateDeprecation,
  validateSelectableFields,
  validateSubresources,
} from './validate-version.ts';

interface Rules extends Omit<CrdSchemaRules, 'limitsRuleCost'>, ConversionRules {
  readonly requireSchema: boolean;
  /** Kind and scope can no longer change. */
  readonly isEstablished: boolean;
  /** Versions that may have more selectable fields than allowed; empty for what all versions share. */
  readonly tooManySelectableFields: ReadonlySet<string>;
  /** Versions whose schemas were accepted as they are. */
  readonly unchangedSchemas: ReadonlySet<string>;
}

const STRICT: Rules = {
  requireSchema: true,
  requireStructural: true,
  requireValidTypes: true,
  requirePrunedDefaults: true,
  requireAtomicSets: true,
  requireMapListKeys: true,
  requireKnownReviewVersion: true,
  allowInvalidCaBundle: true,
  isEstablished: false,
  tooManySelectableFields: new Set(),
  unchangedSchemas: new Set(),
};

export function validateNewDefinition(definition: CustomResourceDefinition): FieldError[] {
  const { plural } = definition.spec.names;
  const errors: FieldError[] = [];
  if (definition.metadata.name !== `${plural}.${definition.spec.group}`) {
    const why = 'must be spec.names.plural+"."+spec.group';
    errors.push(invalidValue('metadata.name', definition.metadata.name, why));
  }
  return [...errors, ...validateSpec(definition.spec, STRICT), ...validateRest(definition, undefined)];
}

export function validateDefinitionUpdate(
  definition: CustomResourceDefinition,
  old: CustomResourceDefinition,
): FieldError[] {
  const rules = rulesAfter(definition, old);
  const errors = validateSpec(definition.spec, rules);
  const immutable = (field: string, value: unknown, before: unknown): void => {
    if (value !== before) errors.push(invalidValue(`spec.${field}`, value, IMMUTABLE));
  };
  const { spec } = definition;
  if (rules.isEstablished) {
    immutable('scope', spec.scope, old.spec.scope);
    immutable('names.kind', spec.names.kind, old.spec.names.kind);
  }
  immutable('group', spec.group, old.spec.group);
  immutable('names.plural', spec.names.plural, old.spec.names.plural);
  return [...errors, ...validateRest(definition, old)];
}

export function validateStatus({ status }: CustomResourceDefinition): FieldError[] {
  return validateNames(status?.acceptedNames ?? {}, 'status.acceptedNames');
}

/** What was accepted once may stay. */
function rulesAfter({ spec }: CustomResourceDefinition, old: CustomResourceDefinition): Rules {
  const schemas = old.spec.versions.map(schemaOf);
  const hasSchema = (visit: (schema: JsonSchema) => boolean): boolean =>
    schemas.some((schema) => someSchema(schema, visit));
  const { webhook } = old.spec.conversion ?? {};
  const caBundle = webhook?.clientConfig?.caBundle ?? '';
  const reviewVersions = webhook?.conversionReviewVersions ?? [];
  const isEstablished = isConditionTrue(old, 'Established');
  return {
    requireSchema: schemas.every((schema) => schema !== undefined),
    requireStructural: schemas.every(isStructural),
    requireValidTypes: !hasSchema(({ type }) => type !== undefined && type !== '' && !TYPES.has(type)),
    requirePrunedDefaults: !schemas.some(unprunedDefaults),
    requireAtomicSets: !hasSchema(isNonAtomicSet),
    requireMapListKeys: !hasSchema((schema) => validateMapListKeys(schema, '').length > 0),
    requireKnownReviewVersion: reviewVersions.length === 0 || hasKnownReviewVersion(reviewVersions),
    allowInvalidCaBundle: !isEstablished || (caBundle !== '' && !isCaBundle(caBundle)),
    isEstablished,
    tooManySelectableFields: keptSelectableFields(spec, old.spec),
    unchangedSchemas: unchangedSchemas(spec, old.spec),
  };
}

const TYPES: ReadonlySet<string> = new Set(['array', 'boolean', 'integer', 'number', 'object', 'string']);

function isNonAtomicSet(schema: JsonSchema): boolean {
  const { items } = schema;
  if (schema['x-kubernetes-list-type'] !== 'set' || !items || Array.isArray(items)) return false;
  const inner = items['x-kubernetes-list-type'];
  if (items.type === 'array') return inner !== undefined && inner !== 'atomic';
  return items.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic';
}

function keptSelectableFields(
  spec: CustomResourceDefinitionSpec,
  old: CustomResourceDefinitionSpec,
): ReadonlySet<string> {
  const kept = spec.versions
    .filter(({ name, selectableFields }) => {
      const before = old.versions.find((one) => one.name === name)?.selectableFields;
      return hasTooManySelectableFields(before) && equalJson(before, selectableFields);
    })
    .map(({ name }) => name);
  return new Set(kept.length === spec.versions.length ? [...kept, ''] : kept);
}

function unchangedSchemas(
  spec: CustomResourceDefinitionSpec,
  old: CustomResourceDefinitionSpec,
): ReadonlySet<string> {
  const before = new Map(old.versions.map((one) => [one.name, schemaOf(one)]));
  const kept = spec.versions.filter(
    (one) => before.has(one.name) && equalJson(schemaOf(one), before.get(one.name)),
  );
  return new Set(kept.map(({ name }) => name));
}

function validateSpec(spec: CustomResourceDefinitionSpec, rules: Rules): FieldError[] {
  const errors = [...validateGroup(spec.group), ...validateScope(spec.scope)];
  const schemas = spec.versions.map(schemaOf);
  const preserves = spec.preserveUnknownFields === true;
  const needsStructure =
    rules.requireStructural ||
    !preserves ||
    schemas.some((schema) => hasDefaults(schema) || hasExtensions(schema));
  errors.push(...missingSchemas(spec, rules.requireSchema));
  if (preserves && schemas.some(hasDefaults)) {
    const why = 'must be false in order to use defaults in the schema';
    errors.push(invalidValue('spec.preserveUnknownFields', true, why));
  }
  errors.push(...validateVersions(spec, { ...rules, requireStructural: needsStructure }));
  for (const field of ['plural', 'singular', 'kind', 'listKind'] as const)
    if (!spec.names[field]) errors.push(required(`spec.names.${field}`));
  errors.push(...validateNames(spec.names, 'spec.names'));
  errors.push(...validateShared(spec, { ...rules, requireStructural: needsStructure }));
  if (spec.conversion && spec.conversion.strategy !== 'None' && preserves) {
    const why = 'must be None if spec.preserveUnknownFields is true';
    errors.push(invalidValue('spec.conversion.strategy', spec.conversion.strategy, why));
  }
  return [...errors, ...validateConversion(spec.conversion, 'spec.conversion', rules)];
}

function validateGroup(group: string): FieldError[] {
  if (!group) return [required('spec.group')];
  const problems = dns1123SubdomainProblems(group);
  if (problems.length > 0) return [invalidValue('spec.group', group, problems.join(','))];
  return group.includes('.')
    ? []
    : [invalidValue('spec.group', group, 'should be a domain with at least one dot')];
}

function validateScope(scope: string): FieldError[] {
  if (!scope) return [required('spec.scope')];
  return scope === 'Cluster' || scope === 'Namespaced'
    ? []
    : [notOneOf('spec.scope', scope, ['Cluster', 'Namespaced'])];
}

function missingSchemas(spec: CustomResourceDefinitionSpec, everywhere: boolean): FieldError[] {
  if (!everywhere && spec.preserveUnknownFields === true) return [];
  return spec.versions.flatMap((version, index) => {
    if (schemaOf(version) || (!everywhere && !version.served)) return [];
    const field = `spec.versions[${index}].schema.openAPIV3Schema`;
    return [required(field, everywhere ? '' : 'because otherwise all fields are pruned')];
  });
}

const hasExtensions = (schema: JsonSchema | undefined): boolean =>
  someSchema(
    schema,
    (one) =>
      one['x-kubernetes-embedded-resource'] === true ||
      one['x-kubernetes-preserve-unknown-fields'] !== undefined ||
      one['x-kubernetes-int-or-string'] === true ||
      (one['x-kubernetes-list-map-keys']?.length ?? 0) > 0 ||
      one['x-kubernetes-list-type'] !== undefined ||
      (one['x-kubernetes-validations']?.length ?? 0) > 0,
  );

/** What all versions have in common belongs to the whole, and is complained about there. */
function isShared(spec: CustomResourceDefinitionSpec, field: keyof CustomResourceDefinitionVersion): boolean {
  const [first, ...rest] = spec.versions;
  return first !== undefined && rest.every((version) => equalJson(version[field], first[field]));
}

function validateVersions(spec: CustomResourceDefinitionSpec, rules: Rules): FieldError[] {
  const errors = spec.versions.flatMap((version, index) => {
    const path = `spec.versions[${index}]`;
    const problems = dns1035LabelProblems(version.name ?? '');
    return [
      ...(problems.length > 0 ? [invalidValue(`${path}.name`, version.name, problems.join(','))] : []),
      ...validateVersion(spec, version, path, rules),
    ];
  });
  const names = spec.versions.map(({ name }) => name);
  if (new Set(names).size < names.length)
    errors.push(invalidValue('spec.versions', spec.versions, 'must contain unique version names'));
  if (spec.versions.filter(({ storage }) => storage).length !== 1) {
    const why = 'must have exactly one version marked as storage version';
    errors.push(invalidValue('spec.versions', spec.versions, why));
  }
  return errors;
}

function validateVersion(
  spec: CustomResourceDefinitionSpec,
  version: CustomResourceDefinitionVersion,
  path: string,
  rules: Rules,
): FieldError[] {
  const errors = validateDeprecation(version, path);
  const schema = schemaOf(version);
  if (!isShared(spec, 'schema') && schema)
    errors.push(
      ...validateCrdSchema(
        schema,
        `${path}.schema.openAPIV3Schema`,
        version.subresources?.status !== undefined,
        { ...rules, limitsRuleCost: !rules.unchangedSchemas.has(version.name) },
      ),
    );
  if (!isShared(spec, 'subresources'))
    errors.push(...validateSubresources(version.subresources, `${path}.subresources`));
  if (!isShared(spec, 'additionalPrinterColumns'))
    errors.push(...validateColumns(version.additionalPrinterColumns, `${path}.additionalPrinterColumns`));
  if (isShared(spec, 'selectableFields') || !version.selectableFields?.length) return errors;
  const { selectableFields, name } = version;
  const at = `${path}.selectableFields`;
  if (!schema) {
    const why = 'may only be set when `version.schema.openAPIV3Schema` is not included';
    return [...errors, invalidValue(at, '', why)];
  }
  const kept = rules.tooManySelectableFields.has(name);
  return [...errors, ...validateSelectableFields(selectableFields, schema, at, kept)];
}

function validateShared(spec: CustomResourceDefinitionSpec, rules: Rules): FieldError[] {
  const [first] = spec.versions;
  if (!first) return [];
  const errors: FieldError[] = [];
  const schema = schemaOf(first);
  if (isShared(spec, 'schema') && schema) {
    const hasStatus = spec.versions.some(({ subresources }) => subresources?.status !== undefined);
    const limitsRuleCost = !rules.unchangedSchemas.has(first.name);
    const path = 'spec.validation.openAPIV3Schema';
    errors.push(...validateCrdSchema(schema, path, hasStatus, { ...rules, limitsRuleCost }));
  }
  if (isShared(spec, 'subresources'))
    errors.push(...validateSubresources(first.subresources, 'spec.subresources'));
  if (isShared(spec, 'additionalPrinterColumns'))
    errors.push(...validateColumns(first.additionalPrinterColumns, 'spec.additionalPrinterColumns'));
  if (!isShared(spec, 'selectableFields') || !first.selectableFields?.length) return errors;
  const at = 'spec.selectableFields';
  if (!schema)
    return [...errors, invalidValue(at, '', 'may only be set when validations.schema is included')];
  const kept = rules.tooManySelectableFields.has('');
  return [...errors, ...validateSelectableFields(first.selectableFields, schema, at, kept)];
}

function validateRest(
  definition: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
): FieldError[] {
  const errors = [
    ...validateStatus(definition),
    ...validateStoredVersions(definition),
    ...validateApproval(definition, old),
  ];
  if (definition.spec.preserveUnknownFields === true && old?.spec.preserveUnknownFields !== true) {
    const why =
      'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead';
    errors.push(invalidValue('spec.preserveUnknownFields', true, why));
  }
  return errors;
}

function validateStoredVersions({ spec, status }: CustomResourceDefinition): FieldError[] {
  const path = 'status.storedVersions';
  const stored = status?.storedVersions ?? [];
  if (stored.length === 0) return [invalidValue(path, stored, 'must have at least one stored version')];
  const errors = spec.versions
    .filter(({ name, storage }) => storage && !stored.includes(name))
    .map(({ name }) => invalidValue(path, stored, `must have the storage version ${name}`));
  stored.forEach((name, index) => {
    if (spec.versions.some((version) => version.name === name)) return;
    const why = `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`;
    errors.push(invalidValue(`${path}[${index}]`, name, why));
  });
  return errors;
}
