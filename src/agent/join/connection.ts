import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { endpointSlices } from '../../api/resources.gen.ts';
import type { EndpointSlice } from '../../api/types.gen.ts';
import { type Contact, createHttpsClient, type HttpsClient } from '../../client/https-client.ts';
import type { InformerFactory } from '../../client/informer.ts';
import { SETTINGS_PATH } from '../../client/join-paths.ts';
import { type Clock, sleep } from '../../lib/clock.ts';
import { caHashOf, type JoinToken } from '../../lib/join-token.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import type { ServerAddress } from '../tunnel/tunnel.ts';
import { endOf, type Identity, IdentityFile, nodeNameOf } from './identity.ts';
import { isForeignServer, JoinRefused, joinCluster, SERVER_NAME, unreachableText } from './join.ts';
import { KnownClusterFile } from './known-cluster.ts';
import { Renewal } from './renewal.ts';
import { CertificateRequests } from './request-certificate.ts';
import { ServerAddresses, serversOf } from './server-addresses.ts';

export interface ServerConnectionOptions {
  /** Origin such as `https://10.0.0.1:6443`; a board that has joined remembers where servers are. */
  readonly server: string | undefined;
  readonly token: JoinToken | undefined;
  readonly nodeName: string;
  /** Such as `/var/lib/kedge/agent`. */
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the waiting for a server that does not answer. */
  readonly signal: AbortSignal;
  /** The board belongs to another cluster from now on: everything has to start anew. */
  readonly onMoved: () => void;
  /** 0 to 1; spreads what many boards do. */
  readonly random?: () => number;
}

/** The way of a joined board to its server. */
export interface ServerConnection {
  /** Has the rights of the node, whatever happens to addresses and certificates. */
  readonly client: HttpsClient;
  /** Tells this cluster from others. */
  readonly cluster: string;
  /** Where the server is now, and what to show it. */
  readonly address: ServerAddress;
  /** The cluster's settings: those on the disk where `parse` takes them, else once the server has said them. */
  settings<T>(parse: (text: string) => T): Promise<T>;
  /** Learns from the cluster where its servers are. Call it before the informers start. */
  follow(informers: InformerFactory): void;
  /** Calls back each time the server answers after it had not. */
  onBack(listener: () => void): void;
  stop(): Promise<void>;
}

/**
 * Opens the way to the server. A board that has an identity needs no answer for that; one that has none joins first,
 * and asks until a server answers. Throws `JoinRefused` where a person has to change something.
 */
export async function connectToServer(options: ServerConnectionOptions): Promise<ServerConnection> {
  const { dataDir, nodeName } = options;
  await mkdir(dataDir, { recursive: true, mode: 0o750 });
  const file = new IdentityFile(join(dataDir, 'tls'));
  const cluster = new KnownClusterFile(join(dataDir, 'cluster.json'));
  const [stored] = await Promise.all([file.read(), cluster.load()]);
  const given = options.server === undefined ? [] : [options.server];
  if (given.length + cluster.known.servers.length === 0)
    throw new JoinRefused('no server is known: give --server https://<address>:6443 (or KEDGE_URL)');
  const addresses = new ServerAddresses(given, cluster.known.servers);
  const parts = { options, file, cluster, addresses };
  if (stored !== undefined && nodeNameOf(stored) === nodeName) return new Connection(parts, stored);
  const identity = await firstJoin(parts, stored);
  return new Connection(parts, identity);
}

interface Parts {
  readonly options: ServerConnectionOptions;
  readonly file: IdentityFile;
  readonly cluster: KnownClusterFile;
  readonly addresses: ServerAddresses;
}

/** Asks until the board has joined. */
async function firstJoin(parts: Parts, stored: Identity | undefined): Promise<Identity> {
  const { nodeName, token, clock, log, signal, random = Math.random } = parts.options;
  if (token === undefined)
    throw new JoinRefused('this board has not joined yet: give --token or --token-file (or KEDGE_TOKEN)');
  const { retryBaseMs, retryMaxMs } = LIMITS.join;
  const certificates = new CertificateRequests();
  let said = '';
  for (let failures = 0; ; failures++) {
    const server = parts.addresses.current;
    try {
      // An authority that the token does not speak of is that of another cluster.
      const caPem = stored && isOf(token, stored) ? stored.caPem : undefined;
      const identity = await joinCluster({
        server,
        token,
        nodeName,
        caPem,
        certificates,
        clock,
        log,
        signal,
      });
      await forgetOthers(parts.cluster, stored, identity);
      await parts.file.write(identity);
      log.info('joined the cluster', { server, node: nodeName });
      return identity;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof JoinRefused) throw error;
      const why = unreachableText(error);
      if (why !== said) log.warn('cannot join yet, trying again', { server, error: why });
      said = why;
      parts.addresses.failed(server);
      const ceilingMs = Math.min(retryMaxMs, retryBaseMs * 2 ** Math.min(failures, 16));
      await sleep(clock, ceilingMs * (0.5 + random() / 2), signal);
    }
  }
}

/**
 * Drops what is known of another cluster. To be called before the new identity is on the disk: whenever the power fails,
 * nothing of the old cluster is carried into the new one.
 */
async function forgetOthers(
  cluster: KnownClusterFile,
  before: Identity | undefined,
  { caPem }: Identity,
): Promise<void> {
  if (before?.caPem === caPem) return;
  // Without an identity nobody knows whose they are; servers are tried, and show whether they are ours.
  await cluster.change({ settings: undefined, ...(before === undefined ? {} : { servers: [] }) });
}

const isOf = (token: JoinToken, { caPem }: Identity): boolean =>
  token.caHash === undefined || caHashOf(caPem) === token.caHash;

class Connection implements ServerConnection {
  readonly client: HttpsClient;
  readonly #parts: Parts;
  readonly #renewal: Renewal;
  readonly #stop = new AbortController();
  #identity: Identity;
  #off: () => void = () => {};
  #isAway = false;
  readonly #onBack: (() => void)[] = [];
  #rejoining: Promise<void> | undefined;
  #refreshed: Promise<void> | undefined;

  constructor(parts: Parts, identity: Identity) {
    this.#parts = parts;
    this.#identity = identity;
    const { nodeName, clock, log, random = Math.random } = parts.options;
    const { certificatePem: cert, keyPem: key, caPem: ca } = identity;
    this.client = createHttpsClient({
      server: parts.addresses.current,
      ...{ ca, cert, key },
      serverName: SERVER_NAME,
      requestTimeoutMs: LIMITS.agent.requestTimeoutMs,
      userAgent: `kubelet/${nodeName}`,
      onContact: (server, contact) => this.#contact(server, contact),
    });
    this.#renewal = new Renewal({
      ...{ client: this.client, nodeName, clock, log, random },
      endMs: () => endOf(this.#identity),
      onRenewed: (fresh) => this.#take({ ...fresh, caPem: this.#identity.caPem }),
    });
    this.#renewal.start();
  }

  get cluster(): string {
    return caHashOf(this.#identity.caPem);
  }

  get address(): ServerAddress {
    const { certificatePem: cert, keyPem: key, caPem: ca } = this.#identity;
    return { server: this.#parts.addresses.current, ca, cert, key, serverName: SERVER_NAME };
  }

  async settings<T>(parse: (text: string) => T): Promise<T> {
    const { cluster, options } = this.#parts;
    const { clock, log } = options;
    let { settings } = cluster.known;
    for (let failures = 0; ; failures++) {
      try {
        return parse(settings ?? (await this.#ask()));
      } catch (error) {
        options.signal.throwIfAborted();
        settings = undefined;
        if (failures === 0)
          log.warn('the server has not said the settings of the cluster yet', { error: errorText(error) });
        const { retryBaseMs, retryMaxMs } = LIMITS.join;
        await sleep(clock, Math.min(retryMaxMs, retryBaseMs * 2 ** Math.min(failures, 16)), options.signal);
      }
    }
  }

  async #ask(): Promise<string> {
    const settings = await this.client.getPath(SETTINGS_PATH);
    await this.#parts.cluster.change({ settings });
    return settings;
  }

  follow(informers: InformerFactory): void {
    const seen = (slice: EndpointSlice): void => {
      const { namespace, labels = {} } = slice.metadata;
      if (namespace !== 'default' || labels['kubernetes.io/service-name'] !== 'kubernetes') return;
      if (!this.#parts.addresses.learn(serversOf(slice))) return;
      const { learned: servers } = this.#parts.addresses;
      this.#remember({ servers });
      this.#parts.options.log.info('servers of the cluster', { servers: servers.join(',') });
    };
    this.#off = informers.for(endpointSlices).onChange({ add: seen, update: seen });
  }

  onBack(listener: () => void): void {
    this.#onBack.push(listener);
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the agent stops'));
    this.#off();
    await this.#renewal.stop();
    await this.client.close();
    await Promise.all([this.#rejoining, this.#refreshed]);
  }

  #remember(change: Parameters<KnownClusterFile['change']>[0]): void {
    this.#parts.cluster.change(change).catch((error: unknown) => {
      this.#parts.options.log.warn('cannot save what is known of the cluster', { error });
    });
  }

  #contact(server: string, contact: Contact): void {
    if (this.#stop.signal.aborted) return;
    const { log } = this.#parts.options;
    if (contact.type === 'unreachable') {
      this.#unreachable(server, contact.cause);
      return;
    }
    if (this.#isAway) {
      this.#isAway = false;
      log.info('the server answers again', { server });
      for (const listener of this.#onBack) listener();
    }
    if (contact.type === 'unauthorized')
      this.#rejoin('the server does not accept the certificate of this board');
    else this.#refresh();
  }

  #unreachable(server: string, cause: unknown): void {
    const { options, addresses } = this.#parts;
    if (!this.#isAway)
      options.log.warn('the server does not answer; pods go on', { server, error: unreachableText(cause) });
    this.#isAway = true;
    // What was cut off by a move says so, too: it must not cause another one.
    const before = addresses.current;
    const next = addresses.failed(server);
    if (next !== before) this.client.use({ server: next });
    // A token for another cluster than this board's is how a person says that the board has to go there.
    const { token } = options;
    if (isForeignServer(cause) && token?.caHash !== undefined && !isOf(token, this.#identity))
      this.#rejoin('the server belongs to another cluster, which the token is for');
  }

  /** Once after each start: a change counts from the next start on, since addresses of running pods depend on it. */
  #refresh(): void {
    const { cluster, options } = this.#parts;
    const { settings } = cluster.known;
    if (settings === undefined) return;
    this.#refreshed ??= this.#ask().then(
      (now) => {
        if (now !== settings) options.log.warn('the settings of the cluster changed: restart the agent');
      },
      (error: unknown) => options.log.debug('cannot read the settings of the cluster', { error }),
    );
  }

  /** Gets a new identity with the token while pods go on; one at a time, with patience. */
  #rejoin(why: string): void {
    const { log, token } = this.#parts.options;
    if (this.#rejoining !== undefined) return;
    log.warn(why, { next: token === undefined ? 'nothing: no --token was given' : 'joining with the token' });
    if (token === undefined) {
      // Said once; a restart with a token goes on from here.
      this.#rejoining = Promise.resolve();
      return;
    }
    this.#rejoining = this.#rejoinUntilDone(token).finally(() => {
      this.#rejoining = undefined;
    });
  }

  async #rejoinUntilDone(token: JoinToken): Promise<void> {
    const { nodeName, clock, log, random = Math.random } = this.#parts.options;
    const { signal } = this.#stop;
    const certificates = new CertificateRequests();
    for (let failures = 0; !signal.aborted; failures++) {
      const isMove = !isOf(token, this.#identity);
      const server = this.#serverToJoin(failures, isMove);
      try {
        const caPem = isMove ? undefined : this.#identity.caPem;
        await this.#take(
          await joinCluster({ server, token, nodeName, caPem, certificates, clock, log, signal }),
        );
        log.info('joined the cluster anew', { server, node: nodeName });
        return;
      } catch (error) {
        if (signal.aborted) return;
        log.error('cannot join anew, will try again; pods go on', { server, error: unreachableText(error) });
        const { rejoinBaseMs, rejoinMaxMs } = LIMITS.join;
        const ceilingMs = Math.min(rejoinMaxMs, rejoinBaseMs * 2 ** Math.min(failures, 16));
        await sleep(clock, ceilingMs * (0.5 + random() / 2), signal).catch(() => {});
      }
    }
  }

  /** One after the other; to another cluster leads first what was given, not where its own cluster answers. */
  #serverToJoin(failures: number, isMove: boolean): string {
    const { all, current } = this.#parts.addresses;
    const inUse = all.indexOf(current);
    return all[(failures + (isMove ? 0 : inUse)) % all.length] ?? current;
  }

  /** On the disk first: what is used is what a restart finds. */
  async #take(identity: Identity): Promise<void> {
    const hasMoved = identity.caPem !== this.#identity.caPem;
    await forgetOthers(this.#parts.cluster, this.#identity, identity);
    await this.#parts.file.write(identity);
    this.#identity = identity;
    const { certificatePem: cert, keyPem: key, caPem: ca } = identity;
    this.client.use({ cert, key, ca });
    this.#renewal.reconsider();
    if (hasMoved) this.#parts.options.onMoved();
  }
}
