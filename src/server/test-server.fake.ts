import { apiError } from '../api/status.ts';
import type { NodeConnector } from '../client/node-port.ts';
import { createMemoryDatastore } from '../datastore/memory.ts';
import type { Datastore } from '../datastore/port.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/log.ts';
import type { AdmissionPlugin } from './admission/port.ts';
import { type ApiServer, createApiServer, type Security } from './api-server.ts';
import type { Reviews, UserInfo } from './registry/definition.ts';
import { RESOURCES } from './resources/table.ts';

export interface TestServerOptions {
  readonly allow?: (user: UserInfo, verb: string) => boolean;
  readonly admission?: readonly AdmissionPlugin[];
  readonly connector?: NodeConnector;
  readonly datastore?: Datastore;
  readonly clock?: Clock;
}

/** A whole API server on a datastore in memory. Bearer tokens are user names; everybody may do everything. */
export async function startTestServer(
  options: TestServerOptions = {},
): Promise<{ server: ApiServer; datastore: Datastore }> {
  const datastore = options.datastore ?? createMemoryDatastore();
  const server = await createApiServer({
    datastore,
    definitions: RESOURCES,
    admission: () => options.admission ?? [],
    security: () => openSecurity(options),
    nodeConnector: options.connector ?? {
      connect: async (node) => {
        throw apiError('ServiceUnavailable', `node ${node} is not connected`);
      },
    },
    serviceCidr: '10.43.0.0/16',
    advertise: { address: '192.0.2.1', port: 6443 },
    clock: options.clock ?? systemClock,
    log: silentLogger,
  });
  return { server, datastore };
}

function openSecurity({ allow = () => true }: TestServerOptions): Security {
  return {
    authenticator: {
      authenticate: async ({ token, certificate }) => {
        const name = token ?? certificate?.commonName;
        return name === undefined || name === 'bad' ? undefined : { name, groups: ['system:authenticated'] };
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
