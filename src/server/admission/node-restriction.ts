import { equalJson } from '../../api/json-value.ts';
import type { KubeObject } from '../../api/resource.ts';
import { nodes } from '../../api/resources.gen.ts';
import type { Node, OwnerReference, Pod, PodCertificateRequest, TokenRequest } from '../../api/types.gen.ts';
import { nodeNameOf } from '../authz/node-authorizer.ts';
import type { NodeGraph } from '../authz/node-graph.ts';
import { podReferences } from '../authz/pod-references.ts';
import { isAllowedNodeLabel } from './node-labels.ts';
import type { AdmissionAttributes, AdmissionPlugin, AdmissionPluginFactory } from './port.ts';
import { createsPod, refuse } from './refuse.ts';

const MIRROR = 'kubernetes.io/config.mirror';
const GOVERNED: ReadonlySet<string> = new Set([
  'pods',
  'nodes',
  'serviceaccounts',
  'leases.coordination.k8s.io',
  'csinodes.storage.k8s.io',
  'podcertificaterequests.certificates.k8s.io',
]);

/**
 * What a node may write, as far as only the content tells: its own Node without labels and taints that decide what
 * may run on it, mirror pods of its own, tokens for its own pods (upstream's NodeRestriction).
 */
export const nodeRestriction: AdmissionPluginFactory = ({ nodeGraph }): AdmissionPlugin => ({
  name: 'NodeRestriction',
  concerns: ({ resource }) => GOVERNED.has(keyOf(resource)),
  handles: ({ user }) => nodeNameOf(user) !== undefined,
  validate(attributes) {
    const node = nodeNameOf(attributes.user);
    const why = node === undefined ? undefined : refusal(node, attributes, nodeGraph);
    if (why !== undefined) throw refuse(attributes, why);
    return node !== undefined && createsPod(attributes) ? checkOwner(node, attributes) : undefined;
  },
});

/** The owner of a mirror pod is the Node as it is now, not one of the same name before. */
async function checkOwner(node: string, attributes: AdmissionAttributes): Promise<void> {
  const [owner] = attributes.object?.metadata.ownerReferences ?? [];
  const { metadata } = await attributes.client.get(nodes, { name: node });
  if (owner?.uid !== metadata.uid)
    throw refuse(attributes, `node ${node} UID mismatch: expected ${metadata.uid} got ${owner?.uid}`);
}

const keyOf = (resource: { group: string; resource: string }): string =>
  resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`;

function refusal(node: string, attributes: AdmissionAttributes, graph: NodeGraph): string | undefined {
  const { resource, operation, object } = attributes;
  const name = object?.metadata.name ?? attributes.name;
  switch (keyOf(resource)) {
    case 'pods':
      return podRefusal(node, attributes);
    case 'nodes':
      return nodeRefusal(node, attributes);
    case 'serviceaccounts':
      return attributes.subresource === 'token' ? tokenRefusal(node, attributes, graph) : undefined;
    case 'leases.coordination.k8s.io':
      return operation === 'CREATE' && name !== node
        ? 'can only access node lease with the same name as the requesting node'
        : undefined;
    case 'podcertificaterequests.certificates.k8s.io':
      return podCertificateRefusal(node, attributes, graph);
    default:
      return name === node ? undefined : 'can only access CSINode with the same name as the requesting node';
  }
}

function podRefusal(
  node: string,
  { operation, subresource, object, oldObject }: AdmissionAttributes,
): string | undefined {
  const quoted = JSON.stringify(node);
  const boundTo = (oldObject as Pod | undefined)?.spec?.nodeName;
  if (operation === 'CREATE' && subresource === '') return mirrorRefusal(node, object as Pod);
  if (operation === 'DELETE')
    return boundTo === node
      ? undefined
      : `node ${quoted} can only delete pods with spec.nodeName set to itself`;
  if (operation !== 'UPDATE') return undefined;
  if (subresource !== 'status')
    return `unexpected pod subresource ${JSON.stringify(subresource)}, only 'status' and 'eviction' are allowed`;
  if (boundTo !== node)
    return `node ${quoted} can only update pod status for pods with spec.nodeName set to itself`;
  if (!equalJson(object?.metadata.labels ?? {}, oldObject?.metadata.labels ?? {}))
    return `node ${quoted} cannot update labels through pod status`;
  return undefined;
}

/** A mirror pod shows what runs anyway. It must not reach for anything of the cluster. */
function mirrorRefusal(node: string, pod: Pod): string | undefined {
  const quoted = JSON.stringify(node);
  const { annotations = {}, ownerReferences = [], ...metadata } = pod.metadata;
  if (annotations[MIRROR] === undefined)
    return `pod does not have ${JSON.stringify(MIRROR)} annotation, node ${quoted} can only create mirror pods`;
  if (pod.spec?.nodeName !== node)
    return `node ${quoted} can only create pods with spec.nodeName set to itself`;
  const owner = ownerRefusal(node, ownerReferences);
  if (owner !== undefined) return owner;
  // What it would name, were it an ordinary pod.
  const named = [...podReferences({ ...pod, metadata })].map((reference) => reference.split('/')[0]);
  if (named.includes('serviceaccounts'))
    return `node ${quoted} can not create pods that reference a service account`;
  return named.length > 0 ? `node ${quoted} can not create pods that reference ${named[0]}` : undefined;
}

/** Without its Node, a mirror pod would stay for ever. */
function ownerRefusal(node: string, owners: readonly OwnerReference[]): string | undefined {
  const only = `node ${JSON.stringify(node)} can only create pods with`;
  const [owner] = owners;
  if (owners.length > 1) return `${only} a single owner reference set to itself`;
  if (owner?.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node)
    return `${only} an owner reference set to itself`;
  if (owner.controller !== true) return `${only} a controller owner reference set to itself`;
  return owner.blockOwnerDeletion === true
    ? `node ${JSON.stringify(node)} must not set blockOwnerDeletion on an owner reference`
    : undefined;
}

function nodeRefusal(
  node: string,
  { operation, object, oldObject, name }: AdmissionAttributes,
): string | undefined {
  const quoted = JSON.stringify(node);
  const target = object?.metadata.name ?? name;
  if (target !== node) return `node ${quoted} is not allowed to modify node ${JSON.stringify(target)}`;
  if (operation === 'DELETE' || object === undefined) return undefined;
  const labels = refusedLabels(object, oldObject);
  if (labels.length > 0)
    return oldObject
      ? `is not allowed to modify labels: ${labels.join(', ')}`
      : `node ${quoted} is not allowed to set the following labels: ${labels.join(', ')}`;
  if (oldObject === undefined) return undefined;
  if (!equalJson((object as Node).spec?.taints ?? [], (oldObject as Node).spec?.taints ?? []))
    return `node ${quoted} is not allowed to modify taints`;
  if (!equalJson(object.metadata.ownerReferences ?? [], oldObject.metadata.ownerReferences ?? []))
    return `node ${quoted} is not allowed to modify ownerReferences`;
  return undefined;
}

function refusedLabels(object: KubeObject, oldObject: KubeObject | undefined): string[] {
  const now = object.metadata.labels ?? {};
  const before = oldObject?.metadata.labels ?? {};
  return [...new Set([...Object.keys(now), ...Object.keys(before)])]
    .filter((label) => now[label] !== before[label] && !isAllowedNodeLabel(label))
    .sort();
}

function tokenRefusal(
  node: string,
  { object, namespace }: AdmissionAttributes,
  graph: NodeGraph,
): string | undefined {
  const ref = (object as TokenRequest | undefined)?.spec?.boundObjectRef;
  if (ref?.kind !== 'Pod' || ref.apiVersion !== 'v1' || !ref.name)
    return 'node requested token not bound to a pod';
  if (!ref.uid) return 'node requested token with a pod binding without a uid';
  return graph.nodeOf(namespace, ref.name) === node
    ? undefined
    : 'node requested token bound to a pod scheduled on a different node';
}

/** Upstream compares more of the request with the pod; the signer is told the pod's UID and looks itself. */
function podCertificateRefusal(
  node: string,
  { operation, object, namespace }: AdmissionAttributes,
  graph: NodeGraph,
): string | undefined {
  if (operation !== 'CREATE') return 'nodes can only create PodCertificateRequests';
  const { nodeName, podName = '', serviceAccountName = '' } = (object as PodCertificateRequest).spec;
  if (nodeName !== node)
    return `PodCertificateRequest.Spec.NodeName=${JSON.stringify(nodeName ?? '')}, which is not the requesting node ${JSON.stringify(node)}`;
  if (graph.nodeOf(namespace, podName) !== node)
    return `pod ${JSON.stringify(`${namespace}/${podName}`)} is not scheduled on node ${JSON.stringify(node)}`;
  return graph.uses(node, 'serviceaccounts', namespace, serviceAccountName)
    ? undefined
    : `service account ${JSON.stringify(serviceAccountName)} is used by no pod on node ${JSON.stringify(node)}`;
}
