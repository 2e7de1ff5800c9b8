import { equalJson } from '../../api/json-value.ts';
import { pods } from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { Node, Pod } from '../../api/types.gen.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './port.ts';
import { refuse } from './refuse.ts';

const USER_PREFIX = 'system:node:';
const NODES_GROUP = 'system:nodes';
const LEASE_NAMESPACE = 'kube-node-lease';

/** The labels that a node may set on itself within Kubernetes' own domains. */
const OWN_LABELS: ReadonlySet<string> = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
]);

/** An agent's credential changes its own node, the pods on it and its own lease, nothing else. */
export function nodeRestriction(): AdmissionPlugin {
  return {
    name: 'NodeRestriction',
    handles: ({ user }) => user.groups.includes(NODES_GROUP) && user.name.startsWith(USER_PREFIX),
    async mutate(attributes) {
      const node = attributes.user.name.slice(USER_PREFIX.length);
      const { group, resource } = attributes.resource;
      if (group === '' && resource === 'nodes') checkNode(attributes, node);
      else if (group === '' && resource === 'pods') await checkPod(attributes, node);
      else if (group === '' && resource === 'serviceaccounts') await checkToken(attributes, node);
      else if (group === 'coordination.k8s.io' && resource === 'leases') checkLease(attributes, node);
      else if (group === 'storage.k8s.io' && resource === 'csinodes')
        checkOwnName(attributes, node, 'CSINode');
    },
  };
}

function checkNode(attributes: AdmissionAttributes, self: string): void {
  const { operation, name, object, oldObject } = attributes;
  const named = name || (object?.metadata.name ?? '');
  if (named !== self) {
    throw refuse(
      attributes,
      `node ${JSON.stringify(self)} is not allowed to modify node ${JSON.stringify(named)}`,
    );
  }
  if (operation === 'DELETE')
    throw refuse(attributes, `node ${JSON.stringify(self)} is not allowed to delete itself`);
  const labels = object?.metadata.labels ?? {};
  const before = oldObject?.metadata.labels ?? {};
  const changed = [...new Set([...Object.keys(labels), ...Object.keys(before)])].filter(
    (key) => labels[key] !== before[key],
  );
  const forbidden = changed.filter(isReserved).sort();
  if (forbidden.length > 0) {
    const verb = operation === 'CREATE' ? 'set' : 'modify';
    throw refuse(attributes, `is not allowed to ${verb} the following labels: ${forbidden.join(', ')}`);
  }
  if (operation !== 'UPDATE') return;
  const [taints, old] = [(object as Node).spec?.taints ?? [], (oldObject as Node).spec?.taints ?? []];
  if (!equalJson(taints, old))
    throw refuse(attributes, `node ${JSON.stringify(self)} is not allowed to modify taints`);
}

/** Labels in Kubernetes' domains belong to the cluster, so that no node can attract pods by lying. */
function isReserved(key: string): boolean {
  if (OWN_LABELS.has(key)) return false;
  const domain = key.includes('/') ? (key.split('/')[0] ?? '') : '';
  const within = (parent: string): boolean => domain === parent || domain.endsWith(`.${parent}`);
  if (within('node-restriction.kubernetes.io')) return true;
  if (within('kubelet.kubernetes.io') || within('node.kubernetes.io')) return false;
  return within('kubernetes.io') || within('k8s.io');
}

async function checkPod(attributes: AdmissionAttributes, self: string): Promise<void> {
  const { operation, subresource, object, oldObject } = attributes;
  if (operation === 'CONNECT') return;
  if (operation === 'CREATE' && subresource === '') {
    checkMirror(attributes, object as Pod, self);
    return;
  }
  if (subresource === 'status' || operation === 'DELETE') {
    const on = (oldObject as Pod | undefined)?.spec?.nodeName;
    if (on === self) return;
    const doing = operation === 'DELETE' ? 'delete pods' : 'update pod status for pods';
    throw refuse(
      attributes,
      `node ${JSON.stringify(self)} can only ${doing} with spec.nodeName set to itself`,
    );
  }
  if (subresource === 'eviction') {
    const pod = await attributes.client.get(pods, { name: attributes.name, namespace: attributes.namespace });
    if (pod.spec?.nodeName === self) return;
    throw refuse(attributes, `node ${self} can only evict pods with spec.nodeName set to itself`);
  }
  throw refuse(
    attributes,
    `unexpected operation ${JSON.stringify(operation)}, node ${JSON.stringify(self)} can only create mirror pods, update the status of its pods and delete them`,
  );
}

function checkMirror(attributes: AdmissionAttributes, pod: Pod, self: string): void {
  if (pod.metadata.annotations?.['kubernetes.io/config.mirror'] === undefined) {
    throw refuse(
      attributes,
      'pod does not have "kubernetes.io/config.mirror" annotation, node can only create mirror pods',
    );
  }
  if (pod.spec?.nodeName !== self) {
    throw refuse(
      attributes,
      `node ${JSON.stringify(self)} can only create pods with spec.nodeName set to itself`,
    );
  }
}

/** Tokens only for pods that run on this node. */
async function checkToken(attributes: AdmissionAttributes, self: string): Promise<void> {
  if (attributes.subresource !== 'token') return;
  const request = attributes.object as {
    spec?: { boundObjectRef?: { kind?: string; name?: string; uid?: string } };
  };
  const bound = request?.spec?.boundObjectRef;
  if (bound?.kind !== 'Pod' || !bound.name)
    throw refuse(attributes, 'node requested token not bound to a pod');
  if (!bound.uid) throw refuse(attributes, 'node requested token with a pod binding without a uid');
  let pod: Pod;
  try {
    pod = await attributes.client.get(pods, { name: bound.name, namespace: attributes.namespace });
  } catch (error) {
    if (isNotFound(error)) throw refuse(attributes, `pod ${bound.name} not found`);
    throw error;
  }
  if (pod.metadata.uid !== bound.uid) {
    throw refuse(
      attributes,
      `the UID in the bound object reference (${bound.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  if (pod.spec?.nodeName !== self)
    throw refuse(attributes, 'node requested token bound to a pod scheduled on a different node');
}

function checkLease(attributes: AdmissionAttributes, self: string): void {
  if (attributes.namespace !== LEASE_NAMESPACE) {
    throw refuse(
      attributes,
      `can only access leases in the ${JSON.stringify(LEASE_NAMESPACE)} system namespace`,
    );
  }
  checkOwnName(attributes, self, 'node lease');
}

function checkOwnName(attributes: AdmissionAttributes, self: string, what: string): void {
  const named = attributes.name || (attributes.object?.metadata.name ?? '');
  if (named !== self)
    throw refuse(attributes, `can only access ${what} with the same name as the requesting node`);
}
