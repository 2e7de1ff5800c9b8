import { expect } from 'vitest';
import type {
  Deployment,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  ReplicaSet,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '../../../../src/api/types.gen.ts';
import { refusal } from '../api-client.ts';
import { type ApiUnderTest, checkApiOperations } from '../api-operations.ts';
import { area } from '../area.ts';
import { podTemplate } from '../pods.ts';
import type { KubeObject } from '../resource-client.ts';
import type { SpecContext } from '../spec-context.ts';

const GROUP_VERSION = 'admissionregistration.k8s.io/v1';

const DEPLOYMENTS = {
  apiGroups: ['apps'],
  apiVersions: ['v1'],
  operations: ['CREATE', 'UPDATE'],
  resources: ['deployments'],
};

const inNamespace = (namespace: string) => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
});

const workload = (name: string, replicas: number) => ({
  metadata: { name, labels: { app: 'nginx' } },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'nginx' } },
    template: podTemplate({ app: 'nginx' }),
  },
});

/** Creates a policy for the spec's namespace, and its binding; gives the name of both. */
async function enact<T extends ValidatingAdmissionPolicy | MutatingAdmissionPolicy>(
  context: SpecContext,
  kind: 'validatingadmissionpolic' | 'mutatingadmissionpolic',
  spec: NonNullable<T['spec']>,
): Promise<string> {
  const name = context.unique('policy.example.com');
  const policies = context.cluster.resource<T>(GROUP_VERSION, `${kind}ies`);
  const bindings = context.cluster.resource<KubeObject>(GROUP_VERSION, `${kind}ybindings`);
  const matchConstraints = { ...inNamespace(context.namespace), resourceRules: [DEPLOYMENTS] };
  await policies.create({ metadata: { name }, spec: { ...spec, matchConstraints } } as unknown as Partial<T>);
  context.defer(async () => await policies.delete(name));
  const actions = kind === 'validatingadmissionpolic' ? { validationActions: ['Deny'] } : {};
  await bindings.create({
    metadata: { name },
    spec: { policyName: name, matchResources: inNamespace(context.namespace), ...actions },
  } as Partial<KubeObject>);
  context.defer(async () => await bindings.delete(name));
  return name;
}

async function enactValidation(
  context: SpecContext,
  spec: NonNullable<ValidatingAdmissionPolicy['spec']>,
): Promise<string> {
  const name = await enact<ValidatingAdmissionPolicy>(context, 'validatingadmissionpolic', spec);
  const policies = context.cluster.resource<ValidatingAdmissionPolicy>(
    GROUP_VERSION,
    'validatingadmissionpolicies',
  );
  const status = await context.until('types to be checked', async () => {
    const found = (await policies.get(name)).status;
    return found?.typeChecking ? found : undefined;
  });
  expect(status).toMatchObject({ observedGeneration: 1, typeChecking: {} });
  expect(status.typeChecking?.expressionWarnings ?? []).toEqual([]);
  // In force when a marker is refused; a dry run leaves nothing behind.
  await context.until('the marker to be refused', async () =>
    context.deployments.create(workload('marker', 1), { dryRun: 'All' }).then(
      () => false,
      (error: { code?: number }) => error.code === 422,
    ),
  );
  return name;
}

async function checkReplicas(context: SpecContext, name: string, message: string): Promise<void> {
  const refused = await refusal(context.deployments.create(workload('single', 1)));
  expect(refused.status).toMatchObject({
    code: 422,
    reason: 'Invalid',
    message: `deployments.apps "single" is forbidden: ValidatingAdmissionPolicy '${name}' with binding '${name}' denied request: ${message}`,
  });
  const made = await context.deployments.create(workload('replicated', 2));
  expect(made.spec?.replicas).toBe(2);
  // Changes are held to the policy, too; other kinds are not.
  const change = context.deployments.patch('replicated', { spec: { replicas: 1 } });
  expect((await refusal(change)).message).toContain(message);
  const replicaSets = context.resource<ReplicaSet>('apps/v1', 'replicasets');
  expect((await replicaSets.create(workload('non-replicated', 1))).spec?.replicas).toBe(1);
}

const policyApi = <T extends KubeObject & { spec?: { failurePolicy?: string } }>(
  plural: string,
  kind: string,
  spec: T['spec'],
): ApiUnderTest<T> => ({
  groupVersion: GROUP_VERSION,
  plural,
  kind,
  namespaced: false,
  make: () => ({ spec }) as Partial<T>,
  change: (object) => {
    expect(object.spec?.failurePolicy).toBe('Fail');
    object.spec!.failurePolicy = 'Ignore';
  },
});

const NOWHERE = {
  resourceRules: [{ ...DEPLOYMENTS, operations: ['CREATE'], apiGroups: ['nobody.example.com'] }],
};

area('sig-api-machinery', 'ValidatingAdmissionPolicy [Privileged:ClusterAdmin]', (spec) => {
  spec('should validate against a Deployment', async (context) => {
    const name = await enactValidation(context, {
      validations: [
        {
          expression: 'object.spec.replicas > 1',
          messageExpression: "'wants replicas > 1, got ' + string(object.spec.replicas)",
        },
      ],
    });
    await checkReplicas(context, name, 'wants replicas > 1, got 1');
  });

  spec('should allow expressions to refer variables.', async (context) => {
    const name = await enactValidation(context, {
      variables: [
        { name: 'replicas', expression: 'object.spec.replicas' },
        { name: 'oddReplicas', expression: 'variables.replicas % 2 == 1' },
      ],
      validations: [
        { expression: 'variables.replicas > 1' },
        {
          expression: '!variables.oddReplicas',
          messageExpression: "string(variables.replicas) + ' replicas are odd'",
        },
      ],
    });
    await checkReplicas(context, name, 'failed expression: variables.replicas > 1');
    const odd = await refusal(context.deployments.create(workload('odd', 3)));
    expect(odd.message).toContain('denied request: 3 replicas are odd');
  });

  spec('should support ValidatingAdmissionPolicy API operations', async (context) => {
    await checkApiOperations<ValidatingAdmissionPolicy>(context, {
      ...policyApi<ValidatingAdmissionPolicy>('validatingadmissionpolicies', 'ValidatingAdmissionPolicy', {
        matchConstraints: NOWHERE,
        validations: [{ expression: 'object.spec.replicas <= 100' }],
      }),
      statusLeavesMetadata: true,
      statuses: [
        { observedGeneration: 1000 },
        (policy) => {
          const condition = { type: 'Updated', status: 'True', reason: 'E2E', message: 'Set by an e2e test' };
          policy.status = {
            ...policy.status,
            conditions: [{ ...condition, lastTransitionTime: '2026-01-01T00:00:00Z' }],
          };
        },
      ],
    });
  });

  spec('should support ValidatingAdmissionPolicyBinding API operations', async (context) => {
    await checkApiOperations<ValidatingAdmissionPolicyBinding>(context, {
      groupVersion: GROUP_VERSION,
      plural: 'validatingadmissionpolicybindings',
      kind: 'ValidatingAdmissionPolicyBinding',
      namespaced: false,
      make: () => ({ spec: { policyName: 'no-such-policy', validationActions: ['Deny'] } }),
      change: ({ spec }) => {
        spec!.validationActions = ['Warn', 'Audit'];
      },
    });
  });
});

const annotate = (key: string, value: string): NonNullable<MutatingAdmissionPolicy['spec']> => ({
  reinvocationPolicy: 'Never',
  mutations: [
    {
      patchType: 'ApplyConfiguration',
      applyConfiguration: {
        expression: `Object{
          metadata: Object.metadata{
            annotations: { ${JSON.stringify(key)}: ${JSON.stringify(value)} }
          }
        }`,
      },
    },
  ],
});

async function firstMutated(
  context: SpecContext,
  annotations: Record<string, string>,
  key: string,
): Promise<Deployment> {
  const { metadata, spec } = workload('mutated', 2);
  const object = { metadata: { ...metadata, annotations }, spec };
  await context.until('the policy to be in force', async () => {
    const { metadata } = await context.deployments.create(object, { dryRun: 'All' });
    return metadata.annotations?.[key] !== undefined;
  });
  return await context.deployments.create(object);
}

area('sig-api-machinery', 'MutatingAdmissionPolicy [Privileged:ClusterAdmin]', (spec) => {
  spec('should mutate a Deployment', async (context) => {
    await enact<MutatingAdmissionPolicy>(context, 'mutatingadmissionpolic', {
      reinvocationPolicy: 'Never',
      mutations: [
        {
          patchType: 'JSONPatch',
          jsonPatch: {
            expression: `[
              JSONPatch{op: "test", path: "/spec/replicas", value: 2},
              JSONPatch{op: "replace", path: "/spec/replicas", value: object.spec.replicas + 1},
              JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("example.com/by"), value: "policy"}
            ]`,
          },
        },
        ...annotate('mutated-by', 'admission-policy').mutations!,
      ],
    });
    const made = await firstMutated(context, {}, 'mutated-by');
    expect(made.spec?.replicas).toBe(3);
    expect(made.metadata.labels).toEqual({ app: 'nginx', 'example.com/by': 'policy' });
    expect(made.metadata.annotations).toMatchObject({ 'mutated-by': 'admission-policy' });
    expect(await context.deployments.get('mutated')).toMatchObject({ spec: { replicas: 3 } });
    const replicaSets = context.resource<ReplicaSet>('apps/v1', 'replicasets');
    const other = await replicaSets.create(workload('not-mutated', 2));
    expect(other.metadata.annotations?.['mutated-by']).toBeUndefined();
  });

  spec('should mutate a Deployment with annotations', async (context) => {
    const mutation = annotate('my-foo-annotation', 'myAnnotationValue');
    await enact<MutatingAdmissionPolicy>(context, 'mutatingadmissionpolic', mutation);
    const made = await firstMutated(context, { kept: 'yes' }, 'my-foo-annotation');
    expect(made.metadata.annotations).toMatchObject({
      kept: 'yes',
      'my-foo-annotation': 'myAnnotationValue',
    });
  });

  spec('should support MutatingAdmissionPolicy API operations', async (context) => {
    await checkApiOperations<MutatingAdmissionPolicy>(
      context,
      policyApi<MutatingAdmissionPolicy>('mutatingadmissionpolicies', 'MutatingAdmissionPolicy', {
        ...annotate('a', 'b'),
        matchConstraints: NOWHERE,
      }),
    );
  });

  spec('should support MutatingAdmissionPolicyBinding API operations', async (context) => {
    await checkApiOperations<MutatingAdmissionPolicyBinding>(context, {
      groupVersion: GROUP_VERSION,
      plural: 'mutatingadmissionpolicybindings',
      kind: 'MutatingAdmissionPolicyBinding',
      namespaced: false,
      make: () => ({ spec: { policyName: 'no-such-policy' } }),
      change: ({ spec }) => {
        spec!.matchResources = { objectSelector: { matchLabels: { a: 'b' } } };
      },
    });
  });
});
