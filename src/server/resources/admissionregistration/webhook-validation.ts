import { duplicate, invalidValue, notSupported, required } from '../../../api/field-errors.ts';
import { validateLabelSelector } from '../../../api/labels.ts';
import { dns1035LabelProblems, dns1123SubdomainProblems } from '../../../api/names.ts';
import type { FieldError } from '../../../api/status.ts';
import type {
  MutatingWebhook,
  RuleWithOperations,
  ValidatingWebhook,
  WebhookClientConfig,
} from '../../../api/types.gen.ts';
import { validateMatchConditions } from '../../admission/expressions/match-conditions.ts';
import { eachOf, problemsOf } from '../field-checks.ts';

/** What both kinds of configuration list. */
export type Webhook = ValidatingWebhook & Pick<MutatingWebhook, 'reinvocationPolicy'>;

const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const SCOPES = ['*', 'Cluster', 'Namespaced'];
const REVIEW_VERSIONS = ['v1', 'v1beta1'];
const NO_SIDE_EFFECTS = ['None', 'NoneOnDryRun'];

/** Everything upstream wants of the webhooks of one configuration. */
export function validateWebhooks(webhooks: readonly Webhook[] | undefined): FieldError[] {
  const names = new Set<string>();
  return eachOf(webhooks, 'webhooks', (webhook, path) => {
    const errors = validateWebhook(webhook, path);
    if (webhook.name && names.has(webhook.name)) errors.push(duplicate(`${path}.name`, webhook.name));
    names.add(webhook.name);
    return errors;
  });
}

function validateWebhook(webhook: Webhook, path: string): FieldError[] {
  const { failurePolicy, matchPolicy, sideEffects, timeoutSeconds, reinvocationPolicy } = webhook;
  const errors = [
    ...validateFullName(webhook.name ?? '', `${path}.name`),
    ...eachOf(webhook.rules, `${path}.rules`, validateRule),
    ...oneOf(failurePolicy, ['Fail', 'Ignore'], `${path}.failurePolicy`),
    ...oneOf(matchPolicy, ['Equivalent', 'Exact'], `${path}.matchPolicy`),
  ];
  if (!sideEffects)
    errors.push(required(`${path}.sideEffects`, `must specify one of ${NO_SIDE_EFFECTS.join(', ')}`));
  else errors.push(...oneOf(sideEffects, NO_SIDE_EFFECTS, `${path}.sideEffects`));
  if (timeoutSeconds !== undefined && (timeoutSeconds > 30 || timeoutSeconds < 1)) {
    const why = 'the timeout value must be between 1 and 30 seconds';
    errors.push(invalidValue(`${path}.timeoutSeconds`, timeoutSeconds, why));
  }
  errors.push(
    ...validateLabelSelector(webhook.namespaceSelector, `${path}.namespaceSelector`),
    ...validateLabelSelector(webhook.objectSelector, `${path}.objectSelector`),
    ...oneOf(reinvocationPolicy, ['IfNeeded', 'Never'], `${path}.reinvocationPolicy`),
    ...validateClientConfig(webhook.clientConfig ?? {}, `${path}.clientConfig`),
    ...validateMatchConditions(webhook.matchConditions, `${path}.matchConditions`),
    ...validateReviewVersions(webhook.admissionReviewVersions, `${path}.admissionReviewVersions`),
  );
  return errors;
}

export function oneOf(value: string | undefined, allowed: readonly string[], path: string): FieldError[] {
  return value === undefined || allowed.includes(value) ? [] : [notSupported(path, value, allowed)];
}

/** Upstream's IsFullyQualifiedName. */
function validateFullName(name: string, path: string): FieldError[] {
  if (name === '') return [required(path)];
  const problems = problemsOf(path, name, dns1123SubdomainProblems);
  if (problems.length > 0) return problems;
  const why = 'should be a domain with at least three segments separated by dots';
  return name.split('.').length < 3 ? [invalidValue(path, name, why)] : [];
}

/** What every rule has to say, of webhooks and of policies. */
export function validateRule(rule: RuleWithOperations, path: string): FieldError[] {
  const { operations, apiGroups, apiVersions, resources, scope } = rule;
  const errors: FieldError[] = [];
  if (!operations?.length) errors.push(required(`${path}.operations`));
  errors.push(
    ...aloneIfWildcard(operations, `${path}.operations`, 'operations'),
    ...eachOf(operations, `${path}.operations`, (one, at) => oneOf(one, OPERATIONS, at)),
  );
  if (!apiGroups?.length) errors.push(required(`${path}.apiGroups`));
  errors.push(...aloneIfWildcard(apiGroups, `${path}.apiGroups`, 'API groups'));
  if (!apiVersions?.length) errors.push(required(`${path}.apiVersions`));
  errors.push(
    ...aloneIfWildcard(apiVersions, `${path}.apiVersions`, 'API versions'),
    ...eachOf(apiVersions, `${path}.apiVersions`, (one, at) => (one === '' ? [required(at)] : [])),
    ...validateRuleResources(resources ?? [], `${path}.resources`),
    ...oneOf(scope, SCOPES, `${path}.scope`),
  );
  return errors;
}

function aloneIfWildcard(list: readonly string[] | undefined, path: string, what: string): FieldError[] {
  if (!list || list.length < 2 || !list.includes('*')) return [];
  return [invalidValue(path, list, `if '*' is present, must not specify other ${what}`)];
}

function validateRuleResources(resources: readonly string[], path: string): FieldError[] {
  const errors: FieldError[] = resources.length === 0 ? [required(path)] : [];
  const allBelow = new Set<string>();
  const allAbove = new Set<string>();
  let isLastPlain = false;
  for (const [index, pattern] of resources.entries()) {
    const at = `${path}[${index}]`;
    if (pattern === '') {
      errors.push(required(at));
      continue;
    }
    const slash = pattern.indexOf('/');
    if (slash < 0) {
      isLastPlain = pattern !== '*';
      continue;
    }
    const [name, below] = [pattern.slice(0, slash), pattern.slice(slash + 1)];
    const clash = (present: string): FieldError =>
      invalidValue(at, pattern, `if '${present}' is present, must not specify ${pattern}`);
    if (allBelow.has(name)) errors.push(clash(`${name}/*`));
    if (allAbove.has(below)) errors.push(clash(`*/${below}`));
    if (below === '*') allBelow.add(name);
    if (name === '*') allAbove.add(below);
  }
  if (resources.length > 1 && resources.includes('*/*'))
    errors.push(invalidValue(path, resources, "if '*/*' is present, must not specify other resources"));
  if (resources.includes('*') && isLastPlain) {
    const why = "if '*' is present, must not specify other resources without subresources";
    errors.push(invalidValue(path, resources, why));
  }
  return errors;
}

function validateClientConfig({ url, service }: WebhookClientConfig, path: string): FieldError[] {
  if ((url === undefined) === (service === undefined))
    return [required(path, 'exactly one of url or service is required')];
  return url === undefined
    ? validateWebhookService(service ?? {}, `${path}.service`)
    : validateWebhookUrl(url, `${path}.url`);
}

const URL_FORM = '; desired format: https://host[/path]';

/** The address of a webhook outside the cluster, of whatever kind. */
export function validateWebhookUrl(url: string, path: string): FieldError[] {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return [required(path, `url must be a valid URL: parse ${JSON.stringify(url)}: invalid URL${URL_FORM}`)];
  }
  const errors: FieldError[] = [];
  const { protocol, host, username, password, hash, search } = parsed;
  const scheme = protocol.slice(0, -1);
  if (scheme !== 'https')
    errors.push(invalidValue(path, scheme, `'https' is the only allowed URL scheme${URL_FORM}`));
  if (host === '') errors.push(invalidValue(path, host, `host must be specified${URL_FORM}`));
  if (username !== '' || password !== '') {
    const user = password === '' ? username : `${username}:${password}`;
    errors.push(invalidValue(path, user, 'user information is not permitted in the URL'));
  }
  if (hash !== '') errors.push(invalidValue(path, hash.slice(1), 'fragments are not permitted in the URL'));
  if (search !== '')
    errors.push(invalidValue(path, search.slice(1), 'query parameters are not permitted in the URL'));
  return errors;
}

interface ServiceReference {
  readonly name?: string;
  readonly namespace?: string;
  readonly path?: string;
  readonly port?: number;
}

/** The Service of a webhook, of whatever kind. */
export function validateWebhookService(service: ServiceReference, path: string): FieldError[] {
  const { name, namespace, port = 443, path: urlPath = '' } = service;
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${path}.name`));
  if (!namespace) errors.push(required(`${path}.namespace`));
  if (port < 1 || port > 65_535) {
    const why = 'port is not valid: must be between 1 and 65535, inclusive';
    errors.push(invalidValue(`${path}.port`, port, why));
  }
  return [...errors, ...validateUrlPath(urlPath, `${path}.path`)];
}

function validateUrlPath(urlPath: string, path: string): FieldError[] {
  if (urlPath === '' || urlPath === '/') return [];
  if (urlPath === '//') return [invalidValue(path, urlPath, 'segment[0] may not be empty')];
  const start = urlPath.startsWith('/') ? [] : [invalidValue(path, urlPath, "must start with a '/'")];
  const segments = urlPath.slice(1).replace(/\/$/, '').split('/');
  return [
    ...start,
    ...segments.flatMap((segment, index) => {
      if (segment === '') return [invalidValue(path, urlPath, `segment[${index}] may not be empty`)];
      return dns1123SubdomainProblems(segment).map((problem) =>
        invalidValue(path, urlPath, `segment[${index}]: ${problem}`),
      );
    }),
  ];
}

function validateReviewVersions(versions: readonly string[] | undefined, path: string): FieldError[] {
  const known = REVIEW_VERSIONS.join(', ');
  if (!versions?.length) return [required(path, `must specify one of ${known}`)];
  const seen = new Set<string>();
  const errors = eachOf(versions, path, (version, at) => {
    if (seen.has(version)) return [invalidValue(at, version, 'duplicate version')];
    seen.add(version);
    return problemsOf(at, version, dns1035LabelProblems);
  });
  if (!versions.some((one) => REVIEW_VERSIONS.includes(one)))
    errors.push(invalidValue(path, versions, `must include at least one of ${known}`));
  return errors;
}
