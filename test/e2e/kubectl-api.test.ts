import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Board } from './board.ts';
import { KUBECTL } from './clients.ts';

/** The stock client's verbs that need an API server and nothing else, with two versions five minors apart. */
let board: Board;
beforeAll(async () => {
  board = Board.create({ agent: false });
  await board.start();
});
afterAll(async () => await board.remove());

const deployment = (name: string, extra = ''): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, labels: { app: ${name} } }
spec:
  replicas: 2
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      containers:
        - name: main
          image: example.org/app:1
          ports: [{ containerPort: 80 }]
${extra}`;

describe.each(['1.35', '1.30'] as const)('kubectl %s', (version) => {
  const name = `web-${version.replace('.', '-')}`;
  const kubectl = (...args: string[]) => board.kubectl(args, { version });
  const ok = (...args: string[]) => board.ok(args, { version });
  const apply = (text: string) => board.ok(['apply', '-f', '-'], { version, input: text });

  it('applies, applies again, shows a diff and changes', async () => {
    expect(await apply(deployment(name))).toBe(`deployment.apps/${name} created\n`);
    expect(await apply(deployment(name))).toBe(`deployment.apps/${name} unchanged\n`);
    const changed = deployment(name).replace('app:1', 'app:2');
    const diff = await board.kubectl(['diff', '-f', '-'], { version, input: changed });
    expect(diff.code).toBe(1);
    expect(diff.stdout).toMatch(/^-.*image: example.org\/app:1$/m);
    expect(diff.stdout).toMatch(/^\+.*image: example.org\/app:2$/m);
    expect(await apply(changed)).toBe(`deployment.apps/${name} configured\n`);
    expect(await ok('get', 'deploy', name, '-o', 'jsonpath={.spec.template.spec.containers[0].image}')).toBe(
      'example.org/app:2',
    );
  });

  it('gets wide, as YAML, by jsonpath and custom columns', async () => {
    expect(await ok('get', 'deploy', name, '-o', 'wide')).toMatch(
      /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE +CONTAINERS +IMAGES +SELECTOR\n\S+ +0\/2 +/,
    );
    expect(await ok('get', 'deploy', name, '-o', 'yaml')).toMatch(
      /^apiVersion: apps\/v1\nkind: Deployment\n/,
    );
    expect(await ok('get', 'deploy', name, '-o', 'custom-columns=N:.metadata.name,R:.spec.replicas')).toMatch(
      /^N +R\n\S+ +2\n$/,
    );
    expect(await ok('get', 'deploy', name, '-o', 'name')).toBe(`deployment.apps/${name}\n`);
    expect(await ok('get', 'all', '-l', `app=${name}`)).toMatch(new RegExp(`deployment.apps/${name} `));
  });

  it('labels, annotates, patches three ways, scales, sets an image', async () => {
    await ok('label', 'deploy', name, 'tier=front');
    expect(await ok('get', 'deploy', '-l', 'tier in (front),app', '-o', 'name')).toContain(name);
    expect((await kubectl('label', 'deploy', name, 'tier=back')).stderr).toMatch(/already has a value/);
    await ok('annotate', 'deploy', name, 'note=hello world');
    await ok(
      'patch',
      'deploy',
      name,
      '-p',
      '{"spec":{"template":{"spec":{"containers":[{"name":"main","env":[{"name":"A","value":"1"}]}]}}}}',
    );
    await ok(
      'patch',
      'deploy',
      name,
      '--type=json',
      '-p',
      '[{"op":"add","path":"/spec/template/spec/containers/0/env/-","value":{"name":"B","value":"2"}}]',
    );
    await ok('patch', 'deploy', name, '--type=merge', '-p', '{"spec":{"minReadySeconds":3}}');
    expect(
      await ok(
        'get',
        'deploy',
        name,
        '-o',
        'jsonpath={.spec.template.spec.containers[0].env[*].name} {.spec.minReadySeconds}',
      ),
    ).toBe('A B 3');
    expect(await ok('scale', `deploy/${name}`, '--replicas=5')).toBe(`deployment.apps/${name} scaled\n`);
    expect(await ok('set', 'image', `deploy/${name}`, 'main=example.org/app:3')).toBe(
      `deployment.apps/${name} image updated\n`,
    );
    expect(
      await ok(
        'get',
        'deploy',
        name,
        '-o',
        'jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image}',
      ),
    ).toBe('5 example.org/app:3');
  });

  it('edits', async () => {
    const { code, stdout, stderr } = await board.kubectl(['edit', 'deploy', name], {
      version,
      env: { KUBE_EDITOR: 'sed -i s/minReadySeconds:.3/minReadySeconds:\\ 4/' },
    });
    expect({ code, stderr, stdout }).toMatchObject({ code: 0, stdout: `deployment.apps/${name} edited\n` });
    expect(await ok('get', 'deploy', name, '-o', 'jsonpath={.spec.minReadySeconds}')).toBe('4');
  });

  it('explains fields and lists resources', async () => {
    expect(await ok('explain', 'pod.spec.containers.livenessProbe')).toMatch(
      /DESCRIPTION:\n +\S+[\s\S]*httpGet/,
    );
    expect(await ok('explain', 'deployment.spec.strategy')).toMatch(/rollingUpdate/);
    const resources = await ok('api-resources', '--no-headers');
    for (const kind of [
      'Pod',
      'Deployment',
      'CronJob',
      'NetworkPolicy',
      'HorizontalPodAutoscaler',
      'PodDisruptionBudget',
    ]) {
      expect(resources).toMatch(new RegExp(` ${kind}$`, 'm'));
    }
    expect(await ok('version')).toMatch(/Server Version: v1\.36\.3\+kedge\./);
  });

  it('refuses what is wrong, in words', async () => {
    const unknown = await board.kubectl(['apply', '-f', '-'], {
      version,
      input: deployment('bad', '      nodeSelectr: {}\n'),
    });
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toMatch(/unknown field "spec.template.spec.nodeSelectr"/);
    const wrongName = await board.kubectl(['create', 'configmap', 'Not_A_Name'], { version });
    expect(wrongName.stderr).toMatch(/a lowercase RFC 1123 subdomain must consist of/);
    const missing = await kubectl('get', 'pod', 'nobody');
    expect(missing).toMatchObject({
      code: 1,
      stderr: 'Error from server (NotFound): pods "nobody" not found\n',
    });
  });

  it('creates configmaps, secrets, namespaces, quotas; deletes and waits', async () => {
    await ok('create', 'configmap', `c-${name}`, '--from-literal=a=1');
    await ok('create', 'secret', 'generic', `s-${name}`, '--from-literal=password=x');
    expect(await ok('get', 'secret', `s-${name}`, '-o', 'jsonpath={.data.password}')).toBe('eA==');
    await ok('create', 'namespace', name);
    await ok('create', 'quota', 'q', '--hard=pods=3', '-n', name);
    await ok('create', 'serviceaccount', 'robot', '-n', name);
    await ok('create', 'role', 'reader', '--verb=get,list', '--resource=pods', '-n', name);
    await ok('create', 'rolebinding', 'reads', '--role=reader', `--serviceaccount=${name}:robot`, '-n', name);
    const as = `--as=system:serviceaccount:${name}:robot`;
    expect(await ok('auth', 'can-i', 'list', 'pods', '-n', name, as)).toBe('yes\n');
    expect((await kubectl('auth', 'can-i', 'delete', 'pods', '-n', name, as)).stdout).toBe('no\n');
    expect((await kubectl('get', 'secrets', '-n', name, as)).stderr).toMatch(
      `secrets is forbidden: User "system:serviceaccount:${name}:robot" cannot list resource "secrets" in API group "" in the namespace "${name}"`,
    );
    expect(await ok('create', 'token', 'robot', '-n', name)).toMatch(/^ey[\w-]+\.[\w-]+\.[\w-]+\n?$/);
    await ok('delete', 'namespace', name, '--wait', '--timeout=60s');
    expect((await kubectl('get', 'role', 'reader', '-n', name)).stderr).toMatch(/not found/);
    await ok('delete', 'deploy', name, '--wait');
    expect((await kubectl('get', 'deploy', name)).stderr).toMatch(/not found/);
  });
});

describe('server-side apply', () => {
  it('reports conflicts, forces, and drops what an applier no longer names', async () => {
    const one = (data: string) => `{apiVersion: v1, kind: ConfigMap, metadata: {name: ssa}, data: ${data}}`;
    const apply = (input: string, ...flags: string[]) =>
      board.kubectl(['apply', '--server-side', ...flags, '-f', '-'], { input });
    expect((await apply(one('{a: "1", b: "1"}'), '--field-manager=first')).code).toBe(0);
    const conflict = await apply(one('{a: "2"}'), '--field-manager=second');
    expect(conflict.code).toBe(1);
    expect(conflict.stderr).toMatch(/Apply failed with 1 conflict: conflict with "first": \.data\.a/);
    expect((await apply(one('{a: "2"}'), '--field-manager=second', '--force-conflicts')).code).toBe(0);
    expect((await apply(one('{c: "3"}'), '--field-manager=first')).code).toBe(0);
    expect(await board.ok(['get', 'cm', 'ssa', '-o', 'jsonpath={.data}'])).toBe('{"a":"2","c":"3"}');
  });
});

describe('get --watch', () => {
  it('shows changes as they come', async () => {
    await board.ok(['create', 'configmap', 'watched']);
    const watch = [KUBECTL['1.35'](), 'get', 'configmap', 'watched', '--watch', '-o'];
    const child = spawn(
      'nsenter',
      [`--net=/run/netns/${board.name}`, ...watch, 'jsonpath={.metadata.labels.n}{"\\n"}'],
      { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, KUBECONFIG: board.kubeconfig } },
    );
    try {
      const told: string[] = [];
      for await (const line of createInterface(child.stdout)) {
        told.push(line);
        if (told.length === 4) break;
        await board.ok(['label', 'configmap', 'watched', '--overwrite', `n=${told.length}`]);
      }
      expect(told).toEqual(['', '1', '2', '3']);
    } finally {
      child.kill();
    }
  });
});
