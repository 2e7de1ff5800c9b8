import { describe, expect, it } from 'vitest';
import type { FieldError } from '../../../api/status.ts';
import type {
  MutatingAdmissionPolicySpec,
  ValidatingAdmissionPolicyBindingSpec,
  ValidatingAdmissionPolicySpec,
  ValidatingWebhook,
} from '../../../api/types.gen.ts';
import {
  mutatingAdmissionPolicy,
  mutatingAdmissionPolicyBinding,
  validatingAdmissionPolicy,
  validatingAdmissionPolicyBinding,
} from './policies.ts';
import { validateWebhooks } from './webhook-validation.ts';

const rule = { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['deployments'] };
const shown = (errors: readonly FieldError[] | undefined): string[] =>
  (errors ?? []).map(({ field, message }) => `${field}: ${message}`);

function validating(change: Partial<ValidatingAdmissionPolicySpec>): string[] {
  const policy = {
    metadata: { name: 'p' },
    spec: {
      matchConstraints: { resourceRules: [rule] },
      validations: [{ expression: 'object.spec.replicas < 5' }],
      ...change,
    },
  };
  validatingAdmissionPolicy.strategy?.default?.(policy);
  return shown(validatingAdmissionPolicy.strategy?.validate?.(policy));
}
function mutating(change: Partial<MutatingAdmissionPolicySpec>): string[] {
  const policy = {
    metadata: { name: 'p' },
    spec: {
      matchConstraints: { resourceRules: [rule] },
      mutations: [
        {
          patchType: 'ApplyConfiguration',
          applyConfiguration: { expression: 'Object{spec: Object.spec{replicas: 1}}' },
        },
      ],
      reinvocationPolicy: 'Never',
      ...change,
    },
  };
  mutatingAdmissionPolicy.strategy?.default?.(policy);
  return shown(mutatingAdmissionPolicy.strategy?.validate?.(policy));
}
const binding = (change: Partial<ValidatingAdmissionPolicyBindingSpec>): string[] =>
  shown(
    validatingAdmissionPolicyBinding.strategy?.validate?.({
      metadata: { name: 'b' },
      spec: { policyName: 'p', validationActions: ['Deny'], ...change },
    }),
  );

describe('ValidatingAdmissionPolicy', () => {
  it('may be right', () => {
    expect(
      validating({
        paramKind: { apiVersion: 'example.com/v1', kind: 'Limit' },
        matchConditions: [
          { name: 'a.b/c', expression: 'request.operation == "CREATE" && params.on == true' },
        ],
        variables: [
          { name: 'limit', expression: 'int(params.limit)' },
          { name: 'within', expression: 'object.spec.replicas <= variables.limit' },
        ],
        validations: [
          {
            expression: 'variables.within',
            messageExpression: '"limit: " + string(variables.limit)',
            reason: 'Forbidden',
          },
          { expression: 'authorizer.requestResource.check("x").allowed()' },
        ],
        auditAnnotations: [{ key: 'k', valueExpression: 'variables.within ? "yes" : "no"' }],
      }),
    ).toEqual([]);
  });

  it('is refused when an expression does not compile', () => {
    expect(validating({ validations: [{ expression: 'object.x < ' }] })).toEqual([
      `spec.validations[0].expression: Invalid value: "object.x < ": compilation failed: ERROR: <input>:1:12: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}\n | object.x < \n | ...........^`,
    ]);
    expect(validating({ validations: [{ expression: 'object.x' }] })).toEqual([
      'spec.validations[0].expression: Invalid value: "object.x": must evaluate to bool but got dyn',
    ]);
    expect(validating({ validations: [{ expression: 'params.x > 1' }] })[0]).toContain(
      "undeclared reference to 'params' (in container '')",
    );
    // Messages are not to depend on who asks.
    expect(
      validating({
        validations: [
          { expression: 'true', messageExpression: 'authorizer.path("/").check("get").reason()' },
        ],
      })[0],
    ).toContain('spec.validations[0].messageExpression: Invalid value: "authorizer.path');
    expect(validating({ auditAnnotations: [{ key: 'k', valueExpression: '1' }] })).toEqual([
      'spec.auditAnnotations[0].valueExpression: Invalid value: "1": must evaluate to one of [string null_type] but got int',
    ]);
  });

  it('declares variables in order', () => {
    expect(
      validating({
        variables: [
          { name: 'a', expression: 'variables.b' },
          { name: 'b', expression: '1' },
          { name: 'in', expression: '' },
        ],
      }),
    ).toEqual([
      expect.stringContaining(
        'spec.variables[0].expression: Invalid value: "variables.b": compilation failed: ERROR: <input>:1:10: undefined field \'b\'',
      ),
      'spec.variables[2].name: Invalid value: "in": name is not a valid CEL identifier',
      'spec.variables[2].expression: Required value: expression is not specified',
    ]);
    expect(validating({ validations: [{ expression: 'variables.a' }] })[0]).toContain(
      "undeclared reference to 'variables'",
    );
  });

  it('says what it wants of everything else', () => {
    expect(validating({ matchConstraints: {}, validations: [], failurePolicy: 'Maybe' })).toEqual([
      'spec.failurePolicy: Unsupported value: "Maybe": supported values: "Fail", "Ignore"',
      'spec.matchConstraints.resourceRules: Required value',
      'spec.validations: Required value: validations or auditAnnotations must contain at least one item',
      'spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item',
    ]);
    expect(
      validating({
        matchConstraints: {
          resourceRules: [{ ...rule, resourceNames: ['a', 'a', 'b/c'] }],
          excludeResourceRules: [{}],
        },
      }),
    ).toEqual([
      'spec.matchConstraints.resourceRules[0].resourceNames[1]: Duplicate value: "a"',
      `spec.matchConstraints.resourceRules[0].resourceNames[2]: Invalid value: "b/c": may not contain '/'`,
      'spec.matchConstraints.excludeResourceRules[0].operations: Required value',
      'spec.matchConstraints.excludeResourceRules[0].apiGroups: Required value',
      'spec.matchConstraints.excludeResourceRules[0].apiVersions: Required value',
      'spec.matchConstraints.excludeResourceRules[0].resources: Required value',
    ]);
    expect(validating({ paramKind: { apiVersion: 'a/b/c', kind: 'x y' } })).toEqual([
      'spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
      expect.stringContaining(
        'spec.paramKind.kind: Invalid value: "x y": may have mixed case, but should otherwise match: ',
      ),
    ]);
    expect(
      validating({
        validations: [{ expression: ' ', message: 'a\nb', reason: 'Because', messageExpression: ' ' }],
      }),
    ).toEqual([
      'spec.validations[0].expression: Required value: expression is not specified',
      'spec.validations[0].messageExpression: Invalid value: " ": must be non-empty if specified',
      'spec.validations[0].message: Invalid value: "a\\nb": message must not contain line breaks',
      'spec.validations[0].reason: Unsupported value: "Because": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"',
    ]);
    const twice = { key: 'k', valueExpression: '"x"' };
    expect(validating({ auditAnnotations: [twice, twice] })).toEqual([
      'spec.auditAnnotations[1].key: Duplicate value: "k"',
    ]);
  });
});

describe('MutatingAdmissionPolicy', () => {
  it('may be right', () => {
    expect(
      mutating({
        mutations: [
          {
            patchType: 'JSONPatch',
            jsonPatch: {
              expression:
                '[JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("a/b"), value: "x"}]',
            },
          },
          {
            patchType: 'ApplyConfiguration',
            applyConfiguration: {
              expression: 'has(object.x) ? Object{} : Object{metadata: Object.metadata{}}',
            },
          },
        ],
      }),
    ).toEqual([]);
  });

  it('is refused in upstream words', () => {
    expect(mutating({ mutations: [], reinvocationPolicy: 'Always' })).toEqual([
      'spec.mutations: Required value: mutations must contain at least one item',
      'spec.reinvocationPolicy: Unsupported value: "Always": supported values: "IfNeeded", "Never"',
    ]);
    expect(
      mutating({ mutations: [{ patchType: 'JSONPatch', applyConfiguration: { expression: 'Object{}' } }] }),
    ).toEqual([
      'spec.mutations[0].applyConfiguration: Invalid value: "{applyConfiguration}": must not be specified when patchType is JSONPatch',
      'spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch',
    ]);
    expect(mutating({ mutations: [{ patchType: 'Other' }] })).toEqual([
      'spec.mutations[0].patchType: Unsupported value: "Other": supported values: "ApplyConfiguration", "JSONPatch"',
    ]);
    const applied = (expression: string) =>
      mutating({ mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }] })[0];
    expect(applied('{"a": 1}')).toBe(
      'spec.mutations[0].applyConfiguration.expression: Invalid value: "{\\"a\\": 1}": must evaluate to Object but got map(string, int)',
    );
    expect(applied('Other{}')).toContain("undeclared reference to 'Other' (in container '')");
    expect(applied(' ')).toBe(
      'spec.mutations[0].applyConfiguration.expression: Required value: expression is not specified',
    );
    const patched = mutating({
      mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression: '[JSONPatch{op: 1, nope: 2}]' } }],
    })[0];
    expect(patched).toContain("expected type of field 'op' is 'string' but provided type is 'int'");
    expect(patched).toContain("undefined field 'nope'");
    expect(mutating({ matchConstraints: { resourceRules: [{ ...rule, operations: ['DELETE'] }] } })).toEqual([
      'spec.matchConstraints.resourceRules.operations: Unsupported value: "DELETE": supported values: "*", "CONNECT", "CREATE", "UPDATE"',
    ]);
  });
});

describe('bindings', () => {
  it('say what they bind and how', () => {
    expect(binding({})).toEqual([]);
    expect(binding({ policyName: '', validationActions: [] })).toEqual([
      'spec.policyName: Required value',
      'spec.validationActions: Required value: at least one validation action is required',
    ]);
    expect(binding({ policyName: 'A', validationActions: ['Deny', 'Warn', 'Deny', 'Shout'] })).toEqual([
      expect.stringContaining('spec.policyName: Invalid value: "A": a lowercase RFC 1123 subdomain'),
      'spec.validationActions[2]: Duplicate value: "Deny"',
      'spec.validationActions[3]: Unsupported value: "Shout": supported values: "Audit", "Deny", "Warn"',
      expect.stringContaining(
        'spec.validationActions: Invalid value: ["Deny","Warn","Deny","Shout"]: must not contain both Deny and Warn',
      ),
    ]);
    expect(binding({ paramRef: { name: 'x', selector: {}, parameterNotFoundAction: 'Sulk' } })).toEqual([
      'spec.paramRef.name: Forbidden: name and selector are mutually exclusive',
      'spec.paramRef.selector: Forbidden: name and selector are mutually exclusive',
      'spec.paramRef.parameterNotFoundAction: Unsupported value: "Sulk": supported values: "Allow", "Deny"',
    ]);
    expect(binding({ paramRef: {} })).toEqual([
      'spec.paramRef: Required value: one of name or selector must be specified',
      'spec.paramRef.parameterNotFoundAction: Required value',
    ]);
    const mutatingBinding = mutatingAdmissionPolicyBinding.strategy?.validate?.({
      metadata: { name: 'b' },
      spec: { policyName: 'p', matchResources: { resourceRules: [{ ...rule, operations: ['DELETE'] }] } },
    });
    expect(shown(mutatingBinding)).toHaveLength(1);
  });
});

it('match conditions of webhooks have to compile, too', () => {
  const conditions = (...matchConditions: { name: string; expression: string }[]) =>
    shown(
      validateWebhooks([
        {
          name: 'a.example.com',
          clientConfig: { url: 'https://example.com' },
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          matchConditions,
        } as ValidatingWebhook,
      ]),
    );
  const good = { name: 'good', expression: 'object.metadata.namespace != "kube-system"' };
  expect(conditions(good)).toEqual([]);
  expect(
    conditions(good, good, { name: 'x y', expression: '' }, { name: '', expression: 'params == null' }),
  ).toEqual([
    'webhooks[0].matchConditions[1].name: Duplicate value: "good"',
    'webhooks[0].matchConditions[2].expression: Required value',
    expect.stringContaining(
      'webhooks[0].matchConditions[2].name: Invalid value: "x y": name part must consist of',
    ),
    expect.stringContaining(
      'webhooks[0].matchConditions[3].expression: Invalid value: "params == null": compilation failed: ERROR: <input>:1:1: undeclared reference to \'params\'',
    ),
    'webhooks[0].matchConditions[3].name: Required value',
  ]);
});
