import { expect, it } from 'vitest';
import * as resources from '../../../api/resources.gen.ts';
import {
  definition,
  establish,
  object,
  resourceOf,
  version,
  widget,
} from '../../custom-resources/test-definitions.fake.ts';
import { startTestServer } from '../../test-server.fake.ts';
import { mutatingAdmissionPolicy } from './mutating.ts';
import { validatingAdmissionPolicy } from './validating.ts';

const part = object({ id: { type: 'string' }, count: { type: 'integer' } });
const schema = object({
  spec: object({
    size: { type: 'integer' },
    parts: {
      type: 'array',
      items: { ...part, required: ['id'] },
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['id'],
    },
  }),
});

it('custom resources are held to policies, changed by them, and are parameters', async () => {
  const { server } = await startTestServer({
    admission: (context) => [mutatingAdmissionPolicy(context), validatingAdmissionPolicy(context)],
  });
  const client = server.client({ name: 'admin', groups: ['system:masters'] });
  try {
    const widgets = resourceOf(await establish(client, definition([version('v1', schema)])));
    const on = (...operations: string[]) => ({
      resourceRules: [
        { apiGroups: ['example.com'], apiVersions: ['v1'], operations, resources: ['widgets'] },
      ],
    });
    await client.create(widgets, { ...widget('limits'), spec: { size: 5 } });

    await client.create(resources.validatingAdmissionPolicies, {
      metadata: { name: 'small' },
      spec: {
        paramKind: { apiVersion: 'example.com/v1', kind: 'Widget' },
        matchConstraints: on('CREATE', 'DELETE'),
        validations: [
          {
            expression: 'request.operation == "DELETE" || object.spec.size <= params.spec.size',
            messageExpression: '"at most " + string(params.spec.size)',
          },
          {
            expression: 'request.operation != "DELETE" || oldObject.spec.size > 1',
            message: 'the smallest one stays',
          },
        ],
      },
    });
    await client.create(resources.validatingAdmissionPolicyBindings, {
      metadata: { name: 'small' },
      spec: {
        policyName: 'small',
        paramRef: { name: 'limits', namespace: 'default', parameterNotFoundAction: 'Deny' },
        validationActions: ['Deny'],
      },
    });
    await client.create(resources.mutatingAdmissionPolicies, {
      metadata: { name: 'parts' },
      spec: {
        matchConstraints: on('CREATE'),
        reinvocationPolicy: 'Never',
        mutations: [
          {
            patchType: 'ApplyConfiguration',
            applyConfiguration: {
              expression:
                'Object{spec: Object.spec{parts: [Object.spec.parts{id: "b", count: object.spec.size}]}}',
            },
          },
        ],
      },
    });
    await client.create(resources.mutatingAdmissionPolicyBindings, {
      metadata: { name: 'parts' },
      spec: { policyName: 'parts' },
    });

    const parts = [
      { id: 'a', count: 7 },
      { id: 'b', count: 7 },
    ];
    const made = await client.create(widgets, { ...widget('one'), spec: { size: 1, parts } });
    expect(made['spec'].parts).toEqual([
      { id: 'a', count: 7 },
      { id: 'b', count: 1 },
    ]);
    await expect(client.create(widgets, { ...widget('huge'), spec: { size: 6 } })).rejects.toThrow(
      `widgets.example.com "huge" is forbidden: ValidatingAdmissionPolicy 'small' with binding 'small' denied request: at most 5`,
    );
    const one = { name: 'one', namespace: 'default' };
    await expect(client.delete(widgets, one)).rejects.toThrow('denied request: the smallest one stays');
    await client.delete(widgets, { name: 'limits', namespace: 'default' });
    await expect(client.create(widgets, { ...widget('two'), spec: { size: 2 } })).rejects.toThrow(
      'no params found for policy binding with `Deny` parameterNotFoundAction',
    );
  } finally {
    await server.close();
  }
});
