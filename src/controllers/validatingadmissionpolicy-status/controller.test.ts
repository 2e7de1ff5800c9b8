import { afterEach, describe, expect, it } from 'vitest';
import * as resources from '../../api/resources.gen.ts';
import type { ValidatingAdmissionPolicy } from '../../api/types.gen.ts';
import { TestCluster } from '../framework/test-cluster.fake.ts';
import { policyStatusController } from './controller.ts';

type Spec = NonNullable<ValidatingAdmissionPolicy['spec']>;

const rule = (apiGroup: string, ...names: string[]): Spec['matchConstraints'] => ({
  resourceRules: [{ apiGroups: [apiGroup], apiVersions: ['v1'], operations: ['CREATE'], resources: names }],
});

const cluster = new TestCluster();
afterEach(() => cluster.stop());

async function check(spec: Spec): Promise<ValidatingAdmissionPolicy['status']> {
  const name = 'policy';
  await cluster.client.create(resources.validatingAdmissionPolicies, {
    metadata: { name, generation: 1 },
    spec,
  });
  await cluster.settle();
  const { status } = await cluster.client.get(resources.validatingAdmissionPolicies, { name });
  await cluster.client.delete(resources.validatingAdmissionPolicies, { name });
  return status;
}

describe('validatingadmissionpolicy-status-controller', () => {
  it('warns of expressions that do not fit what a policy is for', async () => {
    await cluster.client.create(resources.customResourceDefinitions, {
      metadata: { name: 'widgets.shop.example' },
      spec: {
        group: 'shop.example',
        names: { plural: 'widgets', kind: 'Widget' },
        scope: 'Namespaced',
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: {
                  spec: {
                    type: 'object',
                    properties: {
                      size: { type: 'integer' },
                      free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                    },
                  },
                },
              },
            },
          },
        ],
      },
      status: { conditions: [{ type: 'Established', status: 'True' }] },
    } as never);
    await cluster.start(policyStatusController);

    expect(
      await check({
        matchConstraints: rule('apps', 'deployments', 'deployments/scale'),
        variables: [{ name: 'replicas', expression: 'object.spec.replicas' }],
        validations: [
          { expression: 'variables.replicas > 1 && object.metadata.namespace != "x"' },
          { expression: 'object.spec.replicas > "1"', messageExpression: 'object.spec.nope' },
          { expression: 'object.spec.template.spec.containers.all(c, c.resources.limits["cpu"] == "1")' },
        ],
      }),
    ).toEqual({
      observedGeneration: 1,
      typeChecking: {
        expressionWarnings: [
          {
            fieldRef: 'spec.validations[1].expression',
            warning: [
              "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'",
              ' | object.spec.replicas > "1"',
              ' | .....................^\n',
            ].join('\n'),
          },
          {
            fieldRef: 'spec.validations[1].messageExpression',
            warning: [
              "apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'nope'",
              ' | object.spec.nope',
              ' | ...........^\n',
            ].join('\n'),
          },
        ],
      },
    });

    // Custom kinds by their schemas; parameters, too.
    const custom = await check({
      paramKind: { apiVersion: 'shop.example/v1', kind: 'Widget' },
      matchConstraints: rule('shop.example', 'widgets', 'others'),
      validations: [
        { expression: 'object.spec.size == params.spec.size && object.metadata.labels["a"] == "b"' },
        { expression: 'object.spec.free.anything && object.spec.size == "x"' },
        { expression: 'params.spec.nope' },
      ],
    });
    const warnings = custom?.typeChecking?.expressionWarnings ?? [];
    expect(warnings.map(({ fieldRef }) => fieldRef)).toEqual([
      'spec.validations[1].expression',
      'spec.validations[2].expression',
    ]);
    expect(warnings[1]?.warning).toContain(
      "shop.example/v1, Kind=Widget: ERROR: <input>:1:12: undefined field 'nope'",
    );

    // Nothing is known of what wildcards stand for.
    const unknown = { matchConstraints: rule('*', 'pods'), validations: [{ expression: 'object.nope' }] };
    expect(await check(unknown)).toEqual({ observedGeneration: 1, typeChecking: {} });
  });
});
