import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IMAGE } from './board.ts';
import { Release, Service, traces } from './installation.ts';
import { Machine } from './machine.ts';

/**
 * A user's first evening with two boards: install a server, join an agent, run an application over both, shut others
 * out of it, pull the link, kill the server, upgrade it, and take everything away again.
 */
const root = resolve(import.meta.dirname, '../..');
const OUTSIDE = '192.168.79.2';
const APPLICATION = `
apiVersion: v1
kind: Service
metadata: { name: back }
spec: { selector: { app: back }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: front }
spec: { type: NodePort, selector: { app: front }, ports: [{ port: 80, nodePort: 30080 }] }
---
${deployment('back', 'server', 'echo from the back >/www/index.html; exec httpd -f -p 80 -h /www')}
---
${deployment('front', 'agent', 'echo from the front | tee /www/index.html; exec httpd -f -p 80 -h /www')}
---
${deployment('stranger', 'agent', 'exec sleep 100000')}
`;
const POLICY = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: only-the-front }
spec:
  podSelector: { matchLabels: { app: back } }
  ingress: [{ from: [{ podSelector: { matchLabels: { app: front } } }] }]
`;

function deployment(name: string, board: string, command: string): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      nodeSelector: { kubernetes.io/hostname: ${board} }
      terminationGracePeriodSeconds: 1
      containers: [{ name: main, image: ${IMAGE}, command: [sh, -c, ${JSON.stringify(command)}] }]`;
}

let a: Machine;
let b: Machine;
let release: Release;
let server: Service;
let agent: Service;
let before: { a: Record<string, string>; b: Record<string, string> };
beforeAll(async () => {
  a = await Machine.boot();
  b = await Machine.boot({ address: '192.168.78.2/24', behind: a });
  for (const [machine, name] of [
    [a, 'server'],
    [b, 'agent'],
  ] as const) {
    await machine.ok(['hostname', name]);
  }
  connectOutside();
  release = await Release.serve(a, '192.168.78.1');
  server = new Service(a, 'kedge.service');
  agent = new Service(b, 'kedge-agent.service');
  before = { a: await traces(a), b: await traces(b) };
  for (const { varLib } of [a, b]) {
    const images = join(varLib, 'kedge/agent/images');
    mkdirSync(images, { recursive: true });
    const archive = join(images, 'busybox.tar');
    execFileSync(process.execPath, [join(root, 'test/fixtures/busybox-image.ts'), archive, IMAGE]);
  }
});
afterAll(async () => {
  execFileSync('ip', ['netns', 'delete', `${a.name}out`]);
  await b.remove();
  await a.remove();
});

/** Somebody who is no board, on a wire of their own to A. */
function connectOutside(): void {
  const outside = `${a.name}out`;
  const ip = (...words: string[]): unknown => execFileSync('ip', words.join(' ').split(' '));
  ip('netns add', outside);
  ip('-n', outside, `link add eth0 type veth peer name eth2 netns ${a.name}`);
  ip('-n', a.name, 'address add 192.168.79.1/24 dev eth2');
  ip('-n', a.name, 'link set eth2 up');
  ip('-n', outside, `address add ${OUTSIDE}/24 dev eth0`);
  ip('-n', outside, 'link set eth0 up');
  ip('-n', outside, 'route add default via 192.168.79.1');
}
function fromOutside(address: string): string {
  const argv = ['netns', 'exec', `${a.name}out`, 'curl', '-sS', '--max-time', '10', address];
  return execFileSync('ip', argv, { encoding: 'utf8' });
}

const kubectl = (...args: string[]): Promise<string> => a.ok(['kubectl', ...args]);
async function podOf(app: string): Promise<string> {
  return (await kubectl('get', 'pods', '-l', `app=${app}`, '-o', 'name')).trim();
}
/** Asks a Service by name from inside a pod. */
async function ask(from: string, service: string): Promise<string> {
  const request = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 10 ${service} 80`;
  const { stdout } = await a.run(['kubectl', 'exec', await podOf(from), '--', 'sh', '-c', request]);
  return stdout.split('\r\n\r\n')[1]?.trim() ?? '';
}
const answers = (from: string, service: string, text: string): Promise<void> =>
  a.until(`${service} to answer ${from}`, async () => (await ask(from, service)) === text);
async function restarts(): Promise<readonly string[]> {
  const lines = (await kubectl('get', 'pods', '--no-headers')).trim().split('\n');
  return lines.map((line) => `${line.split('-')[0]} ${line.split(/ +/)[3]}`).sort();
}
const isReady = async (node: string): Promise<boolean> =>
  / Ready /.test(await kubectl('get', 'node', node, '--no-headers'));

describe('the first evening', () => {
  it('installs a server and joins an agent with its token', async () => {
    const first = await release.install(a);
    expect([first.code, first.output]).toEqual([0, expect.stringMatching(/starting kedge\.service/)]);
    const token = (await a.ok(['cat', '/var/lib/kedge/server/node-token'])).trim();
    const second = await release.install(b, '', {
      KEDGE_URL: 'https://192.168.78.1:6443',
      KEDGE_TOKEN: token,
    });
    expect([second.code, second.output]).toEqual([0, expect.stringMatching(/starting kedge-agent\.service/)]);
    expect(await kubectl('get', 'nodes', '--no-headers')).toMatch(/^agent +Ready [^\n]*\nserver +Ready /);
    expect(await b.ok(['stat', '--format=%a', '/etc/kedge/kedge-agent.env'])).toBe('600\n');
    const unit = '/etc/systemd/system/kedge-agent.service';
    expect(await b.run(['systemd-analyze', 'verify', unit])).toEqual({ code: 0, stdout: '', stderr: '' });
    // An upgrade by the short line does not make a server of it.
    const again = await release.install(b);
    expect([again.code, again.output]).toEqual([
      0,
      expect.stringMatching(/kedge-agent\.service runs and nothing/),
    ]);
    const other = await release.install(b, 'server');
    expect([other.code, other.output]).toEqual([
      1,
      expect.stringMatching(/this board runs kedge-agent\.service/),
    ]);
  });

  it('runs an application over both boards that is reached from outside', async () => {
    await a.ok(['kubectl', 'apply', '-f', '-'], { input: APPLICATION });
    for (const name of ['back', 'front', 'stranger'])
      await kubectl('rollout', 'status', `deployment/${name}`, '--timeout=60s');
    await answers('front', 'back', 'from the back');
    await answers('stranger', 'back', 'from the back');
    await answers('back', 'front', 'from the front');
    for (const address of ['192.168.79.1', '192.168.78.2'])
      expect(fromOutside(`http://${address}:30080/`)).toBe('from the front\n');
    expect(await kubectl('logs', await podOf('front'))).toBe('from the front\n');
  });

  it('shuts strangers out by policy', async () => {
    await a.ok(['kubectl', 'apply', '-f', '-'], { input: POLICY });
    await a.until('the stranger to be shut out', async () => (await ask('stranger', 'back')) === '');
    await answers('front', 'back', 'from the back');
    await kubectl('delete', 'networkpolicy', 'only-the-front');
    await answers('stranger', 'back', 'from the back');
  });

  it('goes on when the link is pulled, when the server is killed, and when it is upgraded', async () => {
    const pods = { a: await server.containers(), b: await agent.containers() };
    const link = (state: string): unknown => execFileSync('ip', ['-n', b.name, 'link', 'set', 'eth0', state]);
    link('down');
    const [victim = ''] = pods.b.split('\n');
    await b.ok(['kill', '-9', victim]);
    await b.until('what crashed to run again', async () => {
      const now = (await agent.containers()).split('\n');
      return !now.includes(victim) && now.length === pods.b.split('\n').length;
    });
    link('up');
    execFileSync('ip', ['-n', b.name, 'route', 'replace', 'default', 'via', '192.168.78.1']);
    await a.until('the restart to be known', async () =>
      (await restarts()).some((one) => one.endsWith(' 1')),
    );
    const known = await restarts();
    pods.b = await agent.containers();

    const pid = await server.pid();
    await a.ok(['kill', '-9', pid]);
    await a.until(
      'the server to be back',
      async () => (await server.pid()) !== pid && (await server.isActive()),
    );
    release.publishAnother();
    const upgrade = await release.install(a);
    expect([upgrade.code, upgrade.output]).toEqual([0, expect.stringMatching(/starting kedge\.service/)]);
    await a.until(
      'both boards to be ready',
      async () => (await isReady('agent')) && (await isReady('server')),
    );
    expect({ a: await server.containers(), b: await agent.containers() }).toEqual(pods);

    await a.ok(['systemctl', 'stop', 'kedge.service']);
    await b.ok(['systemctl', 'restart', 'kedge-agent.service']);
    expect(await agent.containers()).toBe(pods.b);
    await a.ok(['systemctl', 'start', 'kedge.service']);
    await a.until(
      'both boards to be ready',
      async () => (await isReady('agent')) && (await isReady('server')),
    );
    await answers('front', 'back', 'from the back');
    expect({ a: await server.containers(), b: await agent.containers() }).toEqual(pods);
    expect(await restarts()).toEqual(known);
  });

  it('leaves both boards as they were', async () => {
    await b.ok(['kedge-uninstall.sh']);
    expect(await traces(b)).toEqual(before.b);
    await a.ok(['kedge-uninstall.sh']);
    expect(await traces(a)).toEqual(before.a);
  });
});
