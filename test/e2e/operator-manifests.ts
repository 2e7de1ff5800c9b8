import type { CustomResourceDefinitionVersion } from '../../src/api/types.gen.ts';
import { GROUP, PLURAL, REGISTRY } from '../fixtures/operator/website.ts';

export const OPERATOR = 'website-operator';
export const DEFINITION = `${PLURAL}.${GROUP}`;

/** What it takes for an operator to run: an account with the rights it needs, and a Service for its webhooks. */
export const INSTALLATION: readonly object[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: REGISTRY } },
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: OPERATOR, namespace: REGISTRY } },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: OPERATOR },
    rules: [
      { apiGroups: [GROUP], resources: [PLURAL], verbs: ['get', 'list', 'watch', 'update'] },
      { apiGroups: [GROUP], resources: [`${PLURAL}/status`, `${PLURAL}/finalizers`], verbs: ['update'] },
      {
        apiGroups: ['apps'],
        resources: ['deployments'],
        verbs: ['get', 'list', 'watch', 'create', 'patch'],
      },
    ],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: OPERATOR, namespace: REGISTRY },
    rules: [
      { apiGroups: [''], resources: ['configmaps'], verbs: ['create', 'patch', 'delete'] },
      { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update'] },
    ],
  },
  ...['ClusterRole', 'Role'].map((kind) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: `${kind}Binding`,
    metadata: { name: OPERATOR, ...(kind === 'Role' ? { namespace: REGISTRY } : {}) },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: OPERATOR },
    subjects: [{ kind: 'ServiceAccount', name: OPERATOR, namespace: REGISTRY }],
  })),
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: OPERATOR, namespace: REGISTRY },
    spec: { ports: [{ name: 'webhooks', port: 443 }] },
  },
];

/** Where one replica's webhooks are; goes with it. */
export const endpoints = (replica: string, address: string, port: number): object => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: replica, namespace: REGISTRY, labels: { 'kubernetes.io/service-name': OPERATOR } },
  addressType: 'IPv4',
  endpoints: [{ addresses: [address], conditions: { ready: true } }],
  ports: [{ name: 'webhooks', port }],
});

const STATUS = {
  type: 'object',
  properties: {
    observedGeneration: { type: 'integer', format: 'int64' },
    results: { type: 'integer' },
    by: { type: 'string' },
    replicas: { type: 'integer' },
    selector: { type: 'string' },
    conditions: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
      items: {
        type: 'object',
        required: ['type', 'status', 'reason', 'lastTransitionTime'],
        properties: {
          type: { type: 'string' },
          status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
          reason: { type: 'string' },
          message: { type: 'string' },
          observedGeneration: { type: 'integer', format: 'int64' },
          lastTransitionTime: { type: 'string', format: 'date-time' },
        },
      },
    },
  },
};

const COUNT = { type: 'integer', minimum: 0, default: 1, description: 'How many pods serve the website.' };

const version = (
  name: string,
  replicas: string,
  image: string,
  spec: object,
): CustomResourceDefinitionVersion => ({
  name,
  served: true,
  storage: true,
  schema: {
    openAPIV3Schema: {
      type: 'object',
      description: 'Website is a site that the shop serves.',
      required: ['spec'],
      properties: { spec, status: STATUS },
    } as never,
  },
  subresources: {
    status: {},
    scale: {
      specReplicasPath: `.spec.${replicas}`,
      statusReplicasPath: '.status.replicas',
      labelSelectorPath: '.status.selector',
    },
  },
  additionalPrinterColumns: [
    { name: 'Image', type: 'string', jsonPath: image },
    { name: 'Replicas', type: 'integer', jsonPath: `.spec.${replicas}` },
    { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
  ],
});

export const V1 = version('v1', 'size', '.spec.image', {
  type: 'object',
  required: ['image'],
  properties: { image: { type: 'string' }, size: COUNT },
});
export const V2 = version('v2', 'replicas', '.spec.image.repository', {
  type: 'object',
  required: ['image'],
  properties: {
    image: {
      type: 'object',
      required: ['repository'],
      properties: {
        repository: { type: 'string', description: 'Where the image is, without its tag.' },
        tag: { type: 'string' },
      },
    },
    replicas: COUNT,
  },
  'x-kubernetes-validations': [{ rule: 'self.replicas <= 9', message: 'a website has at most 9 replicas' }],
});

export const definition = (
  versions: readonly CustomResourceDefinitionVersion[],
  conversion: object,
): object => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: DEFINITION },
  spec: {
    group: GROUP,
    scope: 'Namespaced',
    names: {
      plural: PLURAL,
      singular: 'website',
      kind: 'Website',
      shortNames: ['site'],
      categories: ['all'],
    },
    versions,
    conversion,
  },
});

const client = (caBundle: string, path: string): object => ({
  service: { namespace: REGISTRY, name: OPERATOR, path },
  caBundle,
});
export const conversion = (caBundle: string): object => ({
  strategy: 'Webhook',
  webhook: { clientConfig: client(caBundle, '/convert'), conversionReviewVersions: ['v1'] },
});

/** They ask for v2 only: what is written as v1 is converted for them. */
export const webhooks = (caBundle: string): readonly object[] =>
  (['Mutating', 'Validating'] as const).map((kind) => ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: `${kind}WebhookConfiguration`,
    metadata: { name: OPERATOR },
    webhooks: [
      {
        name: `${kind.toLowerCase()}.${GROUP}`,
        clientConfig: client(caBundle, kind === 'Mutating' ? '/mutate' : '/validate'),
        rules: [
          { apiGroups: [GROUP], apiVersions: ['v2'], resources: [PLURAL], operations: ['CREATE', 'UPDATE'] },
        ],
        matchPolicy: 'Equivalent',
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
    ],
  }));
