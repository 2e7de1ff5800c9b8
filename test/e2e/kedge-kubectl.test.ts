import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Board } from './board.ts';

/** The built-in client, against an API server without an agent. */
let board: Board;
beforeAll(async () => {
  board = Board.create({ agent: false });
  await board.start();
});
afterAll(async () => await board.remove());

const kubectl = (...args: string[]) => board.kedge(['kubectl', ...args]);
const manifest = `
apiVersion: v1
kind: ConfigMap
metadata: { name: one, labels: { set: x } }
data: { a: "1" }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { set: x } }
spec:
  replicas: 0
  selector: { matchLabels: { app: web } }
  template: { metadata: { labels: { app: web } }, spec: { containers: [{ name: main, image: "example.org/app:1" }] } }
`;

it('applies files, says what became of each object, and refuses unknown fields', async () => {
  const file = join(board.folder, 'two.yaml');
  writeFileSync(file, manifest);
  expect((await kubectl('apply', '-f', file)).stdout).toBe(
    'configmap/one created\ndeployment.apps/web created\n',
  );
  expect((await kubectl('apply', '-f', file)).stdout).toBe(
    'configmap/one unchanged\ndeployment.apps/web unchanged\n',
  );
  writeFileSync(file, manifest.replace('a: "1"', 'a: "2"'));
  expect((await kubectl('apply', '-f', file)).stdout).toBe(
    'configmap/one configured\ndeployment.apps/web unchanged\n',
  );
  writeFileSync(file, manifest.replace('replicas: 0', 'replcas: 0'));
  const refused = await kubectl('apply', '-f', file);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/Deployment web: .*spec\.replcas/);
});

it('gets tables, documents and names', async () => {
  expect((await kubectl('get', 'cm', 'one')).stdout).toMatch(/^NAME +DATA +AGE\none +1 +\d+s\n$/);
  expect((await kubectl('get', 'deploy,cm', '-l', 'set=x', '-o', 'name')).stdout).toBe(
    'deployment.apps/web\nconfigmap/one\n',
  );
  expect((await kubectl('get', 'cm/one', '-o', 'yaml')).stdout).toMatch(
    /^apiVersion: v1\nkind: ConfigMap\n[\s\S]*data:\n {2}a: "1"\n/,
  );
  expect(JSON.parse((await kubectl('get', 'cm', '-l', 'set=x', '-o', 'json')).stdout)).toMatchObject({
    kind: 'List',
    items: [{ kind: 'ConfigMap' }],
  });
  expect((await kubectl('get', 'ns', '--no-headers')).stdout).toMatch(/^default +Active/m);
  expect((await kubectl('get', 'cm', '-A')).stdout).toMatch(/^NAMESPACE +NAME +DATA +AGE\n/);
  expect(await kubectl('get', 'pods')).toMatchObject({
    code: 0,
    stdout: '',
    stderr: 'No resources found in default namespace.\n',
  });
  expect(await kubectl('get', 'pod', 'none')).toMatchObject({
    code: 1,
    stderr: 'Error from server (NotFound): pods "none" not found\n',
  });
  expect((await kubectl('get', 'deploymens')).stderr).toMatch(
    /doesn't have a resource type "deploymens"; did you mean deployments\?/,
  );
});

it('describes, scales, waits for a rollout, deletes and waits', async () => {
  expect((await kubectl('describe', 'deploy', 'web')).stdout).toMatch(
    /^Name: web\nNamespace: default\n[\s\S]*Replicas: 0[\s\S]*Events:/,
  );
  expect((await kubectl('scale', 'deploy/web', '--replicas=0')).stdout).toBe('deployment.apps/web scaled\n');
  expect((await kubectl('rollout', 'status', 'deploy/web', '--timeout=90s')).stdout).toMatch(
    /"web" successfully rolled out\n$/,
  );
  const removed = await kubectl('delete', 'deploy/web', 'cm/one');
  expect(removed).toMatchObject({
    code: 0,
    stdout:
      'deployment.apps "web" deleted from default namespace\nconfigmap "one" deleted from default namespace\n',
  });
  expect((await kubectl('get', 'cm/one')).code).toBe(1);
});

it('fails in one line when no server answers or no kubeconfig exists', async () => {
  const { code, stderr } = await board.kedge(['kubectl', '--kubeconfig', '/nonexistent', 'get', 'pods']);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^kedge: kubeconfig \/nonexistent: [^\n]+\n$/);
  await board.stop();
  const unreachable = await kubectl('get', 'pods');
  expect(unreachable.code).toBe(1);
  expect(unreachable.stderr).toMatch(
    /^kedge: cannot reach https:\/\/127\.0\.0\.1:6443: .*is kedge server running\?\n$/,
  );
});
