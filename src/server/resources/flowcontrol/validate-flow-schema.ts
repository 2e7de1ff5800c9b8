import { forbiddenField, invalidValue, notSupported, required } from '../../../api/field-errors.ts';
import { dns1123SubdomainProblems } from '../../../api/names.ts';
import type { FieldError } from '../../../api/status.ts';
import type {
  FlowcontrolSubject,
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
} from '../../../api/types.gen.ts';
import { MANDATORY_SCHEMAS } from '../../fairness/default-objects.ts';
import { eachOf, problemsOf } from '../field-checks.ts';
import { differsFromFixed } from './fixed-spec.ts';

const DEFAULT_PRECEDENCE = 1000;
const MAX_PRECEDENCE = 10_000;
const METHODS = ['ByNamespace', 'ByUser'];
const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection', 'proxy'];

/** As upstream's pkg/apis/flowcontrol/validation. */
export function validateFlowSchema(schema: FlowSchema): FieldError[] {
  const { metadata, spec } = schema;
  const name = metadata.name ?? '';
  const precedence = spec?.matchingPrecedence ?? DEFAULT_PRECEDENCE;
  const errors: FieldError[] = [];
  const precedencePath = 'spec.matchingPrecedence';
  if (precedence < 1) errors.push(invalidValue(precedencePath, precedence, 'must be a positive value'));
  if (precedence > MAX_PRECEDENCE)
    errors.push(invalidValue(precedencePath, precedence, `must not be greater than ${MAX_PRECEDENCE}`));
  if (precedence === 1 && name !== 'exempt')
    errors.push(
      invalidValue(
        precedencePath,
        precedence,
        "only the schema named 'exempt' may have matchingPrecedence 1",
      ),
    );
  const method = spec?.distinguisherMethod;
  if (method && !METHODS.includes(method.type))
    errors.push(notSupported('spec.distinguisherMethod', method, METHODS));
  const level = spec?.priorityLevelConfiguration?.name ?? '';
  const levelPath = 'spec.priorityLevelConfiguration.name';
  if (level === '') errors.push(required(levelPath, 'must reference a priority level'));
  else errors.push(...problemsOf(levelPath, level, dns1123SubdomainProblems));
  errors.push(...eachOf(spec?.rules, 'spec.rules', validateRules));
  const fixed = MANDATORY_SCHEMAS.find((one) => one.metadata.name === name);
  if (fixed && differsFromFixed(spec, fixed.spec))
    errors.push(invalidValue('spec', spec, `spec of '${name}' must equal the fixed value`));
  return errors;
}

function validateRules(rules: PolicyRulesWithSubjects, path: string): FieldError[] {
  const { subjects, resourceRules = [], nonResourceRules = [] } = rules;
  const errors: FieldError[] = [];
  if (!subjects?.length)
    errors.push(required(`${path}.subjects`, 'subjects must contain at least one value'));
  if (resourceRules.length === 0 && nonResourceRules.length === 0)
    errors.push(required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty'));
  return [
    ...errors,
    ...eachOf(subjects, `${path}.subjects`, validateSubject),
    ...eachOf(resourceRules, `${path}.resourceRules`, validateResourceRule),
    ...eachOf(nonResourceRules, `${path}.nonResourceRules`, validatePathRule),
  ];
}

const MEMBERS = { User: 'user', Group: 'group', ServiceAccount: 'serviceAccount' } as const;

function validateSubject(subject: FlowcontrolSubject, path: string): FieldError[] {
  const { kind } = subject;
  if (!Object.hasOwn(MEMBERS, kind)) return [notSupported(`${path}.kind`, kind, Object.keys(MEMBERS))];
  const member = MEMBERS[kind as keyof typeof MEMBERS];
  const errors = Object.values(MEMBERS)
    .filter((one) => one !== member && subject[one] !== undefined)
    .map((one) => forbiddenField(`${path}.${one}`, `${one} is forbidden when subject kind is not '${kind}'`));
  const named = subject[member];
  if (!named)
    return [...errors, required(`${path}.${member}`, `${member} is required when subject kind is '${kind}'`)];
  if (!named.name) errors.push(required(`${path}.${member}.name`));
  if (member === 'serviceAccount' && !subject.serviceAccount?.namespace)
    errors.push(required(`${path}.serviceAccount.namespace`, 'must specify namespace for service account'));
  return errors;
}

/** `*` alone, or others. */
function alone(list: readonly string[], path: string, what: string): FieldError[] {
  return list.length > 1 && list.includes('*')
    ? [invalidValue(path, list, `if '*' is present, must not specify other ${what}`)]
    : [];
}

function validateVerbs(verbs: readonly string[] | undefined, path: string): FieldError[] {
  if (!verbs?.length) return [required(path, 'verbs must contain at least one value')];
  const wrong = verbs.filter((verb) => verb !== '*' && !VERBS.includes(verb));
  return [
    ...alone(verbs, path, 'verbs'),
    ...(wrong.length > 0 ? [notSupported(path, verbs, [...VERBS, '*'])] : []),
  ];
}

function validateResourceRule(rule: ResourcePolicyRule, path: string): FieldError[] {
  const { verbs, apiGroups = [], resources = [], namespaces = [], clusterScope } = rule;
  const errors = validateVerbs(verbs, `${path}.verbs`);
  const needed = (list: readonly string[], field: string, what: string): void => {
    if (list.length === 0)
      errors.push(required(`${path}.${field}`, `resource rules must supply at least one ${what}`));
    errors.push(...alone(list, `${path}.${field}`, field === 'apiGroups' ? 'api groups' : field));
  };
  needed(apiGroups, 'apiGroups', 'api group');
  needed(resources, 'resources', 'resource');
  if (namespaces.length === 0 && !clusterScope)
    errors.push(
      required(
        `${path}.namespaces`,
        'resource rules that are not cluster scoped must supply at least one namespace',
      ),
    );
  return [...errors, ...alone(namespaces, `${path}.namespaces`, 'namespaces')];
}

function validatePathRule({ verbs, nonResourceURLs }: NonResourcePolicyRule, path: string): FieldError[] {
  const at = `${path}.nonResourceURLs`;
  const errors = verbs?.length
    ? alone(verbs, `${path}.verbs`, 'verbs')
    : [required(`${path}.verbs`, 'verbs must contain at least one value')];
  if (!nonResourceURLs?.length)
    return [...errors, required(at, 'nonResourceURLs must contain at least one value')];
  return [
    ...errors,
    ...alone(nonResourceURLs, at, 'non-resource URLs'),
    ...eachOf(nonResourceURLs, at, (url, one) => {
      const problem = urlProblem(url);
      return problem === undefined ? [] : [invalidValue(one, url, problem)];
    }),
  ];
}

function urlProblem(url: string): string | undefined {
  if (url === '*') return undefined;
  if (url === '') return 'must not be empty';
  if (url.includes(' ')) return 'must not contain white-space';
  if (!url.startsWith('/')) return "must start with '/'";
  if (url.includes('//')) return 'must not contain double slash';
  if (url.slice(0, -1).includes('*') || (url.endsWith('*') && !url.endsWith('/*')))
    return "wildcard can only do suffix matching, and must be preceded by '/'";
  return undefined;
}
