import { AdmissionEnvironment } from '../../../api/cel/admission/admission-environment.ts';
import { JSON_PATCH, OBJECT } from '../../../api/cel/admission/patch-types.ts';
import { BOOL, type CelType, listOf, NULL, STRING } from '../../../api/cel/types.ts';
import { duplicate, invalidValue, notSupported, required } from '../../../api/field-errors.ts';
import { dns1035LabelProblems, dns1123SubdomainProblems, labelKeyProblems } from '../../../api/names.ts';
import type { FieldError } from '../../../api/status.ts';
import type {
  AuditAnnotation,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicySpec,
  Mutation,
  ParamKind,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicySpec,
  Validation,
  Variable,
} from '../../../api/types.gen.ts';
import { validateMatchConditions } from '../../admission/expressions/match-conditions.ts';
import { PolicyVariables } from '../../admission/expressions/policy-variables.ts';
import { eachOf } from '../field-checks.ts';
import { MUTATING_OPERATIONS, validateMatchConstraints } from './match-resources-validation.ts';
import { oneOf } from './webhook-validation.ts';

const MAX_AUDIT_ANNOTATIONS = 20;
/** Shorter than a value may be: what an expression puts together is mostly longer than the expression. */
const MAX_VALUE_EXPRESSION_BYTES = 5 * 1024;
const REASONS = ['Forbidden', 'Invalid', 'RequestEntityTooLarge'];
const IDENTIFIER = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
const RESERVED: ReadonlySet<string> = new Set(
  (
    'true false null in as break const continue else for function if import let loop package namespace return ' +
    'var void while'
  ).split(' '),
);

/** Compiles the expressions of one policy, variables in their order. */
class PolicyCompiler {
  readonly #variables = new PolicyVariables();
  readonly #hasParams: boolean;

  constructor({ paramKind, variables }: Pick<ValidatingAdmissionPolicySpec, 'paramKind' | 'variables'>) {
    this.#hasParams = paramKind !== undefined;
    this.#known = variables?.length ? this.#variables.types : undefined;
  }
  readonly #known: ReadonlyMap<string, CelType> | undefined;

  #environment(more: { hasAuthorizer?: boolean; hasPatchTypes?: boolean }): AdmissionEnvironment {
    const variables = this.#known ? { variables: this.#known } : {};
    return new AdmissionEnvironment({ hasParams: this.#hasParams, ...variables, ...more });
  }
  variable(variable: Variable): string | undefined {
    return this.#variables.add(variable, this.#environment({ hasAuthorizer: true }));
  }
  error(
    expression: string,
    result: readonly CelType[],
    more: { hasAuthorizer?: boolean; hasPatchTypes?: boolean } = { hasAuthorizer: true },
  ): string | undefined {
    return this.#environment(more).compile(expression, result).error;
  }
}

const failurePolicy = (value: string | undefined): FieldError[] =>
  value === undefined
    ? [required('spec.failurePolicy')]
    : oneOf(value, ['Fail', 'Ignore'], 'spec.failurePolicy');

/** Everything upstream wants of a ValidatingAdmissionPolicy; its expressions have to compile. */
export function validateValidatingPolicy({ metadata, spec = {} }: ValidatingAdmissionPolicy): FieldError[] {
  const compiler = new PolicyCompiler(spec);
  const { validations = [], auditAnnotations = [] } = spec;
  const errors = [...validateCommon(spec, compiler)];
  if (validations.length === 0 && auditAnnotations.length === 0) {
    const why = 'validations or auditAnnotations must contain at least one item';
    return [...errors, required('spec.validations', why), required('spec.auditAnnotations', why)];
  }
  errors.push(
    ...eachOf(validations, 'spec.validations', (one, path) => validateValidation(one, path, compiler)),
  );
  if (auditAnnotations.length > MAX_AUDIT_ANNOTATIONS) {
    const why = `must not have more than ${MAX_AUDIT_ANNOTATIONS} auditAnnotations`;
    errors.push(invalidValue('spec.auditAnnotations', auditAnnotations, why));
  }
  const keys = new Set<string>();
  const annotations = eachOf(auditAnnotations, 'spec.auditAnnotations', (one, path) => {
    const found = validateAuditAnnotation(one, path, { policy: metadata.name ?? '', compiler });
    if (keys.has(one.key)) found.push(duplicate(`${path}.key`, one.key));
    keys.add(one.key);
    return found;
  });
  return [...errors, ...annotations];
}

/** What both kinds of policy have. */
function validateCommon(
  spec: ValidatingAdmissionPolicySpec | MutatingAdmissionPolicySpec,
  compiler: PolicyCompiler,
  operations?: readonly string[],
): FieldError[] {
  const { paramKind, matchConstraints, matchConditions, variables } = spec;
  return [
    ...failurePolicy(spec.failurePolicy),
    ...validateParamKind(paramKind, 'spec.paramKind'),
    ...validateMatchConstraints(matchConstraints, 'spec.matchConstraints', operations),
    ...validateMatchConditions(matchConditions, 'spec.matchConditions', {
      hasParams: paramKind !== undefined,
    }),
    ...eachOf(variables, 'spec.variables', (one, path) => validateVariable(one, path, compiler)),
  ];
}

function validateParamKind(kind: ParamKind | undefined, path: string): FieldError[] {
  if (kind === undefined) return [];
  const errors = validateParamVersion(kind.apiVersion ?? '', `${path}.apiVersion`);
  if (!kind.kind) return [...errors, required(`${path}.kind`)];
  const problems = dns1035LabelProblems(kind.kind.toLowerCase());
  if (problems.length > 0) {
    const why = `may have mixed case, but should otherwise match: ${problems.join(',')}`;
    errors.push(invalidValue(`${path}.kind`, kind.kind, why));
  }
  return errors;
}

function validateParamVersion(apiVersion: string, path: string): FieldError[] {
  if (apiVersion === '') return [required(path)];
  const parts = apiVersion.split('/');
  if (parts.length > 2)
    return [invalidValue(path, apiVersion, `unexpected GroupVersion string: ${apiVersion}`)];
  const [group, version] = parts.length === 2 ? [parts[0]!, parts[1]!] : ['', apiVersion];
  const errors: FieldError[] = [];
  const groupProblems = group === '' ? [] : dns1123SubdomainProblems(group);
  if (groupProblems.length > 0) errors.push(invalidValue(path, group, groupProblems.join(',')));
  if (version === '') return [...errors, invalidValue(path, apiVersion, 'version must be specified')];
  const problems = dns1035LabelProblems(version);
  return problems.length > 0 ? [...errors, invalidValue(path, version, problems.join(','))] : errors;
}

function validateVariable(variable: Variable, path: string, compiler: PolicyCompiler): FieldError[] {
  const { name = '', expression = '' } = variable;
  const errors: FieldError[] = [];
  if (name.trim() === '') errors.push(required(`${path}.name`, 'name is not specified'));
  else if (!IDENTIFIER.test(name) || RESERVED.has(name))
    errors.push(invalidValue(`${path}.name`, name, 'name is not a valid CEL identifier'));
  if (expression.trim() === '')
    return [...errors, required(`${path}.expression`, 'expression is not specified')];
  const error = compiler.variable(variable);
  if (error !== undefined) errors.push(invalidValue(`${path}.expression`, expression, error));
  return errors;
}

function validateValidation(
  { expression = '', message, messageExpression, reason }: Validation,
  path: string,
  compiler: PolicyCompiler,
): FieldError[] {
  const errors: FieldError[] = [];
  if (expression.trim() === '') errors.push(required(`${path}.expression`, 'expression is not specified'));
  else errors.push(...compiled(`${path}.expression`, expression, compiler.error(expression, [BOOL])));
  if (messageExpression !== undefined && messageExpression !== '') {
    const at = `${path}.messageExpression`;
    if (messageExpression.trim() === '')
      errors.push(invalidValue(at, messageExpression, 'must be non-empty if specified'));
    else errors.push(...compiled(at, messageExpression, compiler.error(messageExpression, [STRING], {})));
  }
  if (message !== undefined && message !== '') {
    if (message.trim() === '')
      errors.push(invalidValue(`${path}.message`, message, 'message must be non-empty if specified'));
    else if (/[\n\r]/.test(message.trim()))
      errors.push(invalidValue(`${path}.message`, message, 'message must not contain line breaks'));
  }
  if (reason !== undefined && !REASONS.includes(reason))
    errors.push(notSupported(`${path}.reason`, reason, REASONS));
  return errors;
}

function compiled(path: string, expression: string, error: string | undefined): FieldError[] {
  return error === undefined ? [] : [invalidValue(path, expression, error)];
}

function validateAuditAnnotation(
  { key = '', valueExpression = '' }: AuditAnnotation,
  path: string,
  { policy, compiler }: { policy: string; compiler: PolicyCompiler },
): FieldError[] {
  const errors: FieldError[] = [];
  if (policy === '') errors.push(invalidValue(`${path}.key`, key, 'requires metadata.name be non-empty'));
  else {
    const full = `${policy}/${key}`;
    errors.push(...labelKeyProblems(full).map((problem) => invalidValue(`${path}.key`, full, problem)));
  }
  const at = `${path}.valueExpression`;
  const trimmed = valueExpression.trim();
  if (trimmed === '') errors.push(required(at, 'valueExpression is not specified'));
  else if (Buffer.byteLength(trimmed) > MAX_VALUE_EXPRESSION_BYTES)
    errors.push(required(at, `must not exceed ${MAX_VALUE_EXPRESSION_BYTES} bytes in length`));
  else errors.push(...compiled(at, valueExpression, compiler.error(trimmed, [STRING, NULL])));
  return errors;
}

/** Everything upstream wants of a MutatingAdmissionPolicy; its expressions have to compile. */
export function validateMutatingPolicy({ spec = {} }: MutatingAdmissionPolicy): FieldError[] {
  const compiler = new PolicyCompiler({ ...spec, variables: spec.variables ?? [] });
  const errors = validateCommon(spec, compiler, MUTATING_OPERATIONS);
  if (!spec.mutations?.length)
    errors.push(required('spec.mutations', 'mutations must contain at least one item'));
  errors.push(
    ...eachOf(spec.mutations, 'spec.mutations', (one, path) => validateMutation(one, path, compiler)),
  );
  if (!spec.reinvocationPolicy) errors.push(required('spec.reinvocationPolicy'));
  else errors.push(...oneOf(spec.reinvocationPolicy, ['IfNeeded', 'Never'], 'spec.reinvocationPolicy'));
  return errors;
}

const PATCHES = [
  { type: 'ApplyConfiguration', field: 'applyConfiguration', result: OBJECT },
  { type: 'JSONPatch', field: 'jsonPatch', result: listOf(JSON_PATCH) },
] as const;

function validateMutation(mutation: Mutation, path: string, compiler: PolicyCompiler): FieldError[] {
  const { patchType } = mutation;
  if (!patchType) return [required(`${path}.patchType`)];
  const chosen = PATCHES.find(({ type }) => type === patchType);
  if (!chosen) {
    const types = PATCHES.map(({ type }) => type);
    return [notSupported(`${path}.patchType`, patchType, types)];
  }
  return PATCHES.flatMap(({ field, result }) => {
    const given = mutation[field];
    const at = `${path}.${field}`;
    if (field !== chosen.field) {
      const why = `must not be specified when patchType is ${patchType}`;
      return given === undefined ? [] : [invalidValue(at, `{${field}}`, why)];
    }
    if (given === undefined) return [required(at, `must be specified when patchType is ${patchType}`)];
    const expression = (given.expression ?? '').trim();
    if (expression === '') return [required(`${at}.expression`, 'expression is not specified')];
    const more = { hasAuthorizer: true, hasPatchTypes: true };
    return compiled(`${at}.expression`, expression, compiler.error(expression, [result], more));
  });
}
