import type { KubeObject } from '../../api/resource.ts';
import { issueCertificate } from '../../lib/pki/certificate.ts';
import { createCertificateRequest } from '../../lib/pki/certificate-request.ts';
import { generateKeyPem, publicKeyOf } from '../../lib/pki/key.ts';

const key = generateKeyPem();
const authority = issueCertificate({
  subject: { commonName: 'an authority' },
  publicKey: publicKeyOf(key),
  selfSigningKeyPem: key,
  use: 'ca',
  notBeforeMs: 0,
  notAfterMs: Date.parse('2040-01-01T00:00:00Z'),
});
const stubRequest = createCertificateRequest({ subject: { commonName: '' }, keyPem: key }).replace(
  /-----[^-]*-----|\s/g,
  '',
);
const labels = { app: 'a' };
const podSpec = { containers: [{ name: 'main', image: 'busybox' }] };
const template = { metadata: { labels }, spec: podSpec };
const selector = { matchLabels: labels };
const clusterRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
const everything = { apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*'] };
const webhook = {
  name: 'check.example.com',
  admissionReviewVersions: ['v1'],
  sideEffects: 'None',
  clientConfig: { service: { name: 'hook', namespace: 'default' } },
  rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
};

/** The least that a user may write of each stored kind, by resource. */
export const MINIMAL: Readonly<Record<string, Omit<KubeObject, 'metadata'> & Record<string, unknown>>> = {
  configmaps: { data: { a: '1' } },
  endpoints: { subsets: [{ addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] }] },
  events: {
    involvedObject: { kind: 'Pod', name: 'web', namespace: 'default' },
    reason: 'Started',
    type: 'Normal',
  },
  limitranges: { spec: { limits: [{ type: 'Container', max: { cpu: '1' } }] } },
  namespaces: {},
  nodes: {},
  persistentvolumes: {
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/data' } },
  },
  persistentvolumeclaims: {
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  },
  pods: { spec: podSpec },
  podtemplates: { template },
  replicationcontrollers: { spec: { template } },
  resourcequotas: { spec: { hard: { pods: '10' } } },
  secrets: { stringData: { password: 'secret' } },
  services: { spec: { ports: [{ port: 80 }] } },
  serviceaccounts: {},
  'mutatingadmissionpolicies.admissionregistration.k8s.io': {
    spec: {
      matchConstraints: { resourceRules: [everything] },
      mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{}' } }],
      reinvocationPolicy: 'Never',
    },
  },
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': { spec: { policyName: 'p' } },
  'validatingadmissionpolicies.admissionregistration.k8s.io': {
    spec: { matchConstraints: { resourceRules: [everything] }, validations: [{ expression: 'true' }] },
  },
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': {
    spec: { policyName: 'p', validationActions: ['Deny'] },
  },
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': { webhooks: [webhook] },
  'validatingwebhookconfigurations.admissionregistration.k8s.io': { webhooks: [webhook] },
  'apiservices.apiregistration.k8s.io': {
    spec: { group: 'example.com', version: 'v1', groupPriorityMinimum: 100, versionPriority: 10 },
  },
  'controllerrevisions.apps': { revision: 1, data: { a: 1 } },
  'daemonsets.apps': { spec: { selector, template } },
  'deployments.apps': { spec: { selector, template } },
  'replicasets.apps': { spec: { selector, template } },
  'statefulsets.apps': { spec: { selector, template, serviceName: 'web' } },
  'horizontalpodautoscalers.autoscaling': {
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 3 },
  },
  'cronjobs.batch': {
    spec: {
      schedule: '*/5 * * * *',
      jobTemplate: { spec: { template: { spec: { ...podSpec, restartPolicy: 'Never' } } } },
    },
  },
  'jobs.batch': { spec: { template: { spec: { ...podSpec, restartPolicy: 'Never' } } } },
  'certificatesigningrequests.certificates.k8s.io': {
    spec: {
      request: Buffer.from(
        '-----BEGIN CERTIFICATE REQUEST-----\nMA==\n-----END CERTIFICATE REQUEST-----\n',
      ).toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client',
      usages: ['client auth'],
    },
  },
  'clustertrustbundles.certificates.k8s.io': { spec: { trustBundle: authority } },
  'podcertificaterequests.certificates.k8s.io': {
    spec: {
      signerName: 'example.com/pods',
      podName: 'web',
      podUID: 'p1',
      serviceAccountName: 'default',
      serviceAccountUID: 's1',
      nodeName: 'pi',
      nodeUID: 'n1',
      stubPKCS10Request: stubRequest,
    },
  },
  'leases.coordination.k8s.io': { spec: { holderIdentity: 'me' } },
  'endpointslices.discovery.k8s.io': {
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.1'] }],
    ports: [{ port: 80 }],
  },
  'flowschemas.flowcontrol.apiserver.k8s.io': {
    spec: { priorityLevelConfiguration: { name: 'global-default' } },
  },
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': {
    spec: { type: 'Limited', limited: { limitResponse: { type: 'Queue', queuing: {} } } },
  },
  'ingresses.networking.k8s.io': {
    spec: { defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
  },
  'ingressclasses.networking.k8s.io': { spec: { controller: 'example.com/ingress' } },
  'ipaddresses.networking.k8s.io': {
    spec: { parentRef: { resource: 'services', namespace: 'default', name: 'web' } },
  },
  'networkpolicies.networking.k8s.io': { spec: { podSelector: {} } },
  'servicecidrs.networking.k8s.io': { spec: { cidrs: ['10.43.0.0/16'] } },
  'runtimeclasses.node.k8s.io': { handler: 'runc' },
  'poddisruptionbudgets.policy': { spec: { minAvailable: 1, selector } },
  'clusterroles.rbac.authorization.k8s.io': {
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
  },
  'clusterrolebindings.rbac.authorization.k8s.io': {
    roleRef: clusterRef,
    subjects: [{ kind: 'User', name: 'jane' }],
  },
  'roles.rbac.authorization.k8s.io': { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
  'rolebindings.rbac.authorization.k8s.io': {
    roleRef: clusterRef,
    subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: 'default' }],
  },
  'customresourcedefinitions.apiextensions.k8s.io': {
    spec: {
      group: 'minimal.example.com',
      names: { plural: 'widgets', kind: 'Widget' },
      scope: 'Namespaced',
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } },
      ],
    },
  },
  'deviceclasses.resource.k8s.io': { spec: {} },
  'devicetaintrules.resource.k8s.io': {
    spec: {
      deviceSelector: { driver: 'd.example.com' },
      taint: { key: 'example.com/broken', effect: 'NoExecute' },
    },
  },
  'storageversionmigrations.storagemigration.k8s.io': { spec: { resource: { resource: 'secrets' } } },
  'resourceclaims.resource.k8s.io': {
    spec: { devices: { requests: [{ name: 'gpu', exactly: { deviceClassName: 'gpu' } }] } },
  },
  'resourceclaimtemplates.resource.k8s.io': {
    spec: { spec: { devices: { requests: [{ name: 'gpu', exactly: { deviceClassName: 'gpu' } }] } } },
  },
  'resourceslices.resource.k8s.io': {
    spec: {
      driver: 'd.example.com',
      nodeName: 'n',
      pool: { name: 'p', generation: 1, resourceSliceCount: 1 },
    },
  },
  'priorityclasses.scheduling.k8s.io': { value: 1000 },
  'csidrivers.storage.k8s.io': { spec: {} },
  'csinodes.storage.k8s.io': { spec: { drivers: [] } },
  'csistoragecapacities.storage.k8s.io': { storageClassName: 'fast' },
  'storageclasses.storage.k8s.io': { provisioner: 'example.com/disk' },
  'volumeattachments.storage.k8s.io': {
    spec: { attacher: 'd.example.com', nodeName: 'n', source: { persistentVolumeName: 'pv' } },
  },
  'volumeattributesclasses.storage.k8s.io': { driverName: 'd.example.com', parameters: { iops: '100' } },
};

/** Names that must have a form of their own. */
export const NAMES: Readonly<Record<string, string>> = {
  'apiservices.apiregistration.k8s.io': 'v1.example.com',
  'customresourcedefinitions.apiextensions.k8s.io': 'widgets.minimal.example.com',
  'ipaddresses.networking.k8s.io': '10.43.0.9',
};
