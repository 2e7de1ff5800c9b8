import type { PolicyRule } from '../../api/types.gen.ts';
import type { Attributes } from './port.ts';

const ALL = '*';

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list !== undefined && (list.includes(value) || list.includes(ALL));

/** Whether one RBAC rule allows a request. */
export function ruleAllows(rule: PolicyRule, attributes: Attributes): boolean {
  if (!has(rule.verbs, attributes.verb)) return false;
  if ('path' in attributes)
    return (rule.nonResourceURLs ?? []).some((url) => urlMatches(url, attributes.path));
  return (
    has(rule.apiGroups, attributes.group) &&
    resourceMatches(rule.resources ?? [], attributes.resource, attributes.subresource) &&
    nameMatches(rule.resourceNames ?? [], attributes.name)
  );
}

/** `*`, `pods`, `pods/log`, or one subresource of everything: any resource, then a slash and `scale`. */
function resourceMatches(wanted: readonly string[], resource: string, subresource: string): boolean {
  const full = subresource === '' ? resource : `${resource}/${subresource}`;
  for (const one of wanted) {
    if (one === ALL || one === full) return true;
    if (subresource !== '' && one.startsWith('*/') && one.slice(2) === subresource) return true;
  }
  return false;
}

const nameMatches = (wanted: readonly string[], name: string): boolean =>
  wanted.length === 0 || wanted.includes(name);

function urlMatches(wanted: string, path: string): boolean {
  if (wanted === ALL || wanted === path) return true;
  return wanted.endsWith('*') && path.startsWith(wanted.slice(0, -1).replace(/\*+$/, ''));
}

/** What of `wanted` is not covered by `held`, as rules of one verb and one resource or path each. */
export function uncoveredRules(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(atoms).filter((atom) => !held.some((rule) => ruleCovers(rule, atom)));
}

function atoms(rule: PolicyRule): PolicyRule[] {
  const found: PolicyRule[] = [];
  for (const verb of rule.verbs) {
    for (const url of rule.nonResourceURLs ?? []) found.push({ verbs: [verb], nonResourceURLs: [url] });
    for (const group of rule.apiGroups ?? [])
      for (const resource of rule.resources ?? []) {
        const base = { verbs: [verb], apiGroups: [group], resources: [resource] };
        const names = rule.resourceNames ?? [];
        if (names.length === 0) found.push(base);
        for (const name of names) found.push({ ...base, resourceNames: [name] });
      }
  }
  return found;
}

/** `atom` comes from `atoms`. */
function ruleCovers(rule: PolicyRule, atom: PolicyRule): boolean {
  const [verb = ''] = atom.verbs;
  if (!has(rule.verbs, verb)) return false;
  const [url] = atom.nonResourceURLs ?? [];
  if (url !== undefined) return (rule.nonResourceURLs ?? []).some((one) => urlMatches(one, url));
  const [group = ''] = atom.apiGroups ?? [];
  const [resource = ''] = atom.resources ?? [];
  const [name] = atom.resourceNames ?? [];
  const names = rule.resourceNames ?? [];
  const [main = '', subresource = ''] = resource.split('/');
  return (
    has(rule.apiGroups, group) &&
    resourceMatches(rule.resources ?? [], main, subresource) &&
    (names.length === 0 || (name !== undefined && names.includes(name)))
  );
}

const quoted = (list: readonly string[]): string => `[${list.map((one) => JSON.stringify(one)).join(' ')}]`;

/** As upstream shows a rule in messages: `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`. */
export function ruleText(rule: PolicyRule): string {
  const part = (name: string, list: readonly string[] | undefined): string[] =>
    list && list.length > 0 ? [`${name}:${quoted(list)}`] : [];
  return `{${[
    ...part('APIGroups', rule.apiGroups),
    ...part('Resources', rule.resources),
    ...part('NonResourceURLs', rule.nonResourceURLs),
    ...part('ResourceNames', rule.resourceNames),
    ...part('Verbs', rule.verbs),
  ].join(', ')}}`;
}

/** Joins rules that only differ in their verbs. */
export function compactRules(rules: readonly PolicyRule[]): PolicyRule[] {
  const byTarget = new Map<string, PolicyRule>();
  for (const rule of rules) {
    const { verbs, ...target } = rule;
    const key = JSON.stringify(target);
    const known = byTarget.get(key);
    byTarget.set(key, known ? { ...known, verbs: [...new Set([...known.verbs, ...verbs])] } : rule);
  }
  return [...byTarget.values()];
}
