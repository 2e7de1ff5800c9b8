import { parse } from 'yaml';
import { invalidValue, notSupported, required } from '../../api/field-errors.ts';
import { dns1123SubdomainProblems } from '../../api/names.ts';
import type { FieldError } from '../../api/status.ts';
import type { RequestInfo } from '../http/request-info.ts';
import type { UserInfo } from '../registry/definition.ts';

export const LEVELS = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
export const STAGES = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const;
export type AuditLevel = (typeof LEVELS)[number];
export type AuditStage = (typeof STAGES)[number];

interface GroupResources {
  readonly group?: string;
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

interface PolicyRule {
  readonly level: AuditLevel;
  readonly users?: readonly string[];
  readonly userGroups?: readonly string[];
  readonly verbs?: readonly string[];
  readonly resources?: readonly GroupResources[];
  readonly namespaces?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

/** `audit.k8s.io/v1 Policy`. */
export interface AuditPolicy {
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
  readonly rules: readonly PolicyRule[];
}

/** What the policy wants to know of one request. */
export interface AuditDecision {
  readonly level: AuditLevel;
  readonly omitStages: ReadonlySet<AuditStage>;
  readonly omitManagedFields: boolean;
}

/** Reads a policy file. Throws an `Error` that names what is wrong with it. */
export function parsePolicy(text: string): AuditPolicy {
  const value: unknown = parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('is not an audit policy');
  const { apiVersion, kind } = value as { apiVersion?: unknown; kind?: unknown };
  if (apiVersion !== 'audit.k8s.io/v1' || kind !== 'Policy')
    throw new Error(`is ${String(apiVersion)} ${String(kind)}, not audit.k8s.io/v1 Policy`);
  const policy = { rules: [], ...value } as AuditPolicy;
  const wrong = shapeProblem(policy);
  if (wrong !== undefined) throw new Error(wrong);
  const errors = validatePolicy(policy);
  if (errors.length > 0)
    throw new Error(errors.map(({ field, message }) => `${field}: ${message}`).join('; '));
  if (policy.rules.length === 0) throw new Error('loaded illegal policy with 0 rules');
  return policy;
}

const LISTS = ['users', 'userGroups', 'verbs', 'namespaces', 'nonResourceURLs', 'omitStages'] as const;
const isTexts = (value: unknown): boolean =>
  value === undefined || (Array.isArray(value) && value.every((one) => typeof one === 'string'));

function shapeProblem(policy: AuditPolicy): string | undefined {
  if (!isTexts(policy.omitStages)) return 'omitStages must be a list of stages';
  if (!Array.isArray(policy.rules)) return 'rules must be a list';
  for (const [index, rule] of policy.rules.entries()) {
    if (typeof rule !== 'object' || rule === null) return `rules[${index}] must be a rule`;
    const list = LISTS.find((field) => !isTexts(rule[field]));
    if (list !== undefined) return `rules[${index}].${list} must be a list of texts`;
    const { resources = [] } = rule;
    const fits =
      Array.isArray(resources) &&
      resources.every((one: GroupResources) => isTexts(one?.resources) && isTexts(one?.resourceNames));
    if (!fits) return `rules[${index}].resources must be a list of groups with resources`;
  }
  return undefined;
}

/** As upstream's pkg/apis/audit/validation. */
function validatePolicy({ omitStages, rules }: AuditPolicy): FieldError[] {
  return [
    ...validateStages(omitStages, 'omitStages'),
    ...rules.flatMap((rule, index) => validateRule(rule, `rules[${index}]`)),
  ];
}

function validateRule(rule: PolicyRule, path: string): FieldError[] {
  const { level, nonResourceURLs = [], resources = [], namespaces = [], omitStages } = rule;
  const errors: FieldError[] = [];
  if (!level) errors.push(required(`${path}.level`));
  else if (!LEVELS.includes(level)) errors.push(notSupported(`${path}.level`, level, LEVELS));
  nonResourceURLs.forEach((url, index) => {
    const at = `${path}.nonResourceURLs[${index}]`;
    if (url === '*') return;
    if (!url.startsWith('/'))
      errors.push(invalidValue(at, url, "non-resource URL rules must begin with a '/' character"));
    if (url.slice(0, -1).includes('*'))
      errors.push(
        invalidValue(at, url, "non-resource URL wildcards '*' must be the final character of the rule"),
      );
  });
  for (const { group = '', resources: names = [], resourceNames = [] } of resources) {
    if (group !== '' && group !== '*')
      for (const problem of dns1123SubdomainProblems(group))
        errors.push(invalidValue(`${path}.resources.group`, group, problem));
    if (resourceNames.length > 0 && names.length === 0)
      errors.push(
        invalidValue(
          `${path}.resources.resourceNames`,
          resourceNames,
          'using resourceNames requires at least one resource',
        ),
      );
  }
  if (nonResourceURLs.length > 0 && (resources.length > 0 || namespaces.length > 0))
    errors.push(
      invalidValue(
        `${path}.nonResourceURLs`,
        nonResourceURLs,
        'rules cannot apply to both regular resources and non-resource URLs',
      ),
    );
  return [...errors, ...validateStages(omitStages, `${path}.omitStages`)];
}

function validateStages(stages: readonly string[] = [], path: string): FieldError[] {
  return stages.flatMap((stage, index) =>
    (STAGES as readonly string[]).includes(stage)
      ? []
      : [invalidValue(`${path}[${index}]`, stage, `allowed stages are ${STAGES.join(',')}`)],
  );
}

const NOTHING: AuditDecision = { level: 'None', omitStages: new Set(), omitManagedFields: false };

/** The first rule that matches decides; without one nothing is recorded. */
export function decide(policy: AuditPolicy, user: UserInfo, info: RequestInfo): AuditDecision {
  const rule = policy.rules.find((one) => matches(one, user, info));
  if (!rule) return NOTHING;
  return {
    level: rule.level,
    omitStages: new Set([...(policy.omitStages ?? []), ...(rule.omitStages ?? [])]),
    omitManagedFields: rule.omitManagedFields ?? policy.omitManagedFields ?? false,
  };
}

const has = (list: readonly string[] | undefined, wanted: string): boolean =>
  !list || list.length === 0 || list.includes(wanted);

function matches(rule: PolicyRule, user: UserInfo, info: RequestInfo): boolean {
  const { users, userGroups = [], verbs, namespaces = [], resources = [], nonResourceURLs = [] } = rule;
  if (!has(users, user.name)) return false;
  if (userGroups.length > 0 && !userGroups.some((group) => user.groups.includes(group))) return false;
  if (!has(verbs, info.verb)) return false;
  if (namespaces.length > 0 || resources.length > 0) return info.isResource && matchesResource(rule, info);
  if (nonResourceURLs.length > 0)
    return !info.isResource && nonResourceURLs.some((url) => matchesPath(url, info.path));
  return true;
}

function matchesResource(
  { namespaces, resources = [] }: PolicyRule,
  { group, resource, subresource, namespace, name }: Extract<RequestInfo, { isResource: true }>,
): boolean {
  if (!has(namespaces, namespace)) return false;
  if (resources.length === 0) return true;
  const full = subresource === '' ? resource : `${resource}/${subresource}`;
  return resources.some((one) => {
    if ((one.group ?? '') !== group && one.group !== '*') return false;
    if (!one.resources?.length) return true;
    if (!has(one.resourceNames, name)) return false;
    return one.resources.some(
      (wanted) =>
        wanted === full ||
        wanted === '*' ||
        (subresource !== '' && wanted === `*/${subresource}`) ||
        wanted === `${resource}/*`,
    );
  });
}

function matchesPath(url: string, path: string): boolean {
  return url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1)));
}
