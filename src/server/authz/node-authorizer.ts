import type { NodeGraph, ReferencedResource } from './node-graph.ts';
import { nodeRules } from './node-rules.ts';
import type { Attributes, Decision } from './port.ts';
import { ruleAllows } from './rules.ts';
import type { VetoingAuthorizer } from './union-authorizer.ts';

export interface NodeAuthorizerOptions {
  readonly graph: NodeGraph;
  /** The volume a claim is bound to. */
  readonly volumeOf: (namespace: string, claim: string) => string | undefined;
}

type ResourceAttributes = Extract<Attributes, { readonly resource: string }>;

const NODE_USER = 'system:node:';
const NODES = 'system:nodes';
const READS: ReadonlySet<string> = new Set(['get', 'list', 'watch']);

/** The node a user is; `undefined` for anybody else. */
export function nodeNameOf(user: {
  readonly name: string;
  readonly groups: readonly string[];
}): string | undefined {
  if (!user.name.startsWith(NODE_USER) || !user.groups.includes(NODES)) return undefined;
  const name = user.name.slice(NODE_USER.length);
  return name === '' ? undefined : name;
}

/**
 * What a node's own credential opens: its Node, its lease, its pods, and the secrets, config maps and volumes those
 * pods use (upstream's Node authorizer, KEP-279). It has no opinion about anybody else. Unlike upstream's, it lets an
 * agent watch the claims and volumes that it may get, refuses what no agent of ours does, and decides about writes to
 * nodes and pods by name before admission looks at their content.
 */
export function createNodeAuthorizer({ graph, volumeOf }: NodeAuthorizerOptions): VetoingAuthorizer {
  const rules = nodeRules();
  return {
    authorize(attributes) {
      const node = nodeNameOf(attributes.user);
      if (node === undefined) return NO_OPINION;
      if ('path' in attributes) return NO_OPINION;
      return decide(node, attributes, graph, volumeOf) ?? byRules(attributes);
    },
    rulesFor: () => ({ resource: [], nonResource: [] }),
  };

  function byRules(attributes: Attributes): Decision {
    return rules.some((rule) => ruleAllows(rule, attributes)) ? ALLOWED : NO_OPINION;
  }
}

const ALLOWED: Decision = { allowed: true, reason: '' };
const NO_OPINION: Decision = { allowed: false, reason: '' };
const no = (reason: string): Decision => ({ allowed: false, reason });

/** `undefined`: the general rules for nodes decide. */
function decide(
  node: string,
  attributes: ResourceAttributes,
  graph: NodeGraph,
  volumeOf: NodeAuthorizerOptions['volumeOf'],
): Decision | undefined {
  const { group, resource, subresource, namespace, name, verb } = attributes;
  const key = group === '' ? resource : `${resource}.${group}`;
  switch (key) {
    case 'secrets':
    case 'configmaps':
      return readUsed(node, key, READS, attributes, graph);
    case 'persistentvolumeclaims':
      return subresource === 'status'
        ? updateUsedClaim(node, attributes, graph)
        : readUsed(node, key, READS, attributes, graph);
    case 'resourceclaims.resource.k8s.io':
      return readUsed(node, 'resourceclaims', new Set(['get']), attributes, graph);
    case 'persistentvolumes':
      return readUsedVolume(node, attributes, graph, volumeOf);
    case 'serviceaccounts':
      return createToken(node, attributes, graph);
    case 'leases.coordination.k8s.io':
      return ownLease(node, attributes);
    case 'csinodes.storage.k8s.io':
      return verb === 'create' || name === node
        ? undefined
        : no('can only access CSINode with the same name as the requesting node');
    case 'volumeattachments.storage.k8s.io':
    case 'resourceslices.resource.k8s.io':
      return no('agents attach no volumes and offer no devices');
    case 'nodes':
      return ownNode(node, attributes);
    case 'pods':
      return ownPod(node, verb, subresource, graph.nodeOf(namespace, name));
    default:
      return undefined;
  }
}

function readUsed(
  node: string,
  resource: ReferencedResource,
  verbs: ReadonlySet<string>,
  { verb, subresource, namespace, name }: ResourceAttributes,
  graph: NodeGraph,
): Decision {
  if (!verbs.has(verb)) return no('can only read resources of this type');
  if (subresource !== '') return no('cannot read subresource');
  if (namespace === '') return no('can only read namespaced object of this type');
  if (name === '') return no('No Object name found');
  return graph.uses(node, resource, namespace, name) ? ALLOWED : unrelated(node);
}

const unrelated = (node: string): Decision =>
  no(`no relationship found between node '${node}' and this object`);

function updateUsedClaim(
  node: string,
  { verb, namespace, name }: ResourceAttributes,
  graph: NodeGraph,
): Decision {
  if (verb !== 'update' && verb !== 'patch' && verb !== 'get')
    return no('can only get/update/patch this type');
  return graph.uses(node, 'persistentvolumeclaims', namespace, name) ? ALLOWED : unrelated(node);
}

function readUsedVolume(
  node: string,
  { verb, subresource, name }: ResourceAttributes,
  graph: NodeGraph,
  volumeOf: NodeAuthorizerOptions['volumeOf'],
): Decision {
  if (!READS.has(verb) || name === '') return no('can only read individual resources of this type');
  if (subresource !== '') return no('cannot get subresource');
  for (const claim of graph.claims(node)) {
    const [namespace = '', claimName = ''] = claim.split('/');
    if (volumeOf(namespace, claimName) === name) return ALLOWED;
  }
  return unrelated(node);
}

function createToken(
  node: string,
  { verb, subresource, namespace, name }: ResourceAttributes,
  graph: NodeGraph,
): Decision {
  if (verb === 'create' && subresource === 'token')
    return graph.uses(node, 'serviceaccounts', namespace, name) ? ALLOWED : unrelated(node);
  if (verb === 'get' && subresource === '')
    return graph.uses(node, 'serviceaccounts', namespace, name) ? ALLOWED : unrelated(node);
  return no('can only create tokens for individual service accounts');
}

function ownLease(node: string, { verb, namespace, name, subresource }: ResourceAttributes): Decision {
  if (subresource !== '') return no('cannot access lease subresources');
  if (!['get', 'create', 'update', 'patch', 'delete'].includes(verb))
    return no('can only get, create, update, patch, or delete a node lease');
  if (namespace !== 'kube-node-lease')
    return no('can only access leases in the "kube-node-lease" system namespace');
  // The name is not known before the body is read; the lease it may create is told by `holderIdentity` alone.
  if (verb !== 'create' && name !== node)
    return no('can only access node lease with the same name as the requesting node');
  return ALLOWED;
}

function ownNode(node: string, { verb, name, subresource }: ResourceAttributes): Decision | undefined {
  if (verb === 'create' || READS.has(verb)) return undefined;
  if (subresource !== '' && subresource !== 'status') return undefined;
  return name === node ? undefined : no(`node '${node}' cannot ${verb} node '${name}'`);
}

function ownPod(
  node: string,
  verb: string,
  subresource: string,
  boundTo: string | undefined,
): Decision | undefined {
  const isWrite = verb === 'delete' || verb === 'update' || verb === 'patch' || subresource === 'eviction';
  if (!isWrite) return undefined;
  return boundTo === node
    ? undefined
    : no(`node '${node}' can only change pods with spec.nodeName set to itself`);
}
