import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Board, IMAGE } from './board.ts';

/** NetworkPolicies on real pods of one board, with real packets. */
let board: Board;
beforeAll(async () => {
  board = Board.create();
  await board.start();
  expect(tables()).not.toContain('kedge-policy');
  await board.apply(`
apiVersion: v1
kind: Namespace
metadata: { name: blue, labels: { team: blue } }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: http }] }
---
${server}---
${client('friend', 'default')}---
${client('stranger', 'default')}---
${client('visitor', 'blue')}`);
  await board.ok(['wait', '--for=condition=Ready', 'pod', '--all', '-A', '--timeout=90s']);
  [web, friend] = await Promise.all([field('web', '.status.podIP'), field('friend', '.status.podIP')]);
  service = await board.ok(['get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}']);
});
afterAll(async () => await board.remove());
afterEach(async () => await board.ok(['delete', 'networkpolicy', '--all', '--wait']));

let web = '';
let friend = '';
let service = '';

const server = `
apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: main
      image: ${IMAGE}
      command: [sh, -c, "nc -ll -p 9090 -e echo admin & exec nc -ll -p 8080 -e echo web"]
      ports: [{ name: http, containerPort: 8080 }, { name: admin, containerPort: 9090 }]
      readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 1 }
`;
const client = (name: string, namespace: string): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: ${namespace}, labels: { role: ${name} } }
spec:
  terminationGracePeriodSeconds: 0
  containers: [{ name: main, image: ${IMAGE}, command: [sleep, "100000"] }]
`;
const policy = (name: string, spec: object): Promise<string> =>
  board.apply(
    JSON.stringify({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name },
      spec,
    }),
  );
const field = (pod: string, path: string): Promise<string> =>
  board.ok(['get', 'pod', pod, '-o', `jsonpath={${path}}`]);
const tables = (): string => board.enter(['nft', 'list', 'tables']);

/** Whether a pod gets an answer; who expects one gives a slow machine more time for it. */
async function reaches(from: string, address: string, port: number, isExpected: boolean): Promise<boolean> {
  const namespace = from === 'visitor' ? 'blue' : 'default';
  const ask = `nc -w ${isExpected ? 10 : 1} ${address} ${port} </dev/null`;
  const { stdout } = await board.kubectl(['exec', '-n', namespace, from, '--', 'sh', '-c', ask]);
  return /^(web|admin)$/m.test(stdout);
}
/** Policies take effect soon after they are written, not with the answer. */
async function becomes(from: string, address: string, port: number, wanted: boolean): Promise<void> {
  await board.until(
    `${from} ${wanted ? 'to reach' : 'not to reach'} ${address}:${port}`,
    async () => (await reaches(from, address, port, wanted)) === wanted,
    60_000,
  );
}
const onlyWeb = { podSelector: { matchLabels: { app: 'web' } } };
const role = (name: string) => ({ podSelector: { matchLabels: { role: name } } });

describe('ingress', () => {
  it('is open without policies, shut by one that allows nothing, and open again without it', async () => {
    for (const from of ['friend', 'stranger', 'visitor'])
      expect(await reaches(from, web, 8080, true)).toBe(true);
    expect(await reaches('friend', service, 80, true)).toBe(true);
    await policy('deny-all', { podSelector: {} });
    await becomes('friend', web, 8080, false);
    expect(await reaches('visitor', web, 9090, false)).toBe(false);
    expect(await reaches('friend', service, 80, false)).toBe(false);
    // The node reaches its own pods, so that probes go on.
    expect(board.enter(['sh', '-c', `busybox nc -w 10 ${web} 8080 </dev/null`])).toBe('web\n');
    await new Promise((later) => setTimeout(later, 2500));
    expect(await field('web', '.status.conditions[?(@.type=="Ready")].status')).toBe('True');
    // A pod cannot be kept from itself.
    expect(await reaches('web', service, 80, true)).toBe(true);
    expect(tables()).toContain('kedge-policy');
    await board.ok(['delete', 'networkpolicy', 'deny-all']);
    await becomes('friend', web, 8080, true);
    await becomes('friend', service, 80, true);
    await board.until('the table to be gone', () => !tables().includes('kedge-policy'));
  });

  it('opens by pod label, also through a Service', async () => {
    await policy('friends', { ...onlyWeb, ingress: [{ from: [role('friend')] }] });
    await becomes('stranger', web, 8080, false);
    expect(await reaches('friend', web, 8080, true)).toBe(true);
    expect(await reaches('friend', service, 80, true)).toBe(true);
    expect(await reaches('stranger', service, 80, false)).toBe(false);
    expect(await reaches('visitor', web, 8080, false)).toBe(false);
    await board.ok(['label', 'pod', 'stranger', '--overwrite', 'role=friend']);
    await becomes('stranger', web, 8080, true);
    await board.ok(['label', 'pod', 'stranger', '--overwrite', 'role=stranger']);
    await becomes('stranger', web, 8080, false);
  });

  it('opens by namespace label', async () => {
    const from = [{ namespaceSelector: { matchLabels: { team: 'blue' } } }];
    await policy('blue', { ...onlyWeb, ingress: [{ from }] });
    await becomes('friend', web, 8080, false);
    expect(await reaches('visitor', web, 8080, true)).toBe(true);
    await board.ok(['label', 'namespace', 'blue', '--overwrite', 'team=red']);
    await becomes('visitor', web, 8080, false);
    await board.ok(['label', 'namespace', 'blue', '--overwrite', 'team=blue']);
  });

  it('opens by address, with exceptions', async () => {
    const from = [{ ipBlock: { cidr: '10.42.0.0/16', except: [`${friend}/32`] } }];
    await policy('block', { ...onlyWeb, ingress: [{ from }] });
    await becomes('friend', web, 8080, false);
    expect(await reaches('stranger', web, 8080, true)).toBe(true);
  });

  it('opens by named and numbered port', async () => {
    await policy('http', { ...onlyWeb, ingress: [{ from: [role('friend')], ports: [{ port: 'http' }] }] });
    await becomes('friend', web, 9090, false);
    expect(await reaches('friend', web, 8080, true)).toBe(true);
    expect(await reaches('stranger', web, 8080, false)).toBe(false);
    await policy('admin', { ...onlyWeb, ingress: [{ ports: [{ port: 9000, endPort: 9100 }] }] });
    await becomes('stranger', web, 9090, true);
    expect(await reaches('stranger', web, 8080, false)).toBe(false);
  });
});

describe('egress', () => {
  it('is shut, opens to pods, and to names by the usual rule', async () => {
    const deny = { ...role('friend'), policyTypes: ['Egress'] };
    await policy('leave', deny);
    await becomes('friend', web, 8080, false);
    expect(await reaches('stranger', web, 8080, true)).toBe(true);
    const toWeb = { to: [onlyWeb], ports: [{ port: 8080 }] };
    await policy('leave', { ...deny, egress: [toWeb] });
    await becomes('friend', web, 8080, true);
    expect(await reaches('friend', service, 80, true)).toBe(true);
    expect(await reaches('friend', web, 9090, false)).toBe(false);
    expect(await reaches('friend', 'web', 80, false)).toBe(false);
    const toNames = {
      to: [
        {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
          podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
        },
      ],
      ports: [{ port: 53, protocol: 'UDP' }],
    };
    await policy('leave', { ...deny, egress: [toWeb, toNames] });
    await becomes('friend', 'web', 80, true);
  });
});

describe('a pod that starts', () => {
  it('is under its policies before its first packet', async () => {
    await policy('leave', { ...role('early'), policyTypes: ['Egress'] });
    const early = (name: string, label: string): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { role: ${label} } }
spec:
  terminationGracePeriodSeconds: 0
  restartPolicy: Never
  containers:
    - { name: main, image: ${IMAGE}, command: [sh, -c, "nc -w 1 ${web} 8080 </dev/null 2>/dev/null || echo silence"] }
`;
    await board.apply(
      [early('e1', 'early'), early('e2', 'early'), early('e3', 'early'), early('open', 'open')].join('---'),
    );
    for (const [name, said] of [
      ['e1', 'silence'],
      ['e2', 'silence'],
      ['e3', 'silence'],
      ['open', 'web'],
    ] as const) {
      await board.until(`${name} to end`, async () => (await field(name, '.status.phase')) === 'Succeeded');
      expect(await board.ok(['logs', name])).toBe(`${said}\n`);
    }
    await board.ok(['delete', 'pod', 'e1', 'e2', 'e3', 'open', '--wait']);
  });
});

describe('the server', () => {
  it('leaves rules in the kernel when it is killed, takes them over, and removes them when told to enforce none', async () => {
    await policy('friends', { ...onlyWeb, ingress: [{ from: [role('friend')] }] });
    await becomes('stranger', web, 8080, false);
    const rules = (): string => board.enter(['nft', '--stateless', 'list', 'table', 'inet', 'kedge-policy']);
    const before = rules();
    await board.stop('SIGKILL');
    expect(rules()).toBe(before);
    await board.start();
    expect(await reaches('stranger', web, 8080, false)).toBe(false);
    expect(await reaches('friend', web, 8080, true)).toBe(true);
    await board.stop();
    process.env['KEDGE_DISABLE_NETWORK_POLICY'] = 'true';
    await board.start().finally(() => delete process.env['KEDGE_DISABLE_NETWORK_POLICY']);
    await becomes('stranger', web, 8080, true);
    expect(tables()).not.toContain('kedge-policy');
  });
});
