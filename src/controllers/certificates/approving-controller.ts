import * as resources from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { CertificateSigningRequest, Node, SubjectAccessReview } from '../../api/types.gen.ts';
import type { Client } from '../../client/port.ts';
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
 * Whether a board by this name is at work. Told by the condition that the node lifecycle controller turns to Unknown
 * once it has not heard from it for `LIMITS.controllers.nodeSilenceMs` by its own watch: no clock of a board counts.
 */
export function isAlive(node: Node | undefined): boolean {
  const ready = node?.status?.conditions?.find(({ type }) => type === 'Ready');
  return ready !== undefined && ready.status !== 'Unknown';
}

/**
 * Approves client certificates of nodes: renewals by the node itself, and first ones for whoever may have a node join.
 * A name that a living board has is denied to any other; that of a board that is silent or gone may be taken over.
 */
export const approvingController: Controller = {
  name: 'certificatesigningrequest-approving-controller',
  start(context) {
    const { client, clock } = context;
    const log = context.log.child('csrapproving');
    const requests = context.informers.for(resources.certificateSigningRequests);
    const loop = startControlLoop({
      context,
      name: 'csrapproving',
      informers: [requests],
      reconcile: async (name) => {
        const csr = requests.store.get(undefined, name);
        if (!csr || csr.status?.certificate || hasCondition(csr, 'Approved') || hasCondition(csr, 'Denied'))
          return undefined;
        const recognized = recognizedOrNone(csr);
        const right = recognized && (await firstRight(client, csr, recognized));
        if (recognized === undefined || right === undefined) return undefined;
        const { nodeName } = recognized;
        if (right.subresource === 'nodeclient' && isAlive(await nodeNamed(client, nodeName))) {
          const message = `a board that is at work has the name ${JSON.stringify(nodeName)}`;
          log.warn('refused a second board of the same name', { node: nodeName, csr: name });
          const denied = withCondition(csr, { type: 'Denied', reason: NAME_TAKEN, message }, clock.now());
          await client.update(resources.certificateSigningRequests, denied, { subresource: 'approval' });
          return undefined;
        }
        const { message } = right;
        const approved = withCondition(
          csr,
          { type: 'Approved', reason: 'AutoApproved', message },
          clock.now(),
        );
        await client.update(resources.certificateSigningRequests, approved, { subresource: 'approval' });
        return undefined;
      },
    });
    loop.enqueueAll(requests);
    return loop.stop;
  },
};

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
  return await client.get(resources.nodes, { name }).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
}
