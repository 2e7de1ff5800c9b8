import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createEventRecorder } from '../../client/event-writer.ts';
import type { InformerFactory } from '../../client/informer.ts';
import { createInformerFactory } from '../../client/informer-factory.ts';
import type { NodeConnector } from '../../client/node-port.ts';
import { SNAPSHOT_PATH } from '../../client/server-paths.ts';
import { startControllers } from '../../controllers/table.ts';
import { startMaintenance } from '../../datastore/maintenance.ts';
import { StorageError } from '../../datastore/port.ts';
import { openSqliteDatastore, type SqliteDatastore } from '../../datastore/sqlite/datastore.ts';
import type { Clock } from '../../lib/clock.ts';
import type { TokenUser } from '../../lib/join-token.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import { createMemoryTidier, type ProcessMemory } from '../../lib/memory-tidier.ts';
import { processMemory } from '../../lib/process-memory.ts';
import { startScheduler } from '../../scheduler/scheduler.ts';
import { createAdmission } from '../../server/admission/table.ts';
import { type ApiServer, createApiServer } from '../../server/api-server.ts';
import type { Audit } from '../../server/audit/audit.ts';
import { type AuditConfig, openAudit } from '../../server/audit/open-audit.ts';
import { legacyTokenSigner } from '../../server/authn/legacy-tokens.ts';
import { joinPages } from '../../server/http/join-pages.ts';
import type { Listener, TlsFiles } from '../../server/http/listener.ts';
import { snapshotPage } from '../../server/http/snapshot-page.ts';
import { ensureClusterToken } from '../../server/pki/cluster-token.ts';
import { keepRenewed } from '../../server/pki/keep-renewed.ts';
import { writeKubeconfig } from '../../server/pki/kubeconfig.ts';
import { servingNames } from '../../server/pki/names.ts';
import { ensureServerPki, FRONT_PROXY_NAME, type ServerPki } from '../../server/pki/server-pki.ts';
import { RESOURCES } from '../../server/resources/table.ts';
import { createSecurity, securityPages } from '../../server/security.ts';
import { Failure } from '../failure.ts';
import type { ServerConfig } from './config.ts';
import { nativeParts } from './native.ts';

export interface ControlPlane {
  readonly server: ApiServer;
  /** Stops in the reverse order of the start; the last acknowledged write is on disk when it resolves. */
  stop(): Promise<void>;
}

export interface ControlPlaneOptions {
  readonly config: ServerConfig;
  readonly nodeConnector: NodeConnector;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Certificates, datastore, API server, controllers and scheduler, in this order. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { config, clock, log } = options;
  const [datastore, pki] = await Promise.all([openDatastore(options), ensurePki(options)]);
  const stops: (() => Promise<void>)[] = [() => datastore.close()];
  stops.push(startMaintenance({ datastore, clock, log: log.child('datastore') }));
  try {
    const security = {
      joinSecrets: await ensureJoinSecrets(config, pki),
      serviceAccountKeyPem: pki.serviceAccountKeyPem,
      issuer: `https://kubernetes.default.svc.${config.cluster.clusterDomain}`,
    };
    const caPem = pki.serverCa.certificatePem;
    let newest = pki;
    const server = await createApiServer({
      datastore,
      definitions: RESOURCES,
      admission: createAdmission,
      security: (context) => createSecurity({ ...security, ...context }),
      pages: new Map([
        ...securityPages(security),
        ...joinPages({ caPem, settings: config.cluster }),
        [SNAPSHOT_PATH, snapshotPage(() => datastore.snapshot())],
      ]),
      frontProxy: {
        certificate: () => newest.frontProxy,
        commonName: FRONT_PROXY_NAME,
        requestHeaderCaPem: pki.requestHeaderCa.certificatePem,
        clientCaPem: pki.clientCa.certificatePem,
      },
      nodeConnector: options.nodeConnector,
      serviceCidr: config.cluster.serviceCIDR,
      nodePorts: { first: config.nodePorts.from, last: config.nodePorts.to },
      advertise: { address: config.advertiseAddress, port: config.port },
      ...(config.audit ? { audit: auditOf(config.audit, clock, log) } : {}),
      clock,
      log: log.child('apiserver'),
    });
    stops.push(() => server.close());
    const listener = await listen(server, options, pki);
    const renewed = (next: ServerPki): void => {
      newest = next;
      listener.reload(tlsFiles(next));
    };
    stops.push(
      keepRenewed({
        clock,
        log: log.child('pki'),
        renewAtMs: pki.renewAtMs,
        renew: async () => {
          const next = await ensurePki(options);
          renewed(next);
          await publishKubeconfig(config, next);
          return next.renewAtMs;
        },
      }),
    );
    const informers = createInformerFactory({
      client: server.client(CONTROLLER_MANAGER, 'kube-controller-manager'),
      clock,
      log: log.child('informers'),
    });
    stops.push(() => informers.stop());
    stops.push(...startLoops(options, { server, informers, pki }));
    const tidier = createMemoryTidier({ memory: memoryWith(datastore), clock });
    stops.push(async () => tidier.stop());
    datastore.subscribe((changes) => {
      for (const { value } of changes) tidier.note(value.length);
    });
    return { server, stop: () => stopAll(stops, log) };
  } catch (error) {
    await stopAll(stops, log);
    throw error;
  }
}

/**
 * All controllers in one: what they do together is nearly everything, and the role of upstream's name allows no
 * writes, which are left to an account for each. The name tells audit who wrote; managed fields name the programs that upstream names.
 */
const CONTROLLER_MANAGER = {
  name: 'system:kube-controller-manager',
  groups: ['system:masters', 'system:authenticated'],
};
/** Its roles, `system:kube-scheduler` and `system:volume-scheduler`, are upstream's. */
const SCHEDULER = { name: 'system:kube-scheduler', groups: ['system:authenticated'] };

async function stopAll(stops: (() => Promise<void>)[], log: Logger): Promise<void> {
  for (const stop of stops.splice(0).reverse()) {
    await stop().catch((error: unknown) => log.error('while stopping', { error }));
  }
}

async function openDatastore({ config, clock, log }: ControlPlaneOptions): Promise<SqliteDatastore> {
  const path = join(config.dataDir, 'server/db/kedge.db');
  try {
    return await openSqliteDatastore({
      path,
      clock,
      log: log.child('datastore'),
      // Without its store the server is of no use; the service manager starts it anew.
      onFailure: () => process.kill(process.pid, 'SIGTERM'),
      ...nativeParts(config.dataDir),
    });
  } catch (cause) {
    if (cause instanceof StorageError) throw new Failure(cause.message, 1, { cause });
    throw new Failure(`cannot open the datastore ${path}: ${errorText(cause)}`, 1, { cause });
  }
}

/** The datastore's thread first: what it frees is returned with the rest. */
function memoryWith(datastore: SqliteDatastore): ProcessMemory {
  return {
    ...processMemory,
    async giveBack() {
      // A thread that has ended holds nothing.
      await datastore.tidy().catch(() => {});
      await processMemory.giveBack();
    },
  };
}

function ensurePki({ config, clock, log }: ControlPlaneOptions): Promise<ServerPki> {
  const [serviceIP] = config.cluster.serviceCIDR.split('/');
  return ensureServerPki({
    directory: join(config.dataDir, 'server/tls'),
    names: servingNames({
      hostname: hostname(),
      addresses: [config.node.ip, config.advertiseAddress, ...localAddresses()],
      extra: config.tlsSans,
      clusterDomain: config.cluster.clusterDomain,
      serviceIps: [serviceIP?.replace(/\d+$/, (last) => String(Number(last) + 1)) ?? ''],
    }),
    clock,
    log: log.child('pki'),
  });
}

async function ensureJoinSecrets(
  { dataDir, token, agentToken }: ServerConfig,
  pki: ServerPki,
): Promise<Readonly<Record<TokenUser, string>>> {
  const caPem = pki.serverCa.certificatePem;
  const ensure = (user: TokenUser, file: string, wanted: string | undefined): Promise<string> =>
    ensureClusterToken({ path: join(dataDir, 'server', file), user, wanted, caPem });
  return {
    server: await ensure('server', 'token', token),
    node: await ensure('node', 'node-token', agentToken),
  };
}

function localAddresses(): string[] {
  return Object.entries(networkInterfaces())
    .filter(([name]) => !/^(kedge|cni|veth|docker|br-)/.test(name))
    .flatMap(([, list]) => list ?? [])
    .filter(({ internal, scopeid }) => !internal && !scopeid)
    .map(({ address }) => address);
}

function tlsFiles({ serving, clientCa, requestHeaderCa }: ServerPki): TlsFiles {
  return {
    cert: serving.certificatePem,
    key: serving.keyPem,
    clientCa: clientCa.certificatePem,
    requestHeaderCa: requestHeaderCa.certificatePem,
  };
}

async function listen(
  server: ApiServer,
  { config, log }: ControlPlaneOptions,
  pki: ServerPki,
): Promise<Listener> {
  const { port, bindAddress: host } = config;
  let listener: Listener;
  try {
    listener = await server.listen({ host, port, tls: tlsFiles(pki) });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'EADDRINUSE') {
      throw new Failure(
        `port ${port} on ${host} is in use: stop what listens there, or give another --https-listen-port`,
        1,
        { cause },
      );
    }
    if (code === 'EADDRNOTAVAIL')
      throw new Failure(`--bind-address ${host} is not an address of this machine`, 1, { cause });
    throw cause;
  }
  await publishKubeconfig(config, pki);
  log.info('API server listens', { address: host, port, kubeconfig: config.kubeconfig.path });
  return listener;
}

async function publishKubeconfig(config: ServerConfig, pki: ServerPki): Promise<void> {
  const { path, mode } = config.kubeconfig;
  const host = ['0.0.0.0', '::'].includes(config.bindAddress) ? '127.0.0.1' : config.bindAddress;
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${config.port}`;
  try {
    await writeKubeconfig(path, { server, caPem: pki.serverCa.certificatePem, client: pki.admin }, mode);
  } catch (cause) {
    throw new Failure(
      `cannot write the kubeconfig ${path}: ${errorText(cause)}; choose another place with --write-kubeconfig`,
      1,
      { cause },
    );
  }
}

function startLoops(
  { config, clock, log }: ControlPlaneOptions,
  { server, informers, pki }: { server: ApiServer; informers: InformerFactory; pki: ServerPki },
): (() => Promise<void>)[] {
  const stops: (() => Promise<void>)[] = [];
  const client = server.client(CONTROLLER_MANAGER, 'kube-controller-manager');
  const signLegacy = legacyTokenSigner(pki.serviceAccountKeyPem);
  const events = createEventRecorder({
    client,
    clock,
    log: log.child('events'),
    component: 'kube-controller-manager',
  });
  stops.push(
    startControllers(
      {
        client,
        informers,
        events,
        clock,
        log: log.child('controllers'),
        cluster: {
          clusterCIDR: config.cluster.clusterCIDR,
          rootCA: pki.serverCa.certificatePem,
          clientCA: pki.clientCa,
          resources: server.registry.endpoints
            .filter(({ conversion, served }) => !conversion && !served.definition.virtual && !served.custom)
            .map(({ resource }) => resource),
          signLegacyToken: async (claims) => signLegacy(claims),
        },
      },
      config.node.disabled,
    ),
  );
  if (!config.node.disabled.has('scheduler')) {
    const own = server.client(SCHEDULER, 'kube-scheduler');
    stops.push(
      startScheduler({
        client: own,
        informers,
        events: createEventRecorder({
          client: own,
          clock,
          log: log.child('events'),
          component: 'default-scheduler',
        }),
        clock,
        log: log.child('scheduler'),
      }),
    );
  }
  return stops;
}

function auditOf(config: AuditConfig, clock: Clock, log: Logger): Audit {
  try {
    return openAudit(config, clock, log.child('audit'));
  } catch (error) {
    throw new Failure(errorText(error), 2, { cause: error });
  }
}
