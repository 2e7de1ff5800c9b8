import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Board, IMAGE, Lan, NatRouter, type Output } from './board.ts';
import { KUBECTL } from './clients.ts';

/**
 * Two boards on one network, and a third behind a router that hides it: logs, commands and statistics over the
 * connection that agents open; pods, Services, names and policies between the boards; a cable that is pulled, and an
 * address that changes.
 */
let lan: Lan;
let router: NatRouter;
let a: Board;
let b: Board;
let hidden: Board;
const ip: Record<string, string> = {};
/** Last part of the router's address, and the port of the switch that it is plugged into. */
const ROUTER = 9;
const MOVED = '192.168.77.33';

/** Answers with its name and the address of who asks; the other port with a name alone. */
const server = (name: string, node: string): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: web, name: ${name} } }
spec:
  nodeName: ${node}
  terminationGracePeriodSeconds: 0
  containers:
    - name: main
      image: ${IMAGE}
      command:
        - sh
        - -c
        - |
          mkdir -p /www; head -c 5000000 /dev/zero > /www/much; httpd -h /www -p 8000
          nc -ll -p 9090 -e echo admin &
          echo "serving ${name}"
          exec nc -ll -p 8080 -e sh -c 'echo ${name}; netstat -tn | grep :8080'
      ports: [{ name: http, containerPort: 8080 }, { name: admin, containerPort: 9090 }, { name: files, containerPort: 8000 }]
      readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 }
`;
const client = (name: string, node: string, namespace = 'default'): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: ${namespace}, labels: { role: ${name} } }
spec:
  nodeName: ${node}
  terminationGracePeriodSeconds: 0
  containers:
    - { name: main, image: ${IMAGE}, command: [sh, -c, "echo started; exec sleep 100000"] }
`;
const service = (name: string, target: string, more = ''): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { ${target} }, ports: [{ port: 80, targetPort: http }]${more} }
`;

beforeAll(async () => {
  lan = Lan.create();
  lan.enter(['ip', 'address', 'add', `${lan.prefix}.200/24`, 'dev', 'lan']);
  router = new NatRouter(lan, ROUTER);
  a = Board.create({ lan, host: 2 });
  b = Board.create({ lan, host: 3, server: a });
  hidden = Board.create({ lan: router, host: 4, server: a });
  await a.start();
  await Promise.all([b.start(), hidden.start()]);
  await a.apply(
    [
      '\napiVersion: v1\nkind: Namespace\nmetadata: { name: blue, labels: { team: blue } }\n',
      ...[server('web-a', a.nodeName), server('web-b', b.nodeName)],
      ...[client('client-a', a.nodeName), client('client-b', b.nodeName)],
      ...[client('visitor-a', a.nodeName, 'blue'), client('visitor-b', b.nodeName, 'blue')],
      client('far', hidden.nodeName),
      service('web', 'app: web'),
      service('sticky', 'app: web', ', sessionAffinity: ClientIP'),
      service('only-a', 'name: web-a', ', type: NodePort'),
      service('only-b', 'name: web-b', ', type: NodePort'),
      service('local-b', 'name: web-b', ', type: NodePort, externalTrafficPolicy: Local'),
    ].join('---'),
  );
  await a.ok(['wait', '--for=condition=Ready', 'pod', '--all', '-A', '--timeout=60s']);
  const lines = await a.ok([
    ...['get', 'pods', '-A', '--no-headers'],
    ...['-o', 'custom-columns=n:.metadata.name,ip:.status.podIP'],
  ]);
  for (const line of lines.trim().split('\n')) {
    const [name = '', address = ''] = line.split(/ +/);
    ip[name] = address;
  }
}, 180_000);
afterAll(async () => {
  for (const board of [hidden, b, a]) await board?.remove();
  router?.remove();
  lan?.remove();
});

const kubectl = KUBECTL['1.35']();
const shell = (script: string): Promise<Output> => a.run(['sh', '-c', script]);
const inPodOutput = (pod: string, script: string): Promise<Output> => {
  const namespace = pod.startsWith('visitor') ? 'blue' : 'default';
  return a.kubectl(['exec', '-n', namespace, pod, '--', 'sh', '-c', script]);
};
/** What a command says, which may fail; that it could not be run at all is an error. */
const inPod = async (pod: string, script: string): Promise<string> => {
  const { stdout, stderr } = await inPodOutput(pod, script);
  const unexpected = stderr.replace(/^(nc: .*|command terminated with exit code \d+)$/gm, '').trim();
  if (stdout === '' && unexpected !== '') throw new Error(`${script} in ${pod}: ${unexpected}`);
  return stdout;
};
/** What a pod is told; who expects an answer gives a slow machine more time for it. */
const ask = (pod: string, address: string, port: number, isExpected = true): Promise<string> =>
  inPod(pod, `nc -w ${isExpected ? 10 : 1} ${address} ${port} </dev/null`);
const nodePort = (name: string): Promise<string> =>
  a.ok(['get', 'service', name, '-o', 'jsonpath={.spec.ports[0].nodePort}']);
/** From a machine beside the boards. */
const fromOutside = (board: Board, port: string, isExpected = true): string =>
  lan.enter(['sh', '-c', `busybox nc -w ${isExpected ? 10 : 1} ${board.address} ${port} </dev/null || true`]);

/** Into the log of the pod, until nobody can be waiting for it any more. */
const SPEAK = 'for i in $(seq 20); do sleep 0.3; echo one more > /proc/1/fd/1; done';

/** The size comes a moment after the terminal. */
const RESIZED = 'until stty size | grep 33.91; do sleep 0.3; done';

/** What the server asks of a board, over the connection that the board's agent opened. */
function describeReaching(what: string, board: () => Board, pod: string): void {
  describe(`a board ${what}`, () => {
    it('shows logs, and follows them', async () => {
      expect(await a.ok(['logs', pod])).toBe('started\n');
      const { stdout } = await shell(`
        ${kubectl} exec ${pod} -- sh -c '${SPEAK}' &
        timeout 60 ${kubectl} logs -f ${pod} | head -n 2`);
      expect(stdout).toBe('started\none more\n');
    });

    it('runs commands, with input, exit code and terminal', async () => {
      expect(
        await a.kubectl(['exec', pod, '--', 'sh', '-c', 'echo out; echo err >&2; exit 7']),
      ).toMatchObject({
        code: 7,
        stdout: 'out\n',
        stderr: expect.stringMatching(/^err\n/),
      });
      const much = await shell(`seq 300000 | ${kubectl} exec -i ${pod} -- sha256sum; seq 300000 | sha256sum`);
      expect(new Set(much.stdout.trim().split('\n')).size).toBe(1);
      const spdy = await a.kubectl(['exec', '-i', pod, '--', 'cat'], {
        input: 'over spdy\n',
        version: '1.30',
        env: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false' },
      });
      expect(spdy.stdout).toBe('over spdy\n');
      const terminal = await shell(
        `script -qec "stty cols 91 rows 33; ${kubectl} exec -it ${pod} -- sh -c 'tty; ${RESIZED}'" /dev/null`,
      );
      expect(terminal.stdout).toMatch(/\/dev\/(pts\/\d+|console)[\s\S]*33 91/);
    });

    it('shows what its kubelet would', async () => {
      const path = `/api/v1/nodes/${board().nodeName}/proxy`;
      const summary = JSON.parse(await a.ok(['get', '--raw', `${path}/stats/summary`]));
      expect(summary.node.nodeName).toBe(board().nodeName);
      expect(summary.pods.map(({ podRef }: { podRef: { name: string } }) => podRef.name)).toContain(pod);
      expect(await a.ok(['get', '--raw', `${path}/healthz`])).toBe('ok');
    });
  });
}

describeReaching('on the same network', () => b, 'client-b');
describeReaching('behind a router that hides it', () => hidden, 'far');

describe('reaching boards', () => {
  it('needs no way from the server to them', () => {
    expect(() => a.enter(['busybox', 'ping', '-c', '1', '-W', '1', hidden.address])).toThrow();
  });

  it('attaches, copies and forwards ports', async () => {
    const attached = await shell(`
      ${kubectl} exec client-b -- sh -c '${SPEAK}' &
      timeout 60 ${kubectl} attach client-b 2>/dev/null | head -n 1`);
    expect(attached.stdout).toBe('one more\n');
    const [from, back] = [join(a.folder, 'from'), join(a.folder, 'back')];
    writeFileSync(from, 'x'.repeat(3_000_000));
    await a.ok(['cp', from, 'client-b:/tmp/file']);
    await a.ok(['cp', 'client-b:/tmp/file', back]);
    expect(existsSync(back) && readFileSync(back, 'utf8') === readFileSync(from, 'utf8')).toBe(true);
    const url = 'http://127.0.0.1:18080/much';
    const forwarded = await shell(`
      ${kubectl} port-forward pod/web-b 18080:8000 >&2 & forward=$!
      for try in $(seq 50); do curl -sf --max-time 5 -o /dev/null ${url} && break; sleep 0.2; done
      for try in 1 2; do curl -sf --max-time 20 ${url} | wc -c; done
      kill $forward`);
    expect(forwarded.stdout).toBe('5000000\n5000000\n');
  });

  it('is refused for a node that is not there', async () => {
    expect((await a.kubectl(['get', '--raw', '/api/v1/nodes/nobody/proxy/healthz'])).stderr).toMatch(
      /nodes "nobody" not found/,
    );
  });
});

describe('pods of two boards', () => {
  it('reach each other by their own addresses', async () => {
    for (const [from, to] of [
      ['client-a', 'web-b'],
      ['client-b', 'web-a'],
    ] as const) {
      const answer = await ask(from, ip[to]!, 8080);
      expect(answer).toMatch(new RegExp(`^${to}\n`));
      expect(answer).toMatch(new RegExp(`${ip[to]}:8080\\s+(::ffff:)?${ip[from]}:`));
    }
    expect(await inPod('client-a', `ping -c 1 -W 5 -s 4000 ${ip['client-b']}`)).toMatch(/1 packets received/);
    expect(await inPod('client-a', `wget -qO- http://${ip['web-b']}:8000/much | wc -c`)).toBe('5000000\n');
  });

  it('reach Services by name, wherever their pods are, and keep to one when they are told to', async () => {
    for (const from of ['client-a', 'client-b']) {
      const many = await inPod(from, 'for i in $(seq 20); do nc -w 10 web 80 </dev/null | head -n 1; done');
      expect(new Set(many.trim().split('\n'))).toEqual(new Set(['web-a', 'web-b']));
      const same = await inPod(from, 'for i in $(seq 8); do nc -w 10 sticky 80 </dev/null | head -n 1; done');
      expect(new Set(same.trim().split('\n')).size).toBe(1);
      const [other, itself] = from === 'client-a' ? ['only-b', 'web-b'] : ['only-a', 'web-a'];
      const answer = await ask(from, `${other}.default.svc.cluster.local`, 80);
      expect(answer).toMatch(new RegExp(`^${itself}\n`));
      // The address of who asks is kept, so that policies know it.
      expect(answer).toContain(`${ip[from]}:`);
    }
    // A pod behind a Service reaches itself through it.
    expect(await ask('web-b', 'only-b', 80)).toMatch(/^web-b\n/);
  });

  it('are reached from outside by node ports of either board', async () => {
    for (const [name, pod] of [
      ['only-a', 'web-a'],
      ['only-b', 'web-b'],
    ] as const) {
      const port = await nodePort(name);
      for (const board of [a, b]) expect(fromOutside(board, port)).toMatch(new RegExp(`^${pod}\n`));
    }
    const local = await nodePort('local-b');
    expect(fromOutside(a, local, false)).toBe('');
    const answer = fromOutside(b, local);
    expect(answer).toMatch(/^web-b\n/);
    expect(answer).toContain(`${lan.prefix}.200:`);
    // From a board itself, too.
    expect(a.enter(['sh', '-c', `busybox nc -w 10 ${ip['web-b']} 8080 </dev/null`])).toMatch(/^web-b\n/);
  });
});

/** What streams from the board whose cable is about to be pulled. */
let cut: { readonly running: Promise<Output>; readonly following: Promise<Output> };

describe('policies, while another board is cut off,', () => {
  beforeAll(async () => {
    cut = { running: inPodOutput('far', 'sleep 7777'), following: a.kubectl(['logs', '-f', 'far']) };
    await a.until('the command to run', async () => (await inPod('far', 'ps')).includes('sleep 7777'));
    lan.cable(ROUTER, 'down');
  });
  const policy = (name: string, spec: object): Promise<string> =>
    a.apply(
      JSON.stringify({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name }, spec }),
    );
  afterEach(async () => await a.ok(['delete', 'networkpolicy', '--all', '--wait']));

  type Row = readonly [from: string, to: string, port: number, open: boolean];
  /** Policies take effect soon after they are written, not with the answer. */
  async function becomes(...rows: readonly Row[]): Promise<void> {
    const wrong = async (): Promise<readonly Row[]> => {
      const looked = await Promise.all(
        rows.map(async (row) => {
          const [from, to, port, open] = row;
          return /^(web-[ab]|admin)$/m.test(await ask(from, ip[to] ?? to, port, open)) === open ? [] : [row];
        }),
      );
      return looked.flat();
    };
    let last: readonly Row[] = [];
    await a
      .until(
        'the matrix',
        async () => {
          last = await wrong();
          return last.length === 0;
        },
        60_000,
      )
      .catch((error: Error) => {
        throw new Error(`${JSON.stringify(last)}: ${error.message}`);
      });
  }
  const SERVERS = ['web-a', 'web-b'] as const;
  const all = (from: string, port: number, open: boolean): Row[] =>
    SERVERS.map((to) => [from, to, port, open]);
  const web = { podSelector: { matchLabels: { app: 'web' } } };
  const role = (name: string) => ({ podSelector: { matchLabels: { role: name } } });

  it('shut ingress on both boards, to pods of both', async () => {
    await becomes(
      ...['client-a', 'client-b', 'visitor-a', 'visitor-b'].flatMap((from) => all(from, 8080, true)),
    );
    await policy('deny-all', { podSelector: {} });
    await becomes(...['client-a', 'client-b', 'visitor-a'].flatMap((from) => all(from, 8080, false)));
  });

  it('open to pods, whichever board they are on, and to ports by name and number', async () => {
    await policy('from-client-a', {
      ...web,
      ingress: [{ from: [role('client-a')], ports: [{ port: 'http' }] }, { ports: [{ port: 9090 }] }],
    });
    await becomes(
      ...all('client-a', 8080, true),
      ...all('client-b', 8080, false),
      ...all('visitor-b', 8080, false),
      ...all('visitor-b', 9090, true),
      ['client-a', 'only-b', 80, true],
      ['client-b', 'only-a', 80, false],
    );
  });

  it('open to namespaces', async () => {
    await policy('from-blue', {
      ...web,
      ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'blue' } } }] }],
    });
    await becomes(
      ...all('visitor-a', 8080, true),
      ...all('visitor-b', 8080, true),
      ...all('client-a', 8080, false),
      ...all('client-b', 8080, false),
    );
  });

  it('open to addresses, which reach the other board unchanged', async () => {
    await policy('from-range', {
      ...web,
      ingress: [{ from: [{ ipBlock: { cidr: '10.42.0.0/16', except: [`${ip['client-b']}/32`] } }] }],
    });
    await becomes(...all('client-a', 8080, true), ...all('client-b', 8080, false));
  });

  it('shut egress, and open it to pods of the other board', async () => {
    await policy('out', {
      podSelector: { matchExpressions: [{ key: 'role', operator: 'Exists' }] },
      policyTypes: ['Egress'],
      egress: [{ to: [{ podSelector: { matchLabels: { name: 'web-b' } } }], ports: [{ port: 8080 }] }],
    });
    await becomes(
      ['client-a', 'web-b', 8080, true],
      ['client-b', 'web-b', 8080, true],
      ['client-a', 'web-a', 8080, false],
      ['client-b', 'web-a', 8080, false],
      ['client-a', 'web-b', 9090, false],
      ['visitor-a', 'web-b', 9090, true],
    );
  });
});

describe('a board that was cut off', () => {
  const ready = async (): Promise<string> =>
    await a.ok([
      ...['get', 'node', hidden.nodeName],
      ...['-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'],
    ]);

  it('ended its streams with an error that names the node', async () => {
    const ended = await cut.running;
    expect(ended.code).not.toBe(0);
    const lost = 'cannot be reached: the connection to its agent was lost: no answer';
    expect(ended.stderr).toContain(`node "${hidden.nodeName}" ${lost}`);
    expect((await cut.following).stdout).toMatch(/^started\n/);
    const refused = await a.kubectl(['exec', 'far', '--', 'true']);
    expect(refused.stderr).toContain(
      `node "${hidden.nodeName}" cannot be reached: its agent is not connected`,
    );
  });

  it('is away, and comes back by itself', async () => {
    // Meanwhile another one gets another address.
    b.enter(['ip', 'address', 'delete', `${b.address}/24`, 'dev', 'eth0']);
    b.enter(['ip', 'address', 'add', `${MOVED}/24`, 'dev', 'eth0']);
    b.enter(['ip', 'route', 'replace', 'default', 'via', `${lan.prefix}.1`]);
    await a.until('the node to be away', async () => (await ready()) === 'Unknown', 90_000);
    lan.cable(ROUTER, 'up');
    await a.until('the node to be Ready', async () => (await ready()) === 'True');
    await a.until('its connection', async () => (await a.kubectl(['exec', 'far', '--', 'true'])).code === 0);
    // What ran goes on, apart from the command whose end nobody was there to see.
    expect(await a.ok(['logs', 'far'])).toMatch(/^started\n/);
    await a.until('the command to be ended', async () => {
      const processes = await inPod('far', 'ps');
      return processes.includes('sleep 100000') && !processes.includes('sleep 7777');
    });
  }, 180_000);
});

describe('a board that got another address', () => {
  it('goes by it from then on; its pods go on', async () => {
    const addresses = ['get', 'node', b.nodeName, '-o', 'jsonpath={.status.addresses[0].address}'];
    await a.until('the new address', async () => (await a.ok(addresses)) === MOVED);
    await a.until(
      'the way to its pods',
      async () => (await ask('client-a', ip['web-b']!, 8080)) !== '',
      60_000,
    );
    await a.until(
      'the connection of its agent',
      async () => (await a.kubectl(['exec', 'client-b', '--', 'true'])).code === 0,
    );
    expect(b.log).toMatch(/this board has another address: beginning anew, pods go on/);
    expect(readFileSync(join(b.stateDir, 'kedge.pid'), 'utf8').trim()).toBe(String(b.pid));
    const restarts = ['get', 'pods', '-o', 'jsonpath={.items[*].status.containerStatuses[*].restartCount}'];
    expect(new Set((await a.ok(restarts)).split(' '))).toEqual(new Set(['0']));
    expect(await a.ok(['logs', 'web-b'])).toBe('serving web-b\n');
  });

  it('leaves nothing when it is taken down', async () => {
    expect(b.enter(['ip', '-brief', 'link'])).toContain('kedge-overlay');
    await b.stop('SIGKILL');
    await b.killAll();
    expect(b.enter(['ip', '-brief', 'link'])).not.toMatch(/kedge|veth/);
    expect(b.enter(['ip', 'route', 'show', 'proto', '107'])).toBe('');
  });
});
