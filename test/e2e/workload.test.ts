import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Board, IMAGE } from './board.ts';

/** The whole path on one board: kubectl apply ends in running containers. */
let board: Board;
beforeAll(async () => {
  board = Board.create();
  await board.start();
});
afterAll(async () => await board.remove());

const pod = (name: string, spec: string): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { run: ${name} } }
spec:
  terminationGracePeriodSeconds: 1
${spec}`;
const simple = (name: string, command: string, more = ''): string =>
  pod(
    name,
    `  containers:\n    - { name: main, image: ${IMAGE}, command: [sh, -c, ${JSON.stringify(command)}] ${more} }\n`,
  );

describe('the first workload', () => {
  it('rolls out and answers by cluster IP, by name and to stock kubectl', async () => {
    await board.apply(readFileSync(resolve(import.meta.dirname, '../../examples/hello/hello.yaml'), 'utf8'));
    expect(await board.ok(['rollout', 'status', 'deploy/hello', '--timeout=90s'])).toMatch(
      /successfully rolled out/,
    );
    expect(await board.ok(['rollout', 'status', 'deploy/visitor', '--timeout=90s'])).toMatch(
      /successfully rolled out/,
    );
    const ip = await board.ok(['get', 'service', 'hello', '-o', 'jsonpath={.spec.clusterIP}']);
    await board.until('the Service to answer', () =>
      /Hello from Kedge, this is hello-/.test(
        board.enter(['sh', '-c', `curl -s --max-time 2 http://${ip}/ || true`]),
      ),
    );
    const visitor = (await board.ok(['get', 'pods', '-l', 'app=visitor', '-o', 'name'])).trim();
    const answer = await board.ok([
      'exec',
      visitor,
      '--',
      'sh',
      '-c',
      "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 10 hello 80 | tail -n 1",
    ]);
    expect(answer).toMatch(/^Hello from Kedge, this is hello-/);
    await board.until('the visitor to have logged', async () =>
      /Hello from Kedge/.test(await board.ok(['logs', visitor])),
    );
  });

  it('shows nodes and pods as kubectl users expect', async () => {
    expect(await board.ok(['get', 'nodes', '-o', 'wide'])).toMatch(
      /^NAME +STATUS +ROLES +AGE +VERSION +INTERNAL-IP .*\nboard +Ready +\S+ +\S+ +v1\.36\.3\+kedge\S* +192\.168\.77\.2 .*containerd:\/\//,
    );
    expect(await board.ok(['get', 'pods', '-l', 'app=hello', '-o', 'wide', '--no-headers'])).toMatch(
      /^(hello-\S+ +1\/1 +Running +0 +\S+ +10\.42\.\d+\.\d+ +board +<none> +<none>\n){3}$/,
    );
    const described = await board.ok(['describe', 'pod', '-l', 'app=visitor']);
    for (const text of [
      'Node: +board/192.168.77.2',
      'State: +Running',
      'Ready: +True',
      'Successfully assigned default/visitor',
      'Container started',
    ]) {
      expect(described).toMatch(new RegExp(text));
    }
    expect(await board.ok(['describe', 'node', 'board'])).toMatch(/Allocated resources:[\s\S]*cpu/);
  });

  it('scales, updates, keeps a history and undoes', async () => {
    await board.ok(['scale', 'deploy/hello', '--replicas=4']);
    await board.ok(['rollout', 'status', 'deploy/hello', '--timeout=60s']);
    await board.ok(['set', 'env', 'deploy/hello', 'GREETING=Good evening']);
    await board.ok(['rollout', 'status', 'deploy/hello', '--timeout=90s']);
    expect(await board.ok(['rollout', 'history', 'deploy/hello'])).toMatch(
      /REVISION +CHANGE-CAUSE\n1 .*\n2 /,
    );
    const ip = await board.ok(['get', 'service', 'hello', '-o', 'jsonpath={.spec.clusterIP}']);
    await board.until('the new greeting', () =>
      /Good evening/.test(board.enter(['sh', '-c', `curl -s --max-time 2 http://${ip}/ || true`])),
    );
    await board.ok(['rollout', 'undo', 'deploy/hello']);
    await board.ok(['rollout', 'status', 'deploy/hello', '--timeout=90s']);
    await board.until('the old greeting', () =>
      /Hello from Kedge/.test(board.enter(['sh', '-c', `curl -s --max-time 2 http://${ip}/ || true`])),
    );
    await board.ok(['wait', '--for=condition=Available', 'deploy/hello', '--timeout=90s']);
  });

  it('answers on a node port', async () => {
    await board.ok(['patch', 'service', 'hello', '-p', '{"spec":{"type":"NodePort"}}']);
    const port = await board.ok(['get', 'service', 'hello', '-o', 'jsonpath={.spec.ports[0].nodePort}']);
    await board.until('the node port', () =>
      /Hello from Kedge/.test(
        board.enter(['sh', '-c', `curl -s --max-time 2 http://192.168.77.2:${port}/ || true`]),
      ),
    );
  });

  it('goes away completely', async () => {
    await board.ok(['delete', 'deploy', 'hello', 'visitor', '--wait']);
    await board.ok(['wait', '--for=delete', 'pod', '-l', 'app in (hello,visitor)', '--timeout=60s']);
    expect(await board.ok(['get', 'pods', '-o', 'name'])).toBe('');
  });
});

describe('logs and exec', () => {
  it('follows, tails, stamps and shows the previous container', async () => {
    await board.apply(
      simple('talk', 'for i in 1 2 3 4 5; do echo line $i; done; echo oops >&2; sleep 2; echo last; exit 3'),
    );
    await board.until('the pod to run', async () =>
      /Running|Error|CrashLoop/.test(await board.ok(['get', 'pod', 'talk'])),
    );
    expect(await board.ok(['logs', '-f', 'talk'])).toMatch(
      /^line 1\nline 2\nline 3\nline 4\nline 5\noops\nlast\n$/,
    );
    await board.until(
      'a restart',
      async () =>
        (await board.ok([
          'get',
          'pod',
          'talk',
          '-o',
          'jsonpath={.status.containerStatuses[0].restartCount}',
        ])) !== '0',
    );
    expect(await board.ok(['logs', '--previous', '--tail=1', 'talk'])).toBe('last\n');
    await board.until('the second run to have spoken', async () =>
      /oops/.test(await board.ok(['logs', 'talk'])),
    );
    expect(await board.ok(['logs', '--timestamps', '--tail=2', 'talk'])).toMatch(
      /^\d{4}-\d\d-\d\dT\S+Z line 5\n\d{4}-\S+Z oops\n|last\n/,
    );
    expect(await board.ok(['logs', '--since=1h', 'talk'])).toMatch(/line 1/);
  });

  it('runs commands, passes input, output, errors and exit codes; a terminal is one', async () => {
    await board.apply(simple('shell', 'trap "exit 0" TERM; sleep 1000 & wait'));
    await board.ok(['wait', '--for=condition=Ready', 'pod/shell', '--timeout=90s']);
    expect(
      await board.kubectl(['exec', 'shell', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7']),
    ).toMatchObject({
      code: 7,
      stdout: 'out\n',
      stderr: expect.stringMatching(/^err\ncommand terminated with exit code 7/),
    });
    const echoed = await board.kubectl(['exec', '-i', 'shell', '--', 'cat'], {
      input: 'through and through\n',
    });
    expect(echoed).toMatchObject({ code: 0, stdout: 'through and through\n' });
    const old = await board.kubectl(['exec', '-i', 'shell', '--', 'cat'], {
      input: 'spdy\n',
      version: '1.30',
      env: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false' },
    });
    expect(old).toMatchObject({ code: 0, stdout: 'spdy\n' });
    const kubectl = (await import('./clients.ts')).KUBECTL['1.35']();
    const tty = await board.run([
      'script',
      '-qec',
      `${kubectl} exec -it shell -- sh -c "tty; stty size"`,
      '/dev/null',
    ]);
    expect(tty.stdout).toMatch(/\/dev\/(pts\/\d+|console)/);
    expect(
      await board.kedge([
        'kubectl',
        '--kubeconfig',
        board.kubeconfig,
        'exec',
        'shell',
        '--',
        'sh',
        '-c',
        'echo built in; exit 5',
      ]),
    ).toMatchObject({ code: 5, stdout: 'built in\n' });
  });
});

describe('what a pod sees', () => {
  it('has its configuration in the environment and in files, and its own identity', async () => {
    await board.apply(`
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { COLOR: green, "file.txt": hello }
---
apiVersion: v1
kind: Secret
metadata: { name: hidden }
stringData: { password: s3cret }
---
${pod(
  'sees',
  `  initContainers:
    - { name: first, image: ${IMAGE}, command: [sh, -c, "echo prepared > /shared/ready"], volumeMounts: [{ name: shared, mountPath: /shared }] }
  containers:
    - name: main
      image: ${IMAGE}
      command: [sh, -c, "sleep 1000"]
      env:
        - { name: COLOR, valueFrom: { configMapKeyRef: { name: settings, key: COLOR } } }
        - { name: PASSWORD, valueFrom: { secretKeyRef: { name: hidden, key: password } } }
        - { name: IP, valueFrom: { fieldRef: { fieldPath: status.podIP } } }
        - { name: LIMIT, valueFrom: { resourceFieldRef: { resource: limits.memory } } }
        - { name: BOTH, value: "$(COLOR)-$(PASSWORD)" }
      resources: { limits: { memory: 24Mi, cpu: 200m } }
      volumeMounts:
        - { name: shared, mountPath: /shared }
        - { name: settings, mountPath: /settings }
        - { name: hidden, mountPath: /hidden, readOnly: true }
        - { name: info, mountPath: /info }
    - { name: other, image: ${IMAGE}, command: [sh, -c, "sleep 1000"], volumeMounts: [{ name: shared, mountPath: /shared }] }
  volumes:
    - { name: shared, emptyDir: {} }
    - { name: settings, configMap: { name: settings, items: [{ key: file.txt, path: sub/renamed.txt }] } }
    - { name: hidden, secret: { secretName: hidden, defaultMode: 256 } }
    - { name: info, downwardAPI: { items: [{ path: labels, fieldRef: { fieldPath: metadata.labels } }] } }
`,
)}`);
    await board.ok(['wait', '--for=condition=Ready', 'pod/sees', '--timeout=60s']);
    const inside = (script: string, container = 'main') =>
      board.ok(['exec', 'sees', '-c', container, '--', 'sh', '-c', script]);
    const ip = await board.ok(['get', 'pod', 'sees', '-o', 'jsonpath={.status.podIP}']);
    expect(await inside('echo $COLOR $PASSWORD $IP $LIMIT $BOTH')).toBe(
      `green s3cret ${ip} 25165824 green-s3cret\n`,
    );
    expect(await inside('cat /shared/ready /settings/sub/renamed.txt')).toBe('prepared\nhello');
    expect(await inside('cat /hidden/password; stat -Lc %a /hidden/password')).toBe('s3cret400\n');
    expect(await inside('cat /info/labels')).toBe('run="sees"');
    expect(await inside('hostname; echo $KUBERNETES_SERVICE_HOST')).toBe('sees\n10.43.0.1\n');
    expect(await inside('cat /var/run/secrets/kubernetes.io/serviceaccount/namespace')).toBe('default');
    expect(
      await inside(
        'grep -c . /var/run/secrets/kubernetes.io/serviceaccount/token /var/run/secrets/kubernetes.io/serviceaccount/ca.crt',
      ),
    ).toMatch(/token:1\n.*ca.crt:\d+\n/);
    expect(await inside('cat /shared/ready', 'other')).toBe('prepared\n');
    expect(
      await inside(
        'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max',
      ),
    ).toBe('25165824\n');
    await board.ok(['patch', 'configmap', 'settings', '-p', '{"data":{"file.txt":"changed"}}']);
    await board.until(
      'the mounted file to change',
      async () => (await inside('cat /settings/sub/renamed.txt')) === 'changed',
      90_000,
    );
    await board.ok(['delete', 'pod', 'sees', '--wait']);
  });

  it('resolves names and reaches the API with its own credentials', async () => {
    const script =
      'nslookup kubernetes.default.svc.cluster.local >/dev/null; T=$(cat /var/run/secrets/kubernetes.io/serviceaccount/token); echo ${#T}; cat /etc/resolv.conf';
    await board.apply(simple('names', `sleep 1000`));
    await board.ok(['wait', '--for=condition=Ready', 'pod/names', '--timeout=90s']);
    const out = await board.ok(['exec', 'names', '--', 'sh', '-c', script]);
    expect(out).toMatch(/nameserver 10\.43\.0\.10/);
    expect(out).toMatch(/search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local/);
    await board.ok(['delete', 'pod', 'names', '--wait']);
  });
});

describe('pods that go wrong', () => {
  const reason = (name: string) =>
    board.ok(['get', 'pod', name, '-o', 'jsonpath={.status.containerStatuses[0].state.waiting.reason}']);

  it('say that their image is missing', async () => {
    await board.apply(
      pod(
        'noimage',
        '  containers: [{ name: main, image: "kedge.local/nothing:1", imagePullPolicy: Never }]\n',
      ),
    );
    await board.until('ErrImageNeverPull', async () => (await reason('noimage')) === 'ErrImageNeverPull');
    await board.apply(pod('nopull', '  containers: [{ name: main, image: "127.0.0.1:9/nothing:1" }]\n'));
    await board.until('an image back-off', async () =>
      /ErrImagePull|ImagePullBackOff/.test(await reason('nopull')),
    );
    expect(await board.ok(['get', 'events', '--field-selector', 'involvedObject.name=nopull'])).toMatch(
      /Failed to pull image "127.0.0.1:9\/nothing:1"/,
    );
    await board.ok(['delete', 'pod', 'noimage', 'nopull', '--wait']);
  });

  it("back off when they crash, with upstream's words", async () => {
    await board.apply(simple('crash', 'exit 9'));
    const waiting = 'jsonpath={.status.containerStatuses[0].state.waiting}';
    await board.until('CrashLoopBackOff, in words', async () =>
      /back-off \d+s restarting failed container=main pod=crash_default\(.*"reason":"CrashLoopBackOff"/.test(
        await board.ok(['get', 'pod', 'crash', '-o', waiting]),
      ),
    );
    expect(
      await board.ok([
        'get',
        'pod',
        'crash',
        '-o',
        'jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}',
      ]),
    ).toBe('9');
    await board.ok(['delete', 'pod', 'crash', '--wait']);
  });

  it('are killed after their grace when they ignore SIGTERM', async () => {
    await board.apply(simple('stubborn', 'trap "" TERM; while true; do sleep 1; done'));
    await board.ok(['wait', '--for=condition=Ready', 'pod/stubborn', '--timeout=90s']);
    const before = performance.now();
    await board.ok(['delete', 'pod', 'stubborn', '--grace-period=2', '--wait', '--timeout=90s']);
    expect(performance.now() - before).toBeGreaterThan(1900);
  });

  it('restart when their liveness probe fails, and get no traffic until ready', async () => {
    await board.apply(
      `${simple('sick', 'touch /tmp/ok; sleep 1000', ', livenessProbe: { exec: { command: [test, -e, /tmp/ok] }, periodSeconds: 1, failureThreshold: 2 }, readinessProbe: { exec: { command: [test, -e, /tmp/ready] }, periodSeconds: 1 }')}`,
    );
    await board.until('the pod to run', async () =>
      /0\/1 +Running/.test(await board.ok(['get', 'pod', 'sick'])),
    );
    await board.ok(['exec', 'sick', '--', 'touch', '/tmp/ready']);
    await board.ok(['wait', '--for=condition=Ready', 'pod/sick', '--timeout=90s']);
    await board.ok(['exec', 'sick', '--', 'rm', '/tmp/ok']);
    await board.until(
      'a restart',
      async () =>
        (await board.ok([
          'get',
          'pod',
          'sick',
          '-o',
          'jsonpath={.status.containerStatuses[0].restartCount}',
        ])) === '1',
    );
    expect(await board.ok(['get', 'events', '--field-selector', 'involvedObject.name=sick'])).toMatch(
      /Liveness probe failed/,
    );
    await board.ok(['delete', 'pod', 'sick', '--wait']);
  });

  it('wait with a reason when nothing fits', async () => {
    await board.apply(simple('huge', 'sleep 1', ', resources: { requests: { cpu: "1000" } }'));
    await board.until('FailedScheduling', async () =>
      /0\/1 nodes are available: 1 Insufficient cpu/.test(
        await board.ok([
          'get',
          'pod',
          'huge',
          '-o',
          'jsonpath={.status.conditions[?(@.type=="PodScheduled")].message}',
        ]),
      ),
    );
    await board.ok(['delete', 'pod', 'huge', '--wait']);
  });
});

describe('jobs and daemon sets', () => {
  it('run to completion and on every node', async () => {
    await board.apply(`
apiVersion: batch/v1
kind: Job
metadata: { name: sums }
spec:
  completions: 3
  parallelism: 2
  template:
    spec:
      restartPolicy: Never
      containers: [{ name: main, image: ${IMAGE}, command: [sh, -c, "echo done"] }]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: everywhere }
spec:
  selector: { matchLabels: { app: everywhere } }
  template:
    metadata: { labels: { app: everywhere } }
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{ name: main, image: ${IMAGE}, command: [sleep, "1000"] }]
`);
    await board.ok(['wait', '--for=condition=Complete', 'job/sums', '--timeout=60s']);
    expect(await board.ok(['get', 'job', 'sums', '--no-headers'])).toMatch(/^sums +Complete +3\/3/);
    await board.ok(['rollout', 'status', 'ds/everywhere', '--timeout=60s']);
    await board.ok(['delete', 'job/sums', 'ds/everywhere', '--wait']);
    await board.ok(['wait', '--for=delete', 'pod', '-l', 'app=everywhere', '--timeout=90s']);
    await board.ok(['wait', '--for=delete', 'pod', '-l', 'job-name=sums', '--timeout=90s']);
  });
});

describe('the server goes and comes back', () => {
  const pids = () =>
    board.ok([
      'exec',
      'steady',
      '--',
      'sh',
      '-c',
      'cat /proc/sys/kernel/random/boot_id >/dev/null; cat /tmp/born',
    ]);

  it('leaves containers alone when it stops, when it is killed, and when containerd dies', async () => {
    await board.apply(simple('steady', 'date +%s%N > /tmp/born; sleep 1000'));
    await board.ok(['wait', '--for=condition=Ready', 'pod/steady', '--timeout=90s']);
    const born = await pids();
    const id = await board.ok([
      'get',
      'pod',
      'steady',
      '-o',
      'jsonpath={.status.containerStatuses[0].containerID}',
    ]);
    expect(await board.stop()).toBe(0);
    await board.start();
    expect(await pids()).toBe(born);
    await board.stop('SIGKILL');
    await board.start();
    expect(await pids()).toBe(born);
    const containerd = readFileSync(join(board.stateDir, 'containerd/containerd.pid'), 'utf8').trim();
    process.kill(Number(containerd), 'SIGKILL');
    await board.until(
      'containerd to be back',
      async () => (await board.kubectl(['exec', 'steady', '--', 'true'])).code === 0,
    );
    expect(await pids()).toBe(born);
    const status = await board.ok([
      'get',
      'pod',
      'steady',
      '-o',
      'jsonpath={.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}',
    ]);
    expect(status).toBe(`${id} 0`);
  });
});
