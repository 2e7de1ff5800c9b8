import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { containerdConfig } from '../../src/runtime/containerd-daemon.ts';
import { IMAGE } from './board.ts';
import { Release, Service } from './installation.ts';
import { Machine } from './machine.ts';

/**
 * What boards of 512 MB leave to Kedge: a server with its node and ten pods in 256 MB, an agent with ten in 128 MB. The
 * limits are the units' own, as an owner would set them; containerd has a unit of its own and does not count.
 */
const root = resolve(import.meta.dirname, '../..');
const SOCKET = '/run/others/containerd.sock';
const PODS = 10;

let a: Machine;
let b: Machine;
let server: Service;
let agent: Service;
beforeAll(async () => {
  a = await Machine.boot();
  b = await Machine.boot({ address: '192.168.78.2/24', behind: a });
  await a.ok(['hostname', 'server']);
  await b.ok(['hostname', 'agent']);
  server = new Service(a, 'kedge.service');
  agent = new Service(b, 'kedge-agent.service');
  const release = await Release.serve(a, '192.168.78.1');
  await install(a, { release, unit: server.name, limit: '256M', args: 'server', env: {} });
  const token = (await a.ok(['cat', '/var/lib/kedge/server/node-token'])).trim();
  const env = { KEDGE_URL: 'https://192.168.78.1:6443', KEDGE_TOKEN: token };
  await install(b, { release, unit: agent.name, limit: '128M', args: 'agent', env });
});
afterAll(async () => {
  await b?.remove();
  await a?.remove();
});

interface Installation {
  readonly release: Release;
  readonly unit: string;
  readonly limit: string;
  readonly args: string;
  readonly env: Readonly<Record<string, string>>;
}

async function install(machine: Machine, { release, unit, limit, args, env }: Installation): Promise<void> {
  const folder = join(machine.varLib, 'others');
  const images = join(machine.varLib, 'kedge/agent/images');
  for (const path of [folder, images]) mkdirSync(path, { recursive: true });
  const archive = join(images, 'busybox.tar');
  execFileSync(process.execPath, [join(root, 'test/fixtures/busybox-image.ts'), archive, IMAGE]);
  const config = containerdConfig({
    root: '/var/lib/others/root',
    state: '/run/others/state',
    address: SOCKET,
  });
  writeFileSync(join(folder, 'config.toml'), config);
  await machine.ok(['systemd-run', '--unit=others', 'containerd', '--config', '/var/lib/others/config.toml']);

  const memory = `/etc/systemd/system/${unit}.d/memory.conf`;
  const dropIn = `mkdir -p $(dirname ${memory}); printf '[Service]\\nMemoryMax=${limit}\\n' >${memory}`;
  await machine.ok(['sh', '-c', dropIn]);
  const { code, output } = await release.install(machine, `${args} --container-runtime-endpoint=${SOCKET}`, {
    ...env,
    INSTALL_KEDGE_SKIP_START: 'true',
  });
  if (code !== 0) throw new Error(output);
  // What of the executable lies in the page cache already would be nobody's; now its pages count for who needs them.
  await machine.ok(['sh', '-c', 'sync; dd if=/usr/local/bin/kedge iflag=nocache count=0 status=none']);
  await machine.ok(['systemctl', 'start', unit]);
}

function pods(name: string, board: string): string {
  return `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  replicas: ${PODS}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      nodeSelector: { kubernetes.io/hostname: ${board} }
      terminationGracePeriodSeconds: 0
      containers: [{ name: main, image: ${IMAGE}, command: [sh, -c, "echo hello; exec sleep 100000"] }]
---`;
}

/** Systemd's own count of what went wrong with a unit. */
async function troubles(machine: Machine, { name }: Service): Promise<string> {
  const argv = ['systemctl', 'show', '--property=NRestarts,Result,MemoryMax', name];
  return (await machine.ok(argv)).trim().split('\n').sort().join(' ');
}

describe('little memory', () => {
  it('is enough for ten pods on each board, and for everyday work', async () => {
    await a.ok(['kubectl', 'apply', '-f', '-'], { input: pods('near', 'server') + pods('far', 'agent') });
    for (const name of ['near', 'far'])
      await a.ok(['kubectl', 'rollout', 'status', `deployment/${name}`, '--timeout=90s']);
    const list = await a.ok(['kubectl', 'get', 'pods', '--no-headers']);
    expect(list.match(/ 1\/1 +Running +0 /g)).toHaveLength(2 * PODS);
    const names = list
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0] ?? '');
    for (const name of [names[0] ?? '', names.at(-1) ?? '']) {
      expect(await a.ok(['kubectl', 'exec', name, '--', 'echo', 'answered'])).toBe('answered\n');
      expect(await a.ok(['kubectl', 'logs', name])).toBe('hello\n');
    }
    const tls = '/var/lib/kedge/server/tls/client-admin';
    const ask = `curl -sfk --cert ${tls}.crt --key ${tls}.key https://127.0.0.1:6443/openapi/v2 | wc -c`;
    expect(Number(await a.ok(['sh', '-c', ask]))).toBeGreaterThan(1_000_000);
    await a.ok(['kubectl', 'delete', 'deployment', 'near', 'far']);
    await a.until(
      'all to be gone',
      async () => (await a.ok(['kubectl', 'get', 'pods', '-o', 'name'])) === '',
    );

    expect(await troubles(a, server)).toBe(`MemoryMax=${256 * 1024 ** 2} NRestarts=0 Result=success`);
    expect(await troubles(b, agent)).toBe(`MemoryMax=${128 * 1024 ** 2} NRestarts=0 Result=success`);
  });
});
