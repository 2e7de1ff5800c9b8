import { describe, expect, it } from 'vitest';
import { parseRequest, type RequestInfo } from '../http/request-info.ts';
import { decide, parsePolicy } from './policy.ts';

const POLICY = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
  - level: None
    users: [system:kube-proxy]
    verbs: [watch]
    resources:
      - group: ""
        resources: [endpoints, services]
  - level: None
    userGroups: [system:authenticated]
    nonResourceURLs: ["/api*", "/version"]
  - level: RequestResponse
    omitManagedFields: false
    resources:
      - group: ""
        resources: [pods]
  - level: Request
    resources:
      - group: ""
        resources: ["*/log", "services/*"]
  - level: Metadata
    resources:
      - group: ""
        resources: [configmaps]
        resourceNames: [controller-leader]
    namespaces: [kube-system]
  - level: Metadata
    omitStages: [ResponseStarted]
    resources:
      - group: apps
`;
const policy = parsePolicy(POLICY);
const ann = { name: 'ann', groups: ['system:authenticated'] };
const request = (method: string, url: string): RequestInfo => {
  const [path = '', query] = url.split('?');
  return parseRequest(method, path, new URLSearchParams(query)) as RequestInfo;
};

describe('an audit policy', () => {
  it.each([
    ['GET', '/api/v1/endpoints?watch=1', { name: 'system:kube-proxy', groups: [] }, 'None'],
    ['GET', '/apis', ann, 'None'],
    ['GET', '/metrics', ann, 'None'],
    ['GET', '/api/v1/namespaces/a/pods/x', ann, 'RequestResponse'],
    ['PUT', '/api/v1/namespaces/a/pods/x/status', ann, 'None'],
    ['GET', '/api/v1/namespaces/a/pods/x/log', ann, 'Request'],
    ['PUT', '/api/v1/namespaces/a/services/x/status', ann, 'Request'],
    ['GET', '/api/v1/namespaces/kube-system/configmaps/controller-leader', ann, 'Metadata'],
    ['GET', '/api/v1/namespaces/kube-system/configmaps/other', ann, 'None'],
    ['GET', '/api/v1/namespaces/default/configmaps/controller-leader', ann, 'None'],
    ['POST', '/apis/apps/v1/namespaces/a/deployments', ann, 'Metadata'],
  ])('%s %s', (method, url, user, level) => {
    expect(decide(policy, user, request(method, url)).level).toBe(level);
  });

  it('joins what is left out, and rules override it', () => {
    const apps = decide(policy, ann, request('GET', '/apis/apps/v1/deployments'));
    expect([...apps.omitStages]).toEqual(['RequestReceived', 'ResponseStarted']);
    expect(apps.omitManagedFields).toBe(true);
    expect(decide(policy, ann, request('GET', '/api/v1/pods')).omitManagedFields).toBe(false);
  });

  it.each([
    ['rules: []', 'is undefined undefined, not audit.k8s.io/v1 Policy'],
    ['[]', 'is not an audit policy'],
    ['apiVersion: audit.k8s.io/v1\nkind: Policy', 'loaded illegal policy with 0 rules'],
    [rule('{}'), 'rules[0].level: Required value'],
    [rule('{level: Everything}'), 'rules[0].level: Unsupported value: "Everything"'],
    [rule('{level: None, users: ann}'), 'rules[0].users must be a list of texts'],
    [rule('{level: None, nonResourceURLs: ["a"]}'), "non-resource URL rules must begin with a '/' character"],
    [rule('{level: None, nonResourceURLs: ["/a*b"]}'), "wildcards '*' must be the final character"],
    [rule('{level: None, nonResourceURLs: ["/a"], namespaces: [a]}'), 'rules cannot apply to both'],
    [
      rule('{level: None, omitStages: [Never]}'),
      'rules[0].omitStages[0]: Invalid value: "Never": allowed stages are',
    ],
    [
      rule('{level: None, resources: [{group: apps/v1}]}'),
      'rules[0].resources.group: Invalid value: "apps/v1"',
    ],
    [
      rule('{level: None, resources: [{resourceNames: [a]}]}'),
      'using resourceNames requires at least one resource',
    ],
  ])('%s is refused', (text, why) => {
    expect(() => parsePolicy(text)).toThrow(why);
  });
});

function rule(text: string): string {
  return `apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [${text}]`;
}
