import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectToServer, type ServerConnection } from '../../src/agent/join/connection.ts';
import { IdentityFile } from '../../src/agent/join/identity.ts';
import * as resources from '../../src/api/resources.gen.ts';
import type { Secret } from '../../src/api/types.gen.ts';
import { createInformerFactory } from '../../src/client/informer-factory.ts';
import { FakeClock } from '../../src/lib/fake-clock.ts';
import { caHashOf, formatBootstrapToken, type JoinToken, parseJoinToken } from '../../src/lib/join-token.ts';
import { type Logger, silentLogger } from '../../src/lib/log.ts';
import { issueCertificate } from '../../src/lib/pki/certificate.ts';
import { generateKeyPem, publicKeyOf } from '../../src/lib/pki/key.ts';
import { JoinableCluster, SETTINGS } from '../fixtures/joinable-cluster.ts';

/** A board and a real server, joined over TLS; only time is virtual. */
const DAY_MS = 24 * 3_600_000;
let clock: FakeClock;
let cluster: JoinableCluster;
let dataDir: string;
const said: string[] = [];
const say = (message: string, fields: object = {}): void => {
  said.push(`${message} ${JSON.stringify(fields)}`);
};
const log: Logger = { ...silentLogger, info: say, warn: say, error: say, child: () => log };
const connections: ServerConnection[] = [];
const others: { close(): void }[] = [];

beforeEach(async () => {
  said.length = 0;
  clock = new FakeClock(Date.now(), () => new Promise((resolve) => setTimeout(resolve, 15)));
  cluster = await JoinableCluster.start(clock);
  dataDir = await mkdtemp(join(tmpdir(), 'kedge-join-'));
});
afterEach(async () => {
  await Promise.all(connections.splice(0).map((connection) => connection.stop()));
  for (const other of others.splice(0)) other.close();
  await cluster.remove();
  await rm(dataDir, { recursive: true });
});

interface Board {
  readonly server?: string;
  readonly token?: JoinToken | undefined;
  readonly nodeName?: string;
  readonly dir?: string;
}
async function connect(board: Board = {}): Promise<ServerConnection> {
  const connection = await connectToServer({
    server: board.server ?? cluster.url,
    token: 'token' in board ? board.token : cluster.token(),
    nodeName: board.nodeName ?? 'pi',
    dataDir: board.dir ?? dataDir,
    ...{ clock, log, random: () => 0 },
    signal: new AbortController().signal,
    onMoved: () => say('moved'),
  });
  connections.push(connection);
  return connection;
}
/** Lets time go on until something waited for over the network has happened. */
async function passing<T>(work: Promise<T>, stepMs = 1000): Promise<T> {
  const isDone = work.then(
    () => true,
    () => true,
  );
  for (let step = 0; step < 400; step++) {
    if (await Promise.race([isDone, clock.advance(stepMs).then(() => false)])) break;
  }
  return await work;
}
async function until(what: string, check: () => Promise<boolean> | boolean): Promise<void> {
  for (let step = 0; step < 300; step++) {
    if (await check()) return;
    await clock.advance(500);
  }
  throw new Error(`did not happen: ${what}; ${said.join('\n')}`);
}

async function bootstrapToken(id: string, data: Record<string, string>): Promise<JoinToken> {
  const secret: Secret = {
    metadata: { name: `bootstrap-token-${id}`, namespace: 'kube-system' },
    type: 'bootstrap.kubernetes.io/token',
    stringData: {
      ...{ 'token-id': id, 'token-secret': '0123456789abcdef', 'usage-bootstrap-authentication': 'true' },
      ...data,
    },
  };
  await cluster.admin.create(resources.secrets, secret);
  return parseJoinToken(formatBootstrapToken(cluster.pki.serverCa.certificatePem, `${id}.0123456789abcdef`));
}
const JOINERS = { 'auth-extra-groups': 'system:bootstrappers:kedge:default-node-token' };

describe('joining', () => {
  it('gives a board an identity that lasts, with any token that may', async () => {
    const first = await connect();
    expect(await first.settings(JSON.parse)).toEqual(SETTINGS);
    await first.client.create(resources.nodes, { metadata: { name: 'pi' } });
    const file = join(dataDir, 'tls/client-kubelet.pem');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(dataDir, 'tls'))).mode & 0o777).toBe(0o700);
    const before = await readFile(file, 'utf8');
    const again = await connect({ token: undefined });
    expect(await again.client.get(resources.nodes, { name: 'pi' })).toMatchObject({
      metadata: { name: 'pi' },
    });
    expect(await readFile(file, 'utf8')).toBe(before);

    const tokens = [cluster.token('server'), await bootstrapToken('abcdef', JOINERS)];
    for (const [index, token] of tokens.entries()) {
      const dir = join(dataDir, `other${index}`);
      await expect(connect({ token, dir, nodeName: `board${index}` })).resolves.toBeDefined();
    }
  });

  it('gives it the rights of that node and no others', async () => {
    const { client } = await connect();
    await client.create(resources.nodes, { metadata: { name: 'pi' } });
    await cluster.admin.create(resources.nodes, { metadata: { name: 'other' } });
    const secret = { name: 'mine', namespace: 'default' };
    await cluster.admin.create(resources.secrets, { metadata: secret, type: 'Opaque' });
    const patch = { type: 'merge', body: { metadata: { labels: { place: 'roof' } } } } as const;
    await expect(client.patch(resources.nodes, { name: 'pi' }, patch)).resolves.toBeDefined();
    const refused = [
      client.patch(resources.nodes, { name: 'other' }, patch),
      client.create(resources.nodes, { metadata: { name: 'third' } }),
      client.get(resources.secrets, secret),
      client.list(resources.secrets),
      client.create(resources.configMaps, { metadata: { name: 'x', namespace: 'default' } }),
      client.delete(resources.nodes, { name: 'pi' }),
    ];
    for (const attempt of refused) await expect(attempt).rejects.toMatchObject({ code: 403 });
  });

  it('tells nothing to a server that the token is not for', async () => {
    const requests: { url: string | undefined; authorization: string | undefined }[] = [];
    const caKeyPem = generateKeyPem();
    const caPem = issueCertificate({
      subject: { commonName: 'somebody' },
      publicKey: publicKeyOf(caKeyPem),
      selfSigningKeyPem: caKeyPem,
      use: 'ca',
      notBeforeMs: 0,
      notAfterMs: Date.now() + DAY_MS,
    });
    const impostor: Server = createServer({ cert: caPem, key: caKeyPem }, (request, response) => {
      requests.push({ url: request.url, authorization: request.headers.authorization });
      response.end(caPem);
    });
    await new Promise<void>((resolve) => impostor.listen(0, '127.0.0.1', resolve));
    others.push(impostor);
    const server = `https://127.0.0.1:${(impostor.address() as AddressInfo).port}`;
    await expect(connect({ server })).rejects.toThrow(/is not the server that the token is for/);
    expect(requests).toEqual([{ url: '/cacerts', authorization: undefined }]);
    await expect(connect({ server, token: parseJoinToken('node-secret') })).rejects.toThrow(
      /use the whole token, K10…/,
    );
    expect(requests).toHaveLength(1);
  });

  it('says in one line why a token is of no use', async () => {
    const token = cluster.token('node', 'guess');
    await expect(connect({ token })).rejects.toThrow(/does not accept the token: its secret is wrong/);
    const expired = await bootstrapToken('expire', { ...JOINERS, expiration: '2020-01-01T00:00:00Z' });
    await expect(connect({ token: expired })).rejects.toThrow(
      /expire\.… has expired, was deleted or is wrong/,
    );
    const elsewhere = await bootstrapToken('nojoin', {});
    await expect(connect({ token: elsewhere })).rejects.toThrow(/the token does not let a board join/);
    await expect(connect({ token: undefined })).rejects.toThrow(/has not joined yet: give --token/);
  });

  it('waits for a server that does not answer', async () => {
    const { port } = cluster;
    await cluster.down();
    const joining = connect();
    const hasSaid = () => said.some((line) => line.startsWith('cannot join yet, trying again'));
    await until('the board to try again', hasSaid);
    await cluster.up(port);
    await passing(joining);
  });

  it('leaves a name to the board that is at work, and gives it back when that is silent', async () => {
    const { admin } = cluster;
    const report = async (status: string) => {
      const body = { status: { conditions: [{ type: 'Ready', status }] } };
      const patch = { type: 'merge', body } as const;
      await admin.patch(resources.nodes, { name: 'pi' }, patch, { subresource: 'status' });
    };
    await admin.create(resources.nodes, { metadata: { name: 'pi' } });
    await report('True');
    const hasAsked = async () => (await admin.list(resources.certificateSigningRequests)).items.length > 0;
    const twin = connect();
    await until('the second board to ask', hasAsked);
    await clock.advance(5000);
    await admin.create(resources.leases, { metadata: { name: 'pi', namespace: 'kube-node-lease' } });
    await expect(passing(twin)).rejects.toThrow(
      /another board is at work as "pi": give this one another --node-name/,
    );
    const reflashed = connect();
    await until('the board to wait', () => said.some((line) => line.startsWith('waiting for the cluster')));
    await report('Unknown');
    await passing(reflashed);
  });
});

describe('a joined board', () => {
  it('renews its certificate in time, with its own identity', async () => {
    const { client } = await connect({ token: cluster.token() });
    const file = new IdentityFile(join(dataDir, 'tls'));
    const before = await file.read();
    await clock.advance(270 * DAY_MS);
    expect(await file.read()).toEqual(before);
    await clock.advance(7 * DAY_MS);
    await until('the renewal', async () => (await file.read())?.certificatePem !== before?.certificatePem);
    const after = await file.read();
    expect(after?.keyPem).not.toBe(before?.keyPem);
    const requests = await cluster.admin.list(resources.certificateSigningRequests);
    expect(requests.items.map(({ spec }) => spec.username)).toContain('system:node:pi');
    await expect(client.list(resources.nodes)).resolves.toBeDefined();
  });

  it('does not renew over and over when a clock is set', async () => {
    clock.jump(-50 * 365 * DAY_MS);
    await connect();
    const written = async () => (await stat(join(dataDir, 'tls/client-kubelet.pem'))).mtimeMs;
    clock.jump(50 * 365 * DAY_MS);
    // A certificate issued in 1976 may end soon by the right clock; then one renewal is due.
    await clock.advance(2 * DAY_MS);
    await until('one renewal', () => said.some((line) => line.startsWith('renewed the certificate')));
    const renewed = await written();
    await clock.advance(5 * DAY_MS);
    expect(await written()).toBe(renewed);
  });

  it('joins again with its token when the certificate ended while it was off', async () => {
    const keyPem = generateKeyPem();
    const certificatePem = issueCertificate({
      subject: { commonName: 'system:node:pi', organizations: ['system:nodes'] },
      publicKey: publicKeyOf(keyPem),
      issuer: cluster.pki.clientCa,
      use: 'client',
      notBeforeMs: 0,
      notAfterMs: Date.now() - DAY_MS,
    });
    const caPem = cluster.pki.serverCa.certificatePem;
    await new IdentityFile(join(dataDir, 'tls')).write({ certificatePem, keyPem, caPem });
    const { client } = await connect();
    await until('the board to be let in', () =>
      client.list(resources.nodes).then(
        () => true,
        () => false,
      ),
    );
    expect(said.join('\n')).toMatch(/does not accept the certificate of this board/);
    expect(said.join('\n')).toMatch(/joined the cluster anew/);
  });

  it('starts at once without the server, and follows it to another address', async () => {
    const first = await connect();
    await first.settings(JSON.parse);
    const informers = createInformerFactory({ client: first.client, clock, log: silentLogger });
    first.follow(informers);
    await informers.start();
    const oldUrl = cluster.url;
    await informers.stop();
    const known = join(dataDir, 'cluster.json');
    await until('the address to be kept', async () => /127.0.0.1:6443/.test(await readFile(known, 'utf8')));
    await cluster.down();
    const second = await connect({ server: oldUrl, token: undefined });
    expect(await second.settings(JSON.parse)).toEqual(SETTINGS);
    await expect(second.client.list(resources.nodes)).rejects.toMatchObject({ code: 503 });
    // The address that the cluster named before is 127.0.0.1:6443, where nobody is; it is tried and left again.
    expect(second.address.server).not.toBe(oldUrl);
    await expect(second.client.list(resources.nodes)).rejects.toMatchObject({ code: 503 });
    expect(second.address.server).toBe(oldUrl);
    await cluster.up(Number(new URL(oldUrl).port));
    await expect(second.client.list(resources.nodes)).resolves.toBeDefined();
    expect(said.join('\n')).toMatch(/the server answers again/);
  });

  it('carries nothing of a cluster into another, whatever fails in between', async () => {
    const path = join(dataDir, 'cluster.json');
    await (await connect()).settings((text) => text);
    await writeFile(path, JSON.stringify({ servers: [cluster.url], settings: 'of the old one' }));
    const authority = async () =>
      (await new IdentityFile(join(dataDir, 'tls')).read())?.caPem ?? 'no identity';
    const other = await JoinableCluster.start(clock);
    try {
      const moves = await connect({ server: other.url, token: other.token() });
      // The disk does not take the one file.
      await rm(path);
      await mkdir(join(path, 'in-the-way'), { recursive: true });
      await moves.client.list(resources.nodes).catch(() => {});
      await until('a first try', () => said.some((line) => line.startsWith('cannot join anew')));
      expect(await authority()).toBe(cluster.pki.serverCa.certificatePem);
      await rm(path, { recursive: true });
      await until('the board to move', () => said.includes('moved {}'));
      expect(await authority()).toBe(other.pki.serverCa.certificatePem);
      expect(await readFile(path, 'utf8')).toBe('{"servers":[]}\n');

      await writeFile(path, JSON.stringify({ servers: [other.url], settings: 'of the old one' }));
      const renamed = await connect({ nodeName: 'other-name' });
      expect(await renamed.settings((text) => text)).not.toBe('of the old one');
    } finally {
      await Promise.all(connections.splice(0).map((connection) => connection.stop()));
      await other.remove();
    }
  });

  it('moves to another cluster when it is given a token for that, and not before', async () => {
    await connect();
    const other = await JoinableCluster.start(clock);
    try {
      const stays = await connect({ server: other.url, token: undefined });
      await expect(stays.client.list(resources.nodes)).rejects.toMatchObject({ code: 503 });
      expect(said.join('\n')).toMatch(
        /not signed by the authority of the cluster that this board belongs to/,
      );
      const moves = await connect({ server: other.url, token: other.token() });
      await until('the board to move', () =>
        moves.client.list(resources.nodes).then(
          () => true,
          () => false,
        ),
      );
      const identity = await new IdentityFile(join(dataDir, 'tls')).read();
      expect(said).toContain('moved {}');
      expect(caHashOf(identity?.caPem ?? '')).toBe(caHashOf(other.pki.serverCa.certificatePem));
    } finally {
      await Promise.all(connections.splice(0).map((connection) => connection.stop()));
      await other.remove();
    }
  });
});
