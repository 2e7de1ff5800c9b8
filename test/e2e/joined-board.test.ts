import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Board, IMAGE, KEDGE, Lan, type Output } from './board.ts';

/** A server without pods and a board that joins it, on one wire: joining, and living without the server. */
const lan = Lan.create();
const server = Board.create({ lan, agent: false });
let board: Board;
let token = '';
/** A second board that wants the first one's name. */
let twin: Promise<Output>;

const files = (): string => join(board.folder, 'out');
const said = (name: string): string =>
  existsSync(join(files(), name)) ? readFileSync(join(files(), name), 'utf8') : '';
const lines = (name: string): number => said(name).split('\n').length - 1;
const joinAs = (name: string, wanted: string): Promise<Output> => {
  const dir = join(server.folder, name);
  return server.run(
    [
      ...[KEDGE, 'agent', '--config', '/dev/null', '--data-dir', `${dir}/data`, '--state-dir', `${dir}/run`],
      ...['--node-name', name, '--server', `https://${server.address}:6443`, '--token', wanted],
    ],
    { timeoutMs: 170_000 },
  );
};
const lastLine = ({ stderr }: Output): string => stderr.trim().split('\n').at(-1) ?? '';

const pods = (): string => `
apiVersion: v1
kind: ConfigMap
metadata: {name: words}
data: {greeting: hello}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: friends}
spec: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: friend}}}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  nodeName: board3
  containers:
  - name: main
    image: ${IMAGE}
    env: [{name: GREETING, valueFrom: {configMapKeyRef: {name: words, key: greeting}}}]
    command: [sh, -c, 'echo started >> /out/web; mkdir /www; echo $GREETING > /www/index.html; exec httpd -f -p 8080 -h /www']
    volumeMounts: [{name: out, mountPath: /out}]
  volumes: [{name: out, hostPath: {path: ${files()}}}]
${['friend', 'stranger'].map(visitor).join('')}`;

/** Writes to a file of its own name what the web server answers by its Service's name. */
const visitor = (name: string): string => `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${name}}}
spec:
  nodeName: board3
  containers:
  - name: main
    image: ${IMAGE}
    command: [sh, -c, 'while sleep 1; do printf "GET / HTTP/1.0\\r\\n\\r\\n" | nc -w 2 web.default.svc.cluster.local 80 | grep -q hello && date >> /out/${name}; done']
    volumeMounts: [{name: out, mountPath: /out}]
  volumes: [{name: out, hostPath: {path: ${files()}}}]
`;

async function uids(): Promise<string> {
  return await server.ok([
    'get',
    'pods',
    '-o',
    'jsonpath={range .items[*]}{.metadata.name}={.metadata.uid} {end}',
  ]);
}
async function restarts(): Promise<number> {
  const path = 'jsonpath={.status.containerStatuses[0].restartCount}';
  return Number(await server.ok(['get', 'pod', 'web', '-o', path]));
}
/** Kills the web server's process as if it had crashed. */
async function crash(): Promise<void> {
  const pid = board.enter([
    'sh',
    '-c',
    `pgrep -f "^httpd -f -p 8080" | while read p; do grep -q ${board.name} /proc/$p/cgroup && echo $p; done`,
  ]);
  process.kill(Number(pid.trim()), 'SIGKILL');
}

beforeAll(async () => {
  await server.start();
  const { stdout } = await server.kedge(
    ['token', 'create', '--ttl', '1h', '--description', 'roof'],
    undefined,
  );
  token = stdout.trim();
  board = Board.create({ lan, host: 3, server, token });
  mkdirSync(files());
  await board.start();
  twin = joinAs('board3', token);
});
afterAll(async () => {
  await board?.remove();
  await server.remove();
  lan.remove();
});

describe('joining', () => {
  it('takes tokens that kedge token makes, and shows them', async () => {
    expect(token).toMatch(/^K10[0-9a-f]{64}::[a-z0-9]{6}\.[a-z0-9]{16}$/);
    const { stdout } = await server.kedge(['token', 'list']);
    expect(stdout).toMatch(/^TOKEN +TTL +EXPIRES +USAGES +DESCRIPTION +EXTRA GROUPS\n/);
    expect(stdout).toMatch(
      / (59m|60m|1h) .* signing,authentication +roof +system:bootstrappers:kedge:default-node-token/,
    );
    const command = await server.kedge(['token', 'create', '--print-join-command']);
    expect(command.stdout).toMatch(/^kedge agent --server https:\/\/192\.168\.77\.2:6443 --token K10/);
    const requests = await server.ok(['get', 'csr', '--no-headers']);
    expect(requests).toMatch(
      /kube-apiserver-client-kubelet +system:bootstrap:[a-z0-9]{6} .* Approved,Issued/,
    );
  });

  it('ends in one line and an exit code where a person has to act', async () => {
    const { stdout } = await server.kedge(['token', 'create']);
    const [, id = ''] = /::([a-z0-9]{6})\./.exec(stdout) ?? [];
    expect(await server.kedge(['token', 'delete', id])).toMatchObject({
      code: 0,
      stdout: `bootstrap token "${id}" deleted\n`,
    });
    const wrong: [string, RegExp][] = [
      [
        stdout.trim(),
        new RegExp(`^kedge: .* does not accept the token: ${id}\\.… has expired, was deleted or is wrong`),
      ],
      [token.replace(/::.*/, '::node:guess'), /^kedge: .* does not accept the token: its secret is wrong/],
      [token.replace(/^K10.{6}/, 'K10000000'), /^kedge: .* is not the server that the token is for/],
      ['just-a-secret', /^kedge: the token is only a secret .* use the whole token, K10/],
    ];
    const outcomes = await Promise.all(wrong.map(([one], index) => joinAs(`stray${index}`, one)));
    outcomes.forEach((outcome, index) => {
      expect(lastLine(outcome)).toMatch(wrong[index]?.[1] ?? /never/);
      expect(outcome.code).toBe(1);
    });
    expect((await joinAs('stray', 'K10cut-off')).code).toBe(2);
  });

  it('leaves a name to the board that is at work', async () => {
    const outcome = await twin;
    expect(lastLine(outcome)).toBe(
      'kedge: another board is at work as "board3": give this one another --node-name, or stop the other',
    );
    expect(outcome.code).toBe(1);
  });

  it('gives a credential that opens nothing but its own node', async () => {
    await server.ok(['create', 'secret', 'generic', 'foreign', '--from-literal=word=rain']);
    const identity = join(board.dataDir, 'agent/tls/client-kubelet.pem');
    const asNode = async (...args: string[]): Promise<Output> =>
      await board.kubectl([
        ...['--kubeconfig=/dev/null', `--server=https://${server.address}:6443`],
        ...[`--certificate-authority=${server.dataDir}/server/tls/server-ca.crt`],
        ...[`--client-certificate=${identity}`, `--client-key=${identity}`],
        ...args,
      ]);
    expect((await asNode('label', 'node', 'board3', 'place=roof')).code).toBe(0);
    for (const args of [
      ['get', 'secret', 'foreign'],
      ['get', 'secrets', '-A'],
      ['create', 'token', 'default'],
      ['delete', 'node', 'board3'],
      ['create', 'configmap', 'mine'],
    ]) {
      const { code, stderr } = await asNode(...args);
      expect(stderr, args.join(' ')).toMatch(/forbidden/i);
      expect(code).toBe(1);
    }
  });
});

describe('a board whose server is gone', () => {
  let before = '';

  it('runs pods that the server bound to it', async () => {
    await server.apply(pods());
    await board.until('pods to run and talk', () => lines('friend') > 0);
    const slice = join(board.dataDir, 'agent/known/endpointslices.json');
    await board.until('the Service to be kept', () => /"web-\w+"/.test(readFileSync(slice, 'utf8')));
    expect(said('stranger')).toBe('');
    before = await uids();
    expect(await server.ok(['logs', 'friend', '--tail=1'])).toBe('');
  });

  it('restarts what crashes', async () => {
    await server.stop('SIGKILL');
    const started = lines('web');
    await crash();
    await board.until('the web server to be started again', () => lines('web') === started + 1);
    const heard = lines('friend');
    await board.until('the friend to be answered', () => lines('friend') > heard);
  });

  it('starts its pods, Services, names and policies after a reboot', async () => {
    const started = lines('web');
    await board.powerCycle();
    const heard = lines('friend');
    board.spawn();
    await board.until('the web server to run', () => lines('web') === started + 1);
    await board.until('the friend to be answered', () => lines('friend') > heard + 1);
    expect(said('stranger')).toBe('');
    expect(board.log).toMatch(/the server does not answer; pods go on/);
  });

  it('goes on with the same pods when the server is back', async () => {
    const started = lines('web');
    await server.start();
    await server.until('the board to be Ready', async () =>
      / Ready /.test(await server.ok(['get', 'node', 'board3', '--no-headers'])),
    );
    await server.until('the pod to be said to run', async () => {
      const { stdout } = await server.kubectl([
        'get',
        'pod',
        'web',
        '-o',
        'jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.containerStatuses[0].restartCount}',
      ]);
      return stdout === 'True 2';
    });
    expect(await uids()).toBe(before);
    const heard = lines('friend');
    await board.until('the friend to be answered', () => lines('friend') > heard + 1);
    expect(lines('web')).toBe(started);
    expect(await restarts()).toBe(2);
    expect(said('stranger')).toBe('');
    const page = ['exec', 'web', '--', 'cat', '/www/index.html'];
    await server.until(
      'the board to be reached',
      async () => (await server.kubectl(page)).stdout === 'hello\n',
    );
  });
});
