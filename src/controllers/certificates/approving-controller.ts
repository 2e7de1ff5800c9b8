import * as resources from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { CertificateSigningRequest, Node, SubjectAccessReview } from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
import { LIMITS } from '../../lib/limits.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import type { Controller } from '../port.ts';
import { hasCondition, requestOf, withCondition } from './conditions.ts';
import { checkKubeletClient, KUBELET_CLIENT, NODE_USER } from './signers.ts';

/** What an agent that asks for a name in use reads, and why its request was denied. */
export const NAME_TAKEN = 'NodeNameTaken';

export interface Recognized {
  readonly nodeName: string;
  /** The right that the requester needs, upstream's `create certificatesigningrequests/<this>`, best first. */
  readonly rights: readonly { readonly subresource: string; readonly message: string }[];
}

const SELF = {
  subresource: 'selfnodeclient',
  message: 'Auto approving self kubelet client certificate after SubjectAccessReview.',
};
const OTHER = {
  subresource: 'nodeclient',
  message: 'Auto approving kubelet client certificate after SubjectAccessReview.',
};

/** Whether a request is for the client certificate of a node, which is approved without a person. Pure. */
export function recognizeNodeClient(csr: CertificateSigningRequest): Recognized | undefined {
  if (csr.spec.signerName !== KUBELET_CLIENT) return undefined;
  const request = requestOf(csr);
  if (checkKubeletClient(request, csr.spec.usages ?? []) !== undefined) return undefined;
  const { commonName } = request.subject;
  const isSelf = csr.spec.username === commonName;
  return { nodeName: commonName.slice(NODE_USER.length), rights: isSelf ? [SELF, OTHER] : [OTHER] };
}

/**
 * Whether a board by this name may be at work. Told by the condition that the node lifecycle controller turns to Unknown
 * once it has not heard from it for `LIMITS.controllers.nodeSilenceMs` by its own watch: no clock of a board counts.
 */
function maybeAlive(node: Node | undefined): boolean {
  const ready = node?.status?.conditions?.find(({ type }) => type === 'Ready');
  return ready !== undefined && ready.status !== 'Unknown';
}

/**
 * Approves client certificates of nodes: renewals by the node itself, and first ones for whoever may have a node join.
 * While a board of that name may be at work the request waits: it is denied as soon as that board is heard of, and
 * granted once that board has been silent for too long, so that a board that was set up anew gets its own name back.
 */
export const approvingController: Controller = {
  name: 'certificatesigningrequest-approving-controller',
  start(context) {
    const { client, clock } = context;
    const log = context.log.child('csrapproving');
    const requests = context.informers.for(resources.certificateSigningRequests);
    /** When the board that has the name was last heard of, as its Lease said when the request was first looked at. */
    const lastHeard = new Map<string, string>();
    const settle = async (csr: CertificateSigningRequest, condition: Decision): Promise<undefined> => {
      const decided = withCondition(csr, condition, clock.now());
      await client.update(resources.certificateSigningRequests, decided, { subresource: 'approval' });
      lastHeard.delete(csr.metadata.uid ?? '');
    };
    const loop = startControlLoop({
      context,
      name: 'csrapproving',
      informers: [requests],
      reconcile: async (name) => {
        const csr = requests.store.get(undefined, name);
        if (!csr || isSettled(csr)) return undefined;
        const recognized = recognizedOrNone(csr);
        const right = recognized && (await firstRight(client, csr, recognized));
        if (recognized === undefined || right === undefined) return undefined;
        const { nodeName } = recognized;
        if (right.subresource === 'nodeclient' && maybeAlive(await nodeNamed(client, nodeName))) {
          const { uid = '' } = csr.metadata;
          const heard = await renewalOf(client, nodeName);
          if ((lastHeard.get(uid) ?? heard) === heard) {
            lastHeard.set(uid, heard);
            return LIMITS.controllers.nameLookMs;
          }
          const message = `a board that is at work has the name ${JSON.stringify(nodeName)}`;
          log.warn('refused a second board of the same name', { node: nodeName, csr: name });
          return await settle(csr, { type: 'Denied', reason: NAME_TAKEN, message });
        }
        return await settle(csr, { type: 'Approved', reason: 'AutoApproved', message: right.message });
      },
    });
    loop.enqueueAll(requests);
    loop.onStop(requests.onChange({ delete: ({ metadata }) => void lastHeard.delete(metadata.uid ?? '') }));
    return loop.stop;
  },
};

type Decision = Parameters<typeof withCondition>[1];

const isSettled = (csr: CertificateSigningRequest): boolean =>
  Boolean(csr.status?.certificate) || hasCondition(csr, 'Approved') || hasCondition(csr, 'Denied');

/** What the Lease of a node says; differs whenever the node was heard of. */
async function renewalOf(client: Client, nodeName: string): Promise<string> {
  const ref = { namespace: 'kube-node-lease', name: nodeName };
  const lease = await client.get(resources.leases, ref).catch(ignoreNotFound);
  return lease?.metadata.resourceVersion ?? '';
}

/** A request that cannot be read waits for a person, or for the cleaner. */
function recognizedOrNone(csr: CertificateSigningRequest): Recognized | undefined {
  try {
    return recognizeNodeClient(csr);
  } catch {
    return undefined;
  }
}

async function firstRight(
  client: Client,
  { spec }: CertificateSigningRequest,
  { rights }: Recognized,
): Promise<Recognized['rights'][number] | undefined> {
  for (const right of rights) {
    const review: SubjectAccessReview = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      metadata: {},
      spec: {
        user: spec.username ?? '',
        groups: spec.groups ?? [],
        ...(spec.uid === undefined ? {} : { uid: spec.uid }),
        ...(spec.extra === undefined ? {} : { extra: spec.extra }),
        resourceAttributes: {
          group: 'certificates.k8s.io',
          resource: 'certificatesigningrequests',
          subresource: right.subresource,
          verb: 'create',
        },
      },
    };
    const answer = await client.create(resources.subjectAccessReviews, review);
    if (answer.status?.allowed) return right;
  }
  return undefined;
}

async function nodeNamed(client: Client, name: string): Promise<Node | undefined> {
  return await client.get(resources.nodes, { name }).catch(ignoreNotFound);
}

function ignoreNotFound(error: unknown): undefined {
  if (isNotFound(error)) return undefined;
  throw error;
}
