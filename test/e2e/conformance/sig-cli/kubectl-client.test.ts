import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { join } from 'node:path';
import { expect } from 'vitest';
import { KUBECTL } from '../../clients.ts';
import { area } from '../area.ts';
import { IMAGE } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const deployment = (image: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: compared }
spec:
  replicas: 1
  selector: { matchLabels: { app: compared } }
  template:
    metadata: { labels: { app: compared } }
    spec: { containers: [{ name: web, image: ${image} }] }
`;

/** Starts `kubectl proxy` and resolves with where it says that it listens. */
async function startProxy(context: SpecContext, args: readonly string[]): Promise<string> {
  const child = spawn(KUBECTL['1.35'](), ['proxy', ...args], {
    env: context.cluster.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((done) => child.once('exit', done));
  context.defer(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => (output += text.toString()));
  return await context.until('the proxy', async () => /Starting to serve on (\S+)/.exec(output)?.[1]);
}

function getJson(options: {
  socketPath?: string;
  host?: string;
  port?: string;
  path: string;
}): Promise<unknown> {
  return new Promise((done, failed) => {
    const sent = request({ ...options, headers: { host: 'localhost' } }, (answer) => {
      let body = '';
      answer.on('data', (text: Buffer) => (body += text.toString()));
      answer.once('end', () => done(JSON.parse(body)));
    });
    sent.once('error', failed);
    sent.end();
  });
}

area('sig-cli', 'Kubectl client', (spec) => {
  spec('Kubectl api-versions should check if v1 is in available api versions', async (context) => {
    expect((await context.ok(['api-versions'])).split('\n')).toContain('v1');
  });

  spec(
    'Kubectl cluster-info should check if Kubernetes control plane services is included in cluster-info',
    async (context) => {
      const output = await context.cluster.ok(['cluster-info']);
      expect(output).toMatch(/Kubernetes control plane.* is running at .*https:\/\//);
    },
  );

  spec('Kubectl diff should check if kubectl diff finds a difference for Deployments', async (context) => {
    await context.ok(['create', '-f', '-'], deployment(IMAGE));
    expect(await context.kubectl(['diff', '-f', '-'], deployment(IMAGE))).toMatchObject({
      code: 0,
      stdout: '',
    });
    const changed = await context.kubectl(['diff', '-f', '-'], deployment('example.org/other:2'));
    expect(changed.code).toBe(1);
    expect(changed.stdout).toMatch(new RegExp(`^-\\s+- image: ${IMAGE}$`, 'm'));
    expect(changed.stdout).toMatch(/^\+\s+- image: example\.org\/other:2$/m);
  });

  spec('Kubectl version should check is all data is printed', async (context) => {
    const output = await context.ok(['version', '-o', 'yaml']);
    for (const part of ['clientVersion:', 'serverVersion:']) {
      const [, text = ''] = output.split(part);
      for (const field of [
        'buildDate',
        'compiler',
        'gitCommit',
        'gitTreeState',
        'gitVersion',
        'goVersion',
        'major',
        'minor',
        'platform',
      ])
        expect(text, part).toMatch(new RegExp(`^ {2}${field}: \\S+`, 'm'));
    }
    const plain = await context.ok(['version']);
    expect(plain).toMatch(/^Client Version: v1\.35\.\d+/m);
    expect(plain).toMatch(/^Server Version: v1\.36\.\d+/m);
  });

  spec('Proxy server should support proxy with --port 0', async (context) => {
    const address = await startProxy(context, ['-p', '0', '--disable-filter']);
    const [host = '', port = ''] = address.split(':');
    expect(await getJson({ host, port, path: '/api/' })).toMatchObject({
      kind: 'APIVersions',
      versions: ['v1'],
    });
  });

  spec('Proxy server should support --unix-socket=/path', async (context) => {
    const socketPath = join(context.cluster.folder, `${context.namespace}.sock`);
    expect(await startProxy(context, [`--unix-socket=${socketPath}`])).toBe(socketPath);
    expect(await getJson({ socketPath, path: '/api/' })).toMatchObject({
      kind: 'APIVersions',
      versions: ['v1'],
    });
  });
});
