import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { V1Lease } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  FINALIZER,
  GROUP,
  LEASE,
  REGISTRY,
  type Website,
  type WebsiteV1,
} from '../fixtures/operator/website.ts';
import { Board } from './board.ts';
import { certify } from './conformance/sig-api-machinery/webhook-server.ts';
import {
  conversion,
  DEFINITION,
  definition,
  endpoints,
  INSTALLATION,
  OPERATOR,
  V1,
  V2,
  webhooks,
} from './operator-manifests.ts';

interface Replica {
  readonly child: ChildProcess;
  readonly isLeading: () => boolean;
}
interface Event<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: T;
}

const WEBSITES = `/apis/${GROUP}/v2/websites`;
const tls = certify(OPERATOR, REGISTRY);
const caBundle = Buffer.from(tls.ca).toString('base64');
const replicas = new Map<string, Replica>();
let board: Board;
/** Everything that matters happened after this revision. */
let begin = '';

beforeAll(async () => {
  board = Board.create({ agent: false });
  await board.start();
  await apply(...INSTALLATION);
  const token = (await board.ok(['create', 'token', OPERATOR, '-n', REGISTRY])).trim();
  const kubeconfig = await json<{ users: { user: object }[] }>(['config', 'view', '--raw', '-o', 'json']);
  for (const user of kubeconfig.users) user.user = { token };
  writeFileSync(file('kubeconfig'), JSON.stringify(kubeconfig), { mode: 0o600 });
  writeFileSync(file('cert'), tls.cert);
  writeFileSync(file('key'), tls.key, { mode: 0o600 });
});
afterAll(async () => {
  for (const name of replicas.keys()) await stop(name, 'SIGKILL');
  await board.remove();
});

const file = (name: string): string => join(board.folder, `operator-${name}`);
const apply = async (...objects: readonly object[]): Promise<string> =>
  await board.apply(objects.map((object) => JSON.stringify(object)).join('\n---\n'));
const json = async <T>(args: readonly string[]): Promise<T> => JSON.parse(await board.ok(args)) as T;
const website = async (name: string): Promise<Website> => await json(['get', 'website', name, '-o', 'json']);
const lease = async (): Promise<V1Lease> => await json(['get', 'lease', LEASE, '-n', REGISTRY, '-o', 'json']);
const names = async (kind: string, ...args: string[]): Promise<string[]> =>
  (await board.ok(['get', kind, '-o', 'name', ...args]))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('/')[1] ?? '');

const site = (name: string, count = 1): object => ({
  apiVersion: `${GROUP}/v2`,
  kind: 'Website',
  metadata: { name },
  spec: { image: { repository: 'shop.local/site' }, replicas: count },
});

/** Starts a replica; the endpoint of its webhooks is there when it returns. */
async function start(name: string): Promise<void> {
  const program = join(import.meta.dirname, '../fixtures/operator/operator.ts');
  const args = [program, file('kubeconfig'), name, board.address, file('cert'), file('key')];
  const child = spawn('nsenter', [`--net=/run/netns/${board.name}`, process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let isLeading = false;
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', () => reject(new Error(`${name} ended`)));
    createInterface(child.stdout).on('line', (line) => {
      if (line === 'leading') isLeading = true;
      else resolve(Number(line.split(' ')[1]));
    });
  });
  replicas.set(name, { child, isLeading: () => isLeading });
  await apply(endpoints(name, board.address, port));
}

async function stop(name: string, signal: NodeJS.Signals): Promise<number | null> {
  const child = replicas.get(name)?.child;
  replicas.delete(name);
  if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
  return child.exitCode;
}

/** All events of a collection after a revision, as the server kept them. */
async function history<T>(path: string, after = begin): Promise<Event<T>[]> {
  const text = await board.ok(['get', '--raw', `${path}?watch=1&timeoutSeconds=1&resourceVersion=${after}`]);
  const events = text.split('\n').filter((line) => line !== '');
  return events.map((line) => {
    if (line.startsWith('{"type":"ERROR"')) throw new Error(`${path} after ${after}: ${line}`);
    return JSON.parse(line) as Event<T>;
  });
}

const LEASES = `/apis/coordination.k8s.io/v1/namespaces/${REGISTRY}/leases`;
const holders: { readonly revision: number; readonly by: string | undefined }[] = [];
/** Notes who held the Lease after a revision; what was before a crash is not told afterwards. */
async function noteHolders(after: string): Promise<void> {
  for (const { object } of await history<V1Lease>(LEASES, after))
    holders.push({ revision: Number(object.metadata?.resourceVersion), by: object.spec?.holderIdentity });
}
const revisionOf = async (path: string): Promise<string> =>
  (await json<{ metadata: { resourceVersion: string } }>(['get', '--raw', path])).metadata.resourceVersion;

const isDone = ({ metadata, status }: Website): boolean =>
  status?.observedGeneration === metadata?.generation;
async function untilAllDone(count: number): Promise<void> {
  await board.until(`${count} websites to be reconciled`, async () => {
    const { items } = await json<{ items: Website[] }>(['get', 'websites', '-o', 'json']);
    return items.length === count && items.every(isDone);
  });
}

/** kubectl as a script would use it: again until it succeeds. */
async function insist(args: readonly string[], input = ''): Promise<void> {
  await board.until(
    `kubectl ${args.join(' ')}`,
    async () => (await board.kubectl(args, { input })).code === 0,
  );
}

it('an object of version 1 becomes one of version 2 through the conversion webhook', async () => {
  await apply(definition([V1], { strategy: 'None' }));
  await board.ok(['wait', '--for=condition=Established', `crd/${DEFINITION}`]);
  const old = { apiVersion: `${GROUP}/v1`, kind: 'Website', metadata: { name: 'old' } };
  begin = await revisionOf(`/apis/${GROUP}/v1/websites`);
  await apply({ ...old, spec: { image: 'shop.local/site:1.0', size: 2 } });
  await start('one');
  await apply(definition([{ ...V1, storage: false }, V2], conversion(caBundle)), ...webhooks(caBundle));
  await board.until(
    'version 2 to be served',
    async () => (await board.kubectl(['get', '--raw', WEBSITES])).code === 0,
  );
  // kubectl remembers what versions there are for hours.
  rmSync(join(board.folder, '.kube/cache'), { recursive: true, force: true });
  await untilAllDone(1);
  const { apiVersion, spec, metadata } = await website('old');
  expect(apiVersion).toBe(`${GROUP}/v2`);
  expect(spec).toEqual({ image: { repository: 'shop.local/site', tag: '1.0' }, replicas: 2 });
  // Written under the new version by the operator, so that it is stored as such.
  expect(metadata?.finalizers).toEqual([FINALIZER]);
  const asV1 = await json<WebsiteV1>(['get', `websites.v1.${GROUP}`, 'old', '-o', 'json']);
  expect(asV1.spec).toEqual({ image: 'shop.local/site:1.0', size: 2 });
});

it('admission webhooks fill in and refuse, whichever version is written', async () => {
  const v1 = { apiVersion: `${GROUP}/v1`, kind: 'Website', metadata: { name: 'first' } };
  await apply({ ...v1, spec: { image: 'shop.local/site', size: 1 } });
  const { spec, metadata } = await website('first');
  expect(spec.image.tag).toBe('stable');
  expect(metadata?.annotations?.[`${GROUP}/asked-by`]).toBe('system:admin');
  const latest = JSON.stringify({
    ...v1,
    metadata: { name: 'bad' },
    spec: { image: 'shop.local/site:latest' },
  });
  expect((await board.kubectl(['create', '-f', '-'], { input: latest })).stderr).toContain(
    `admission webhook "validating.${GROUP}" denied the request: shop.local/site:latest says nothing about what runs`,
  );
  const move = '{"spec":{"image":{"repository":"elsewhere"}}}';
  const moved = await board.kubectl(['patch', 'website', 'first', '--type=merge', '-p', move]);
  expect([moved.code, moved.stderr]).toEqual([1, expect.stringContaining('the repository is immutable')]);
  const many = await board.kubectl(['scale', 'website/first', '--replicas=10']);
  expect(many.stderr).toContain('a website has at most 9 replicas');
  const warned = await board.kubectl(['apply', '--dry-run=server', '-f', '-'], {
    input: JSON.stringify(site('second', 5)),
  });
  expect([warned.code, warned.stderr]).toEqual([
    0,
    expect.stringContaining('Warning: 5 replicas are many for a board'),
  ]);
});

it('the operator reconciles; kubectl gets, waits, explains, describes and scales', async () => {
  await board.ok(['wait', '--for=condition=Ready', 'website/first', '--timeout=90s']);
  await board.ok(['scale', 'website/first', '--replicas=2']);
  await untilAllDone(2);
  expect((await board.ok(['get', 'site'])).split('\n').map((line) => line.split(/\s+/).slice(0, 4))).toEqual([
    ['NAME', 'IMAGE', 'REPLICAS', 'READY'],
    ['first', 'shop.local/site', '2', 'True'],
    ['old', 'shop.local/site', '2', 'True'],
    [''],
  ]);
  expect(await board.ok(['get', 'all'])).toContain(`website.${GROUP}/first`);
  const explained = await board.ok(['explain', 'website.spec.image.repository']);
  expect(explained).toContain('Where the image is, without its tag.');
  expect(await board.ok(['explain', 'website', '--api-version', `${GROUP}/v1`])).toContain('VERSION:    v1');
  const described = await board.ok(['describe', 'website', 'first']);
  expect(described).toMatch(/Message:\s+generation 2 is deployed/);
  const scale = await json<{ spec: object; status: object }>([
    ...['get', '--raw', `/apis/${GROUP}/v2/namespaces/default/websites/first/scale`],
  ]);
  expect([scale.spec, scale.status]).toEqual([{ replicas: 2 }, { replicas: 2, selector: 'website=first' }]);
  // What is taken away or changed by hand comes back.
  await board.ok(['scale', 'deployment/first', '--replicas=0']);
  await board.until('the replicas to be put right', async () => {
    const { spec } = await json<{ spec: { replicas: number } }>(['get', 'deployment', 'first', '-o', 'json']);
    return spec.replicas === 2;
  });
  await board.until('the pods', async () => (await names('pods', '-l', 'website=first')).length === 2);
  expect((await website('first')).status?.results).toBe(2);
});

it('a second replica stands by while the server is killed among changes', async () => {
  await Promise.all([start('two'), noteHolders(begin)]);
  const { uid } = (await lease()).metadata ?? {};
  const sites = Array.from({ length: 12 }, (_, index) => site(`burst-${index}`));
  const applied = insist(['apply', '-f', '-'], sites.map((one) => JSON.stringify(one)).join('\n---\n'));
  await board.until('some of the websites', async () => (await names('websites')).length > 4);
  await board.stop('SIGKILL');
  board.spawn();
  await applied;
  await insist(['scale', 'websites', '--all', '--replicas=0']);
  await untilAllDone(14);
  // Who holds the Lease is known after the crash: nobody else may take it meanwhile.
  const { metadata, spec } = await lease();
  expect([spec?.holderIdentity, spec?.leaseTransitions, metadata?.uid]).toEqual(['one', 0, uid]);
  expect(replicas.get('two')?.isLeading()).toBe(false);
});

it('the second takes over when the first is killed', async () => {
  const before = await revisionOf(LEASES);
  await stop('one', 'SIGKILL');
  // As the controller of EndpointSlices does when a pod is gone.
  await board.ok(['delete', 'endpointslice', 'one', '-n', REGISTRY]);
  await board.ok(['scale', 'websites', '--all', '--replicas=1']);
  await untilAllDone(14);
  const { spec } = await lease();
  expect([spec?.holderIdentity, spec?.leaseTransitions]).toEqual(['two', 1]);
  await noteHolders(before);
});

it('nothing was missed or done twice, and by nobody but the leader', async () => {
  const [websites, deployments, registrations] = await Promise.all([
    history<Website>(WEBSITES),
    history<Website>('/apis/apps/v1/deployments'),
    history<Website>(`/api/v1/namespaces/${REGISTRY}/configmaps`),
  ]);
  const holderAt = (revision: number) => holders.findLast((one) => one.revision < revision)?.by;
  const results = new Map<string, number[]>();
  for (const { object } of websites) {
    const { name = '', resourceVersion } = object.metadata ?? {};
    const done = results.get(name) ?? [];
    results.set(name, done);
    const { observedGeneration, results: count = 0, by } = object.status ?? {};
    if (count === done.length) continue;
    done.push(observedGeneration ?? 0);
    expect([name, count, by]).toEqual([name, done.length, holderAt(Number(resourceVersion))]);
  }
  expect(results.size).toBe(14);
  const { items } = await json<{ items: Website[] }>(['get', 'websites', '-o', 'json']);
  for (const { metadata: { name = '', generation } = {}, status } of items) {
    const generations = results.get(name) ?? [];
    expect(generations).toEqual([...new Set(generations)].sort((a, b) => a - b));
    expect([name, generations.at(-1), status?.results]).toEqual([name, generation, generations.length]);
  }
  const added = (events: readonly Event<Website>[]) =>
    events.filter(({ type }) => type === 'ADDED').map(({ object }) => object.metadata?.name);
  const sorted = [...results.keys()].sort();
  expect(added(deployments).sort()).toEqual(sorted);
  expect(
    added(registrations)
      .filter((name) => name !== 'kube-root-ca.crt')
      .sort(),
  ).toEqual(sorted.map((name) => `default.${name}`));
});

it('version 1 may go when everything is stored as version 2', async () => {
  const onlyV2 = JSON.stringify(definition([V2], { strategy: 'None' }));
  expect((await board.kubectl(['apply', '-f', '-'], { input: onlyV2 })).stderr).toContain(
    'status.storedVersions[0]: Invalid value: "v1"',
  );
  const stored = '{"status":{"storedVersions":["v2"]}}';
  await board.ok(['patch', 'crd', DEFINITION, '--subresource=status', '--type=merge', '-p', stored]);
  await board.apply(onlyV2);
  await board.until('version 1 to be gone', async () => {
    const { code } = await board.kubectl(['get', '--raw', `/apis/${GROUP}/v1/websites`]);
    return code !== 0;
  });
  // Nothing converts it any more: as it is stored, so it is read.
  expect((await website('old')).spec.image).toEqual({ repository: 'shop.local/site', tag: '1.0' });
});

it('a deleted website takes along what it owns, and its finalizer the rest, also after a time without operator', async () => {
  await board.ok(['delete', 'website', 'first', '--cascade=foreground', '--timeout=90s']);
  expect(await names('deployments,replicasets,pods', '-l', 'website=first')).toEqual([]);
  expect(await names('configmaps', '-n', REGISTRY)).not.toContain('default.first');
  // It goes in peace: the Lease is given back.
  expect(await stop('two', 'SIGTERM')).toBe(0);
  expect((await lease()).spec?.holderIdentity).toBe('');
  await board.ok(['delete', 'websites', '--all', '--wait=false']);
  await board.ok(['delete', 'endpointslice', 'two', '-n', REGISTRY]);
  await board.ok(['wait', '--for=jsonpath={.metadata.deletionTimestamp}', 'website/old']);
  expect((await names('websites')).length).toBe(13);
  expect(await names('configmaps', '-n', REGISTRY)).toContain('default.old');
  await start('three');
  await board.ok(['wait', '--for=delete', 'websites', '--all', '--timeout=90s']);
  await board.until(
    'everything to be collected',
    async () => (await names('deployments,replicasets,pods')).length === 0,
  );
  expect(await names('configmaps', '-n', REGISTRY)).toEqual(['kube-root-ca.crt']);
});
