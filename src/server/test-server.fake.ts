import { pods } from '../api/resources.gen.ts';
import { apiError } from '../api/status.ts';
import type { NodeConnector } from '../client/node-port.ts';
import { createMemoryDatastore } from '../datastore/memory.ts';
import type { Datastore } from '../datastore/port.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/log.ts';
import type { AdmissionContext, AdmissionPlugin } from './admission/port.ts';
import type { FrontProxy } from './aggregator/front-proxy.ts';
import { type ApiServer, createApiServer, type Security, type SecurityContext } from './api-server.ts';
import type { Audit } from './audit/audit.ts';
import { createNodeGraph } from './authz/node-graph.ts';
import type { Reviews, UserInfo } from './registry/definition.ts';
import { EMPTY_CACHE } from './registry/empty-cache.ts';
import { RESOURCES } from './resources/table.ts';

export interface TestServerOptions {
  readonly allow?: (user: UserInfo, verb: string) => boolean;
  readonly admission?:
    | readonly AdmissionPlugin[]
    | ((context: AdmissionContext) => readonly AdmissionPlugin[]);
  readonly connector?: NodeConnector;
  readonly datastore?: Datastore;
  readonly clock?: Clock;
  readonly frontProxy?: FrontProxy;
  readonly audit?: Audit;
}

/** A whole API server on a datastore in memory. Bearer tokens are user names; everybody may do everything. */
export async function startTestServer(
  options: TestServerOptions = {},
): Promise<{ server: ApiServer; datastore: Datastore }> {
  const datastore = options.datastore ?? createMemoryDatastore();
  const server = await createApiServer({
    datastore,
    definitions: RESOURCES,
    admission: (context) =>
      typeof options.admission === 'function' ? options.admission(context) : (options.admission ?? []),
    security: (context) => openSecurity(options, context),
    nodeConnector: options.connector ?? {
      connect: async (node) => {
        throw apiError('ServiceUnavailable', `node ${node} is not connected`);
      },
    },
    ...(options.frontProxy === undefined ? {} : { frontProxy: options.frontProxy }),
    serviceCidr: '10.43.0.0/16',
    advertise: { address: '192.0.2.1', port: 6443 },
    ...(options.audit ? { audit: options.audit } : {}),
    clock: options.clock ?? systemClock,
    log: silentLogger,
  });
  return { server, datastore };
}

function openSecurity(
  { allow = () => true }: TestServerOptions,
  { cacheOf, log }: SecurityContext,
): Security {
  const nodeGraph = createNodeGraph(cacheOf(pods) ?? EMPTY_CACHE, log);
  return {
    nodeGraph,
    close: async () => nodeGraph.close(),
    authenticator: {
      authenticate: ({ token, certificate }) => {
        const name = token ?? certificate?.commonName;
        const groups = [...(certificate?.organizations ?? []), 'system:authenticated'];
        return name === undefined || name === 'bad' ? undefined : { name, groups };
      },
    },
    authorizer: {
      authorize: ({ user, verb }) => ({ allowed: allow(user, verb), reason: '' }),
      rulesFor: () => ({ resource: [], nonResource: [] }),
    },
    reviews: noReviews,
  };
}

const refuse = (): never => {
  throw apiError('ServiceUnavailable', 'no reviews here');
};
const noReviews: Reviews = {
  token: refuse,
  selfSubject: refuse,
  subjectAccess: refuse,
  selfSubjectAccess: refuse,
  selfSubjectRules: refuse,
  serviceAccountToken: refuse,
};
