import { describe, expect, it } from 'vitest';
import { mutatingWebhookConfiguration, validatingWebhookConfiguration } from './webhook-configurations.ts';
import { validateWebhooks, type Webhook } from './webhook-validation.ts';

const good: Webhook = {
  name: 'a.example.com',
  clientConfig: { service: { namespace: 'tools', name: 'hook', path: '/a/b', port: 443 } },
  rules: [
    { operations: ['CREATE'], apiGroups: ['', 'apps'], apiVersions: ['v1'], resources: ['pods', 'pods/log'] },
  ],
  admissionReviewVersions: ['v1', 'v1beta1'],
  sideEffects: 'None',
};
const problems = (change: Partial<Webhook>): string[] =>
  validateWebhooks([{ ...good, ...change }]).map(({ field, message }) => `${field}: ${message}`);
const ruleProblems = (change: object): string[] =>
  problems({ rules: [{ ...good.rules?.[0], ...change } as NonNullable<Webhook['rules']>[0]] });

describe('webhook configurations', () => {
  it('may be right', () => {
    expect(problems({})).toEqual([]);
    expect(problems({ clientConfig: { url: 'https://example.com:8443/path' } })).toEqual([]);
    expect(ruleProblems({ resources: ['*/*'], operations: ['*'], scope: 'Cluster' })).toEqual([]);
    expect(ruleProblems({ resources: ['*', 'pods/log'] })).toEqual([]);
  });

  it('are refused in upstream words', () => {
    expect(problems({ name: 'two.parts' })).toEqual([
      'webhooks[0].name: Invalid value: "two.parts": should be a domain with at least three segments separated by dots',
    ]);
    expect(problems({ name: '' })).toEqual(['webhooks[0].name: Required value']);
    expect(
      problems({ sideEffects: 'Some', failurePolicy: 'Maybe', matchPolicy: 'Near', timeoutSeconds: 31 }),
    ).toEqual([
      'webhooks[0].failurePolicy: Unsupported value: "Maybe": supported values: "Fail", "Ignore"',
      'webhooks[0].matchPolicy: Unsupported value: "Near": supported values: "Equivalent", "Exact"',
      'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
      'webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds',
    ]);
    expect(problems({ reinvocationPolicy: 'Always', admissionReviewVersions: ['v2', 'v2', 'V'] })).toEqual([
      'webhooks[0].reinvocationPolicy: Unsupported value: "Always": supported values: "IfNeeded", "Never"',
      'webhooks[0].admissionReviewVersions[1]: Invalid value: "v2": duplicate version',
      expect.stringContaining('webhooks[0].admissionReviewVersions[2]: Invalid value: "V": a DNS-1035 label'),
      'webhooks[0].admissionReviewVersions: Invalid value: ["v2","v2","V"]: must include at least one of v1, v1beta1',
    ]);
    expect(validateWebhooks([good, good])).toEqual([
      {
        field: 'webhooks[1].name',
        reason: 'FieldValueDuplicate',
        message: 'Duplicate value: "a.example.com"',
      },
    ]);
  });

  it('name rules that make sense', () => {
    expect(
      ruleProblems({ operations: ['*', 'GET'], apiGroups: ['*', 'apps'], apiVersions: ['*', ''] }),
    ).toEqual([
      `webhooks[0].rules[0].operations: Invalid value: ["*","GET"]: if '*' is present, must not specify other operations`,
      'webhooks[0].rules[0].operations[1]: Unsupported value: "GET": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"',
      `webhooks[0].rules[0].apiGroups: Invalid value: ["*","apps"]: if '*' is present, must not specify other API groups`,
      `webhooks[0].rules[0].apiVersions: Invalid value: ["*",""]: if '*' is present, must not specify other API versions`,
      'webhooks[0].rules[0].apiVersions[1]: Required value',
    ]);
    const of = (...resources: string[]) =>
      ruleProblems({ resources }).map((text) => text.split('resources')[1]);
    expect(of()).toEqual([': Required value']);
    expect(of('pods/*', 'pods/log')).toEqual([
      `[1]: Invalid value: "pods/log": if 'pods/*' is present, must not specify pods/log`,
    ]);
    expect(of('*/scale', 'deployments/scale')).toEqual([
      `[1]: Invalid value: "deployments/scale": if '*/scale' is present, must not specify deployments/scale`,
    ]);
    expect(ruleProblems({ resources: ['*/*', 'x/y'] })).toEqual([
      `webhooks[0].rules[0].resources: Invalid value: ["*/*","x/y"]: if '*/*' is present, must not specify other resources`,
    ]);
    expect(ruleProblems({ resources: ['*', 'pods'], scope: 'Everywhere' })).toEqual([
      `webhooks[0].rules[0].resources: Invalid value: ["*","pods"]: if '*' is present, must not specify other resources without subresources`,
      'webhooks[0].rules[0].scope: Unsupported value: "Everywhere": supported values: "*", "Cluster", "Namespaced"',
    ]);
  });

  it('say where the webhook is', () => {
    const at = (clientConfig: Webhook['clientConfig']) => problems({ clientConfig });
    expect(at({})).toEqual([
      'webhooks[0].clientConfig: Required value: exactly one of url or service is required',
    ]);
    expect(at({ url: 'http://me:pw@host?a=b#c' })).toEqual([
      `webhooks[0].clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]`,
      'webhooks[0].clientConfig.url: Invalid value: "me:pw": user information is not permitted in the URL',
      'webhooks[0].clientConfig.url: Invalid value: "c": fragments are not permitted in the URL',
      'webhooks[0].clientConfig.url: Invalid value: "a=b": query parameters are not permitted in the URL',
    ]);
    expect(at({ url: 'nonsense' })[0]).toContain('url must be a valid URL');
    expect(at({ service: { namespace: '', name: '', port: 0, path: 'a//B' } })).toEqual([
      'webhooks[0].clientConfig.service.name: Required value',
      'webhooks[0].clientConfig.service.namespace: Required value',
      'webhooks[0].clientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive',
      `webhooks[0].clientConfig.service.path: Invalid value: "a//B": must start with a '/'`,
      'webhooks[0].clientConfig.service.path: Invalid value: "a//B": segment[0] may not be empty',
      'webhooks[0].clientConfig.service.path: Invalid value: "a//B": segment[1] may not be empty',
      expect.stringContaining('webhooks[0].clientConfig.service.path: Invalid value: "a//B": segment[2]: '),
    ]);
    expect(at({ service: { namespace: 'n', name: 's', path: '//' } })).toHaveLength(1);
  });

  it('get upstream defaults', () => {
    const configuration = { metadata: { name: 'c' }, webhooks: [structuredClone(good)] };
    mutatingWebhookConfiguration.strategy?.default?.(configuration);
    expect(configuration.webhooks[0]).toMatchObject({
      failurePolicy: 'Fail',
      matchPolicy: 'Equivalent',
      reinvocationPolicy: 'Never',
      timeoutSeconds: 10,
      namespaceSelector: {},
      objectSelector: {},
      rules: [{ scope: '*' }],
    });
    const other = { metadata: { name: 'c' }, webhooks: [structuredClone(good)] };
    validatingWebhookConfiguration.strategy?.default?.(other);
    expect(other.webhooks[0]).not.toHaveProperty('reinvocationPolicy');
  });
});
