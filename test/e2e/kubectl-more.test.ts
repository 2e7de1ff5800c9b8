import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Board, IMAGE, type Output } from './board.ts';
import { helm, KUBECTL } from './clients.ts';

/** The everyday verbs of stock kubectl, and helm, against containers that really run. */
let board: Board;
const VERSIONS = ['1.35', '1.30'] as const;

beforeAll(async () => {
  board = Board.create();
  await board.start();
  await board.apply(`
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: main
          image: ${IMAGE}
          command: [sh, -c, "mkdir -p /www; seq 100000 > /www/numbers; echo serving; exec httpd -f -h /www -p 8080"]
          ports: [{ name: http, containerPort: 8080 }]
        - { name: side, image: ${IMAGE}, command: [sh, -c, "echo beside; exec sleep 1000"] }
---
apiVersion: v1
kind: Pod
metadata: { name: tool }
spec:
  terminationGracePeriodSeconds: 0
  containers: [{ name: main, image: ${IMAGE}, command: [sleep, "1000"] }]
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: minutely }
spec:
  schedule: "* * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{ name: main, image: ${IMAGE}, command: [echo, fired] }]
`);
  await board.ok(['rollout', 'status', 'deploy/web', '--timeout=60s']);
  await board.ok(['wait', '--for=condition=Ready', 'pod/tool', '--timeout=90s']);
});
afterAll(async () => await board.remove());

const get = (path: string, ...what: string[]): Promise<string> =>
  board.ok(['get', ...what, '-o', `jsonpath={${path}}`]);
const shell = (script: string): Promise<Output> => board.run(['sh', '-c', script]);

/** Types into a terminal in which kubectl runs, once the container is there to read it. */
function type(version: keyof typeof KUBECTL, args: string, ready: string, input: string): Promise<Output> {
  const kubectl = KUBECTL[version]();
  return shell(
    `(until [ "$(${kubectl} get pod ${ready} 2>/dev/null)" = true ]; do sleep 0.2; done; sleep 1.5; printf '${input}'; sleep 1.5) |
     script -qec "${kubectl} ${args}" /dev/null`,
  );
}
const STARTED = "-o 'jsonpath={.status.containerStatuses[0].started}'";

describe('processes that somebody talks to', () => {
  it.each(VERSIONS)('run --rm -i pipes input and returns the exit code (kubectl %s)', async (version) => {
    const run = (name: string, script: string): Promise<Output> =>
      board.kubectl(
        [...['run', name, '--rm', '-i', '--restart=Never', `--image=${IMAGE}`], '--', 'sh', '-c', script],
        { version, input: 'piped\n' },
      );
    expect(await run('pipe', 'cat; echo done')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^piped\ndone\npod "pipe" deleted/),
    });
    expect((await run('pipe', 'cat >/dev/null; exit 5')).code).toBe(5);
    expect((await board.kubectl(['get', 'pod', 'pipe'])).stderr).toMatch(/NotFound/);
  });

  it.each(VERSIONS)('run -it gives a terminal (kubectl %s)', async (version) => {
    const name = `term-${version.replace('.', '-')}`;
    const { stdout, code } = await type(
      version,
      `run ${name} -it --rm --restart=Never --image=${IMAGE} -- sh`,
      `${name} ${STARTED}`,
      'tty; exit 3\\n',
    );
    expect(stdout).toMatch(/\/dev\/(pts\/\d+|console)/);
    expect(code).toBe(3);
  });

  it.each(VERSIONS)('attach sees output, and a terminal takes input (kubectl %s)', async (version) => {
    const args = ['--restart=Never', `--image=${IMAGE}`];
    await board.ok(['run', 'ticker', ...args, '--', 'sh', '-c', 'while sleep 0.3; do echo tick; done']);
    await board.ok(['run', 'session', ...args, '-i', '-t', '--attach=false', '--', 'sh']);
    await board.ok(['wait', '--for=condition=Ready', 'pod/ticker', 'pod/session', '--timeout=90s']);
    const kubectl = KUBECTL[version]();
    expect((await shell(`timeout 60 ${kubectl} attach ticker | head -n 2`)).stdout).toBe('tick\ntick\n');
    const typed = await type(version, 'attach -it session', `session ${STARTED}`, 'echo $((6*7)); exit 0\\n');
    expect(typed.stdout).toMatch(/^42\r$/m);
    expect(await get('.status.phase', 'pod', 'session')).toBe('Succeeded');
    await board.ok(['delete', 'pod', 'ticker', 'session', '--now']);
  });

  it('debug joins a running pod with a container of its own', async () => {
    const { stdout } = await board.kubectl(
      [
        ...['debug', 'tool', '--profile=general', `--image=${IMAGE}`, '--target=main', '-c', 'look', '-i'],
        // What is printed before somebody listens is in the log alone, so it waits for input.
        ...['--', 'sh', '-c', 'read line; echo $line; ps'],
      ],
      { input: 'typed\n' },
    );
    expect(stdout).toMatch(/^typed$/m);
    expect(stdout).toMatch(/1 root +sleep 1000/);
    expect(await get('.status.ephemeralContainerStatuses[0].name', 'pod', 'tool')).toBe('look');
    expect(await board.ok(['describe', 'pod', 'tool'])).toMatch(/Ephemeral Containers:\n +look:/);
  });

  it.each(VERSIONS)('cp copies both ways (kubectl %s)', async (version) => {
    const from = join(board.folder, 'from');
    const back = join(board.folder, `back-${version}`);
    mkdirSync(join(from, 'deep'), { recursive: true });
    const content = 'x'.repeat(300_000);
    writeFileSync(join(from, 'deep/file'), content);
    await board.ok(['cp', from, `tool:/tmp/${version}`], { version });
    expect(await board.ok(['exec', 'tool', '--', 'wc', '-c', `/tmp/${version}/deep/file`])).toMatch(
      /^300000 /,
    );
    await board.ok(['cp', `default/tool:/tmp/${version}`, back], { version });
    expect(readFileSync(join(back, 'deep/file'), 'utf8')).toBe(content);
  });

  it.each(VERSIONS)('port-forward carries one connection after another (kubectl %s)', async (version) => {
    const ask = 'curl -sf --max-time 5 http://127.0.0.1:18080/numbers';
    const { stdout } = await shell(`
      ${KUBECTL[version]()} port-forward deploy/web 18080:http >&2 & forward=$!
      for try in $(seq 50); do ${ask} >/dev/null && break; sleep 0.2; done
      for try in 1 2 3; do ${ask} | wc -l; done
      kill $forward`);
    expect(stdout).toBe('100000\n100000\n100000\n');
  });
});

describe('workloads', () => {
  it('expose, and change environment, resources, image and selector', async () => {
    await board.ok(['expose', 'deploy', 'web', '--port=80', '--target-port=http']);
    const ip = await get('.spec.clusterIP', 'service', 'web');
    await board.until(
      'the Service to answer',
      async () =>
        (await shell(`curl -sf --max-time 2 http://${ip}/numbers | tail -n 1`)).stdout === '100000\n',
    );
    expect(await board.ok(['describe', 'service', 'web'])).toMatch(/Endpoints: +10\.42\.\S+:8080,10\.42\./);
    expect((await board.kubectl(['describe', 'endpoints', 'web'])).stdout).toMatch(
      /Addresses: +10\.42\.\d+\.\d+,10\.42\.[\s\S]*8080 +TCP/,
    );
    await board.ok(['set', 'selector', 'service', 'web', 'app=nobody']);
    await board.until(
      'no endpoints',
      async () =>
        (await get(
          '.items[*].endpoints[*].addresses',
          'endpointslices',
          ...['-l', 'kubernetes.io/service-name=web'],
        )) === '',
    );
    await board.ok(['rollout', 'pause', 'deploy/web']);
    await board.ok(['set', 'env', 'deploy/web', '-c', 'main', 'COLOR=green']);
    await board.ok(['set', 'resources', 'deploy/web', '-c', 'main', '--requests=cpu=20m']);
    expect(await get('.items[*].metadata.name', 'replicasets', '-l', 'app=web')).not.toMatch(/ /);
    await board.ok(['rollout', 'resume', 'deploy/web']);
    await board.ok(['rollout', 'status', 'deploy/web', '--timeout=60s']);
    expect(await board.ok(['exec', 'deploy/web', '-c', 'main', '--', 'sh', '-c', 'echo $COLOR'])).toBe(
      'green\n',
    );
    await board.ok(['rollout', 'restart', 'deploy/web']);
    await board.ok(['rollout', 'status', 'deploy/web', '--timeout=60s']);
    expect(await board.ok(['rollout', 'history', 'deploy/web'])).toMatch(/\n3 /);
    expect(await board.ok(['describe', 'deploy', 'web'])).toMatch(
      /NewReplicaSet: +web-\S+ \(2\/2 replicas created\)[\s\S]*ScalingReplicaSet/,
    );
    await board.ok(['autoscale', 'deploy', 'web', '--min=2', '--max=4', '--cpu=50%']);
    expect(await board.ok(['get', 'hpa', 'web', '--no-headers'])).toMatch(/^web +Deployment\/web .* 2 +4 /);
    await board.ok(['delete', 'hpa', 'web']);
  });

  it('logs of many, waiting for a field, events', async () => {
    const { stdout } = await board.kubectl([
      ...['logs', '-l', 'app=web', '--all-containers', '--prefix', '--tail=-1'],
    ]);
    expect(stdout.match(/^\[pod\/web-\S+\/main\] serving$/gm)).toHaveLength(2);
    expect(stdout.match(/^\[pod\/web-\S+\/side\] beside$/gm)).toHaveLength(2);
    await board.ok(['wait', '--for=jsonpath={.status.phase}=Running', 'pod/tool', '--timeout=90s']);
    expect(await board.ok(['get', 'events', '--sort-by=.lastTimestamp'])).toMatch(
      /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n[\s\S]*Normal +Scheduled +pod\/tool +Successfully assigned/,
    );
    expect(await board.ok(['events', '--for=pod/tool'])).toMatch(/Created +Pod\/tool +Container created/);
  });

  it('replace and edit', async () => {
    const manifest = (color: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: paint }\ndata: { color: ${color} }\n`;
    await board.ok(['create', '-f', '-'], { input: manifest('red') });
    await board.ok(['replace', '-f', '-'], { input: manifest('green') });
    expect(await get('.data.color', 'configmap', 'paint')).toBe('green');
    await board.kubectl(['edit', 'configmap', 'paint'], { env: { KUBE_EDITOR: 'sed -i s/green/blue/' } });
    expect(await get('.data.color', 'configmap', 'paint')).toBe('blue');
    await board.ok(['replace', '--force', '-f', '-'], { input: manifest('black') });
    expect(await get('.data.color', 'configmap', 'paint')).toBe('black');
  });

  it('StatefulSets start in order and have stable names', async () => {
    await board.apply(`
apiVersion: v1
kind: Service
metadata: { name: db }
spec: { clusterIP: None, selector: { app: db }, ports: [{ port: 80 }] }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
spec:
  replicas: 2
  serviceName: db
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: main
          image: ${IMAGE}
          command: [sh, -c, "mkdir -p /www; hostname -f > /www/name; exec httpd -f -h /www -p 80"]
          readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1 }
`);
    await board.ok(['rollout', 'status', 'sts/db', '--timeout=60s']);
    const [first = '', second = ''] = (
      await get('.items[*].status.conditions[?(@.type=="Ready")].lastTransitionTime', 'pods', '-l', 'app=db')
    ).split(' ');
    const created = await get('.metadata.creationTimestamp', 'pod', 'db-1');
    expect(first <= created && created <= second).toBe(true);
    const ask = (name: string): Promise<string> =>
      board.ok([
        ...['exec', 'tool', '-c', 'main', '--', 'sh', '-c'],
        `printf 'GET /name HTTP/1.0\\r\\n\\r\\n' | nc -w 10 ${name} 80 | tail -n 1`,
      ]);
    expect(await ask('db-1.db')).toBe('db-1.db.default.svc.cluster.local\n');
    await board.ok(['delete', 'pod', 'db-0', '--wait']);
    await board.ok(['rollout', 'status', 'sts/db', '--timeout=60s']);
    await board.until('the new db-0 by its name', async () => {
      const answer = await ask('db-0.db.default.svc.cluster.local');
      return answer === 'db-0.db.default.svc.cluster.local\n';
    });
    expect(await board.ok(['describe', 'sts', 'db'])).toMatch(/2 desired \| 2 total/);
  });

  it('Jobs give up after their back-off limit, and are made from CronJobs', async () => {
    await board.apply(`
apiVersion: batch/v1
kind: Job
metadata: { name: fails }
spec:
  backoffLimit: 1
  template:
    spec:
      restartPolicy: Never
      containers: [{ name: main, image: ${IMAGE}, command: [sh, -c, "exit 3"] }]
`);
    await board.ok(['create', 'job', 'by-hand', '--from=cronjob/minutely']);
    await board.ok(['wait', '--for=condition=Complete', 'job/by-hand', '--timeout=90s']);
    expect(await board.ok(['logs', 'job/by-hand'])).toBe('fired\n');
    await board.ok(['wait', '--for=condition=Failed', 'job/fails', '--timeout=60s']);
    expect(await get('.status.failed', 'job', 'fails')).toBe('2');
    expect(await board.ok(['describe', 'job', 'fails'])).toMatch(
      /0 Active \(0 Ready\) \/ 0 Succeeded \/ 2 Failed[\s\S]*BackoffLimitExceeded/,
    );
  });
});

describe('what keeps a board in order', () => {
  it('quotas count and refuse, limit ranges fill in, claims go away', async () => {
    await board.ok(['create', 'namespace', 'tight']);
    await board.apply(`
apiVersion: v1
kind: ResourceQuota
metadata: { name: small, namespace: tight }
spec: { hard: { pods: "1", requests.cpu: 100m, count/configmaps: "3" } }
---
apiVersion: v1
kind: LimitRange
metadata: { name: usual, namespace: tight }
spec: { limits: [{ type: Container, defaultRequest: { cpu: 30m }, max: { cpu: "1" } }] }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: claim, namespace: tight }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
`);
    const run = (name: string): Promise<Output> =>
      board.kubectl(['run', name, '-n', 'tight', `--image=${IMAGE}`, '--restart=Never', '--', 'sleep', '99']);
    expect((await run('one')).code).toBe(0);
    expect((await run('two')).stderr).toMatch(
      /pods "two" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1/,
    );
    await board.until('the quota to say so', async () =>
      /pods +1 +1\nrequests.cpu +30m +100m/.test(
        await board.ok(['describe', 'quota', 'small', '-n', 'tight']),
      ),
    );
    expect(await board.ok(['describe', 'limitrange', 'usual', '-n', 'tight'])).toMatch(
      /Container +cpu +- +1 +30m +1 /,
    );
    expect(await board.ok(['describe', 'pvc', 'claim', '-n', 'tight'])).toMatch(
      /Finalizers: +\[kubernetes.io\/pvc-protection\]/,
    );
    await board.ok(['delete', 'pvc', 'claim', '-n', 'tight', '--timeout=90s']);
    await board.ok(['delete', 'pod', 'one', '-n', 'tight', '--now']);
    await board.ok(['delete', 'namespace', 'tight', '--timeout=60s']);
  });

  it('tokens of Secrets open the API until the Secret goes', async () => {
    await board.apply(`
apiVersion: v1
kind: Secret
metadata: { name: token, annotations: { kubernetes.io/service-account.name: default } }
type: kubernetes.io/service-account-token
`);
    await board.until('the token', async () => (await get('.data.token', 'secret', 'token')) !== '');
    const token = Buffer.from(await get('.data.token', 'secret', 'token'), 'base64').toString();
    const whoami = (): Promise<Output> =>
      board.kubectl([
        ...['auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}', '--token', token],
        ...['--kubeconfig=/dev/null', '--server=https://127.0.0.1:6443', '--insecure-skip-tls-verify'],
      ]);
    expect((await whoami()).stdout).toBe('system:serviceaccount:default:default');
    await board.ok(['delete', 'secret', 'token']);
    expect((await whoami()).stderr).toMatch(/Unauthorized|logged in/);
  });

  it('taints, cordons, and drains as far as a budget allows', async () => {
    await board.apply(`
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: db }
spec: { minAvailable: 2, selector: { matchLabels: { app: db } } }
`);
    await board.until(
      'the budget to be known',
      async () => (await get('.status.currentHealthy', 'pdb', 'db')) === '2',
    );
    await board.ok(['taint', 'node', 'board', 'for=nobody:NoSchedule']);
    expect(await board.ok(['describe', 'node', 'board'])).toMatch(/Taints: +for=nobody:NoSchedule/);
    await board.ok(['taint', 'node', 'board', 'for-']);
    await board.ok(['cordon', 'board']);
    expect(await board.ok(['get', 'node', 'board'])).toMatch(/Ready,SchedulingDisabled/);
    const drain = ['drain', 'board', '--ignore-daemonsets', '--delete-emptydir-data', '--force'];
    const blocked = await board.kubectl([...drain, '--timeout=4s']);
    expect(blocked.code).toBe(1);
    expect(blocked.stderr).toMatch(
      /Cannot evict pod as it would violate the pod's disruption budget\.[\s\S]*global timeout reached: 4s/,
    );
    expect(await get('.items[*].status.phase', 'pods', '-l', 'app=db')).toBe('Running Running');
    await board.ok(['delete', 'pdb', 'db']);
    await board.ok([...drain, '--timeout=60s'], { version: '1.30' });
    expect(await get('.items[*].metadata.name', 'pods', '--field-selector=spec.nodeName=board')).toBe('');
    await board.ok(['uncordon', 'board']);
    await board.ok(['rollout', 'status', 'deploy/web', '--timeout=60s']);
    await board.ok(['rollout', 'status', 'sts/db', '--timeout=60s']);
  });
});

describe('helm', () => {
  const chart = (): string => {
    const folder = join(board.folder, 'chart');
    mkdirSync(join(folder, 'templates'), { recursive: true });
    writeFileSync(join(folder, 'Chart.yaml'), 'apiVersion: v2\nname: small\nversion: 0.1.0\n');
    writeFileSync(join(folder, 'values.yaml'), 'greeting: hello\n');
    writeFileSync(
      join(folder, 'templates/all.yaml'),
      `
apiVersion: v1
kind: ConfigMap
metadata: { name: {{ .Release.Name }}-settings }
data: { greeting: {{ .Values.greeting | quote }} }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: {{ .Release.Name }} }
spec:
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata: { labels: { app: {{ .Release.Name }} } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: main
          image: ${IMAGE}
          command: [sleep, "1000"]
          env: [{ name: GREETING, value: {{ .Values.greeting | quote }} }]
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-hook
  annotations: { helm.sh/hook: "post-install,post-upgrade", helm.sh/hook-delete-policy: before-hook-creation }
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{ name: main, image: ${IMAGE}, command: [echo, "{{ .Values.greeting }} from the hook"] }]
---
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-test
  annotations: { helm.sh/hook: test }
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers: [{ name: main, image: ${IMAGE}, command: [echo, "{{ .Values.greeting }} from the test"] }]
---
apiVersion: helm.example.org/v1
kind: Gadget
metadata: { name: {{ .Release.Name }} }
spec: { greeting: {{ .Values.greeting | quote }} }
`,
    );
    mkdirSync(join(folder, 'crds'));
    writeFileSync(
      join(folder, 'crds/gadgets.yaml'),
      `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: gadgets.helm.example.org }
spec:
  group: helm.example.org
  scope: Namespaced
  names: { plural: gadgets, singular: gadget, kind: Gadget, listKind: GadgetList }
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: { type: object, required: [greeting], properties: { greeting: { type: string, minLength: 2 } } }
`,
    );
    return folder;
  };
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await board.run([helm(), ...args]);
    if (code !== 0) throw new Error(`helm ${args.join(' ')} exited with ${code}: ${stderr}${stdout}`);
    return stdout;
  };

  it('installs, tests, upgrades, rolls back and uninstalls a chart with hooks and a CRD', async () => {
    const folder = chart();
    const wait = ['--wait', '--timeout', '90s'];
    const greeting = () => get('.data.greeting', 'configmap', 'rel-settings');
    expect(await run('install', 'rel', folder, ...wait)).toMatch(/STATUS: deployed\nREVISION: 1/);
    expect(await board.ok(['logs', 'job/rel-hook'])).toBe('hello from the hook\n');
    expect(await get('.spec.greeting', 'gadget', 'rel')).toBe('hello');
    expect(await run('test', 'rel', '--logs', '--timeout', '90s')).toMatch(
      /TEST SUITE: +rel-test\n[\s\S]*Phase: +Succeeded[\s\S]*hello from the test/,
    );
    const refused = await board.run([helm(), 'upgrade', 'rel', folder, '--set', 'greeting=x']);
    expect(refused.stderr).toMatch(/spec\.greeting.*should be at least 2 chars long/);
    await run('upgrade', 'rel', folder, '--set', 'greeting=bye', ...wait);
    expect(await greeting()).toBe('bye');
    expect(await board.ok(['logs', 'job/rel-hook'])).toBe('bye from the hook\n');
    expect(await get('.spec.greeting', 'gadget', 'rel')).toBe('bye');
    await run('rollback', 'rel', '1', ...wait);
    expect(await greeting()).toBe('hello');
    expect(await board.ok(['exec', 'deploy/rel', '--', 'sh', '-c', 'echo $GREETING'])).toBe('hello\n');
    expect(await get('.spec.greeting', 'gadget', 'rel')).toBe('hello');
    expect(await run('list')).toMatch(/^rel\s+default\s+\d\s.*deployed\s+small-0\.1\.0/m);
    expect(await run('uninstall', 'rel', ...wait)).toMatch(/release "rel" uninstalled/);
    expect(await run('list', '-q')).toBe('');
    expect(await board.ok(['get', 'deploy,configmap,gadget', '-o', 'name'])).not.toMatch(/rel\b/);
    // helm leaves what crds/ holds.
    expect(await board.ok(['get', 'crd', '-o', 'name'])).toContain('gadgets.helm.example.org');
  });
});

describe('in the meantime', () => {
  it('the CronJob has fired', async () => {
    await board.until(
      'a job of the CronJob',
      async () => /^job.batch\/minutely-\d+/m.test(await board.ok(['get', 'jobs', '-o', 'name'])),
      70_000,
    );
    await board.until(
      'it to be done',
      async () => (await get('.status.lastSuccessfulTime', 'cronjob', 'minutely')) !== '',
    );
    expect(await board.ok(['describe', 'cronjob', 'minutely'])).toMatch(
      /Last Schedule Time: .*\n[\s\S]*SuccessfulCreate/,
    );
  });
});
