import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IMAGE } from './board.ts';
import { INSTALLER, NAME, Release, Service, traces } from './installation.ts';
import { Machine } from './machine.ts';

/**
 * What an installer does to a machine: the release comes from a web server on it, systemd runs the unit, and in the
 * end nothing is left.
 */
const root = resolve(import.meta.dirname, '../..');

const DEPLOYMENT = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{ name: web, image: ${IMAGE}, command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done"] }]
`;

let machine: Machine;
let release: Release;
let service: Service;
beforeAll(async () => {
  machine = await Machine.boot();
  release = await Release.serve(machine);
  service = new Service(machine, 'kedge.service');
});
afterAll(async () => await machine.remove());

async function restarts(): Promise<readonly string[]> {
  const lines = await machine.ok(['kubectl', 'get', 'pods', '--no-headers']);
  return lines
    .trim()
    .split('\n')
    .map((line) => line.split(/ +/)[3] ?? '');
}

describe('a machine without systemd', () => {
  /** Answers what the installer asks, and is small enough to be packed here. */
  const SMALL = '#!/bin/sh\necho kedge version v0.0.0\n';
  const PATH = '/tmp/bin:/usr/sbin';

  it('gets the packed executable and is told how to run it', async () => {
    const before = await traces(machine);
    const packed = execFileSync('xz', ['-c'], { input: SMALL });
    release.publish({ 'install.sh': readFileSync(INSTALLER), [NAME]: SMALL, [`${NAME}.xz`]: packed });
    // What it asks for is there, but for the programs of systemd.
    await machine.ok([
      'sh',
      '-c',
      'mkdir /tmp/bin; for f in /usr/bin/*; do ln -s $f /tmp/bin; done; rm /tmp/bin/systemctl',
    ]);
    const { code, output } = await release.install(machine, '', {
      PATH,
      INSTALL_KEDGE_BIN_DIR: '/opt/kedge/bin',
    });
    expect([code, output]).toEqual([
      0,
      expect.stringMatching(/no systemd here; run it yourself: \/opt\/kedge\/bin\/kedge server/),
    ]);
    expect(await machine.ok(['/opt/kedge/bin/kedge'])).toBe('kedge version v0.0.0\n');
    await machine.ok(['/opt/kedge/bin/kedge-uninstall.sh']);
    await machine.ok(['rm', '-r', '/tmp/bin', '/opt/kedge']);
    expect(await traces(machine)).toEqual(before);
  });

  it('is left alone by a dry run, and by a file whose checksum is wrong', async () => {
    release.publish();
    const before = await traces(machine);
    const dry = await release.install(machine, '', { INSTALL_KEDGE_DRY_RUN: 'true' });
    expect([dry.code, dry.output]).toEqual([
      0,
      expect.stringMatching(
        /would install: \S+ as \/usr\/local\/bin\/kedge\n[\s\S]*would write: \/etc\/systemd\/system\/kedge\.service\n[\s\S]*would run: systemctl restart kedge\.service/,
      ),
    ]);
    expect(await traces(machine)).toEqual(before);

    release.write(NAME, SMALL);
    const damaged = await release.install(machine, '');
    expect([damaged.code, damaged.output]).toEqual([
      1,
      expect.stringMatching(
        /error: kedge-linux-\S+ from http\S+ is damaged: its checksum is wrong\. Nothing was changed\n$/,
      ),
    ]);
    expect(await traces(machine)).toEqual(before);
  });

  it.each([
    ['agent', {}, /an agent needs KEDGE_URL/],
    ['', { KEDGE_URL: 'https://192.168.77.9:6443' }, /an agent needs KEDGE_TOKEN/],
    ['', { KEDGE_URL: 'http://192.168.77.9:6443', KEDGE_TOKEN: 'x' }, /KEDGE_URL must be https/],
    ['kubectl get nodes', {}, /a service runs `kedge server` or `kedge agent`/],
    [
      '',
      { INSTALL_KEDGE_ARTIFACT: 'http://127.0.0.1:8000/nowhere' },
      /cannot get \S+\/nowhere\/sha256sum\.txt/,
    ],
    ['', { INSTALL_KEDGE_SKIP_DOWNLOAD: 'true' }, /there is no \/usr\/local\/bin\/kedge/],
  ])('%s %j: one line says what is wrong', async (args, env, message) => {
    const { code, output } = await release.install(machine, args, env as Record<string, string>);
    expect([code, output.trim().split('\n').at(-1)]).toEqual([1, expect.stringMatching(message)]);
  });
});

describe('a machine with systemd', () => {
  let before: Record<string, string>;
  beforeAll(async () => {
    release.publish();
    before = await traces(machine);
    const images = join(machine.varLib, 'kedge/agent/images');
    mkdirSync(images, { recursive: true });
    execFileSync(process.execPath, [
      join(root, 'test/fixtures/busybox-image.ts'),
      join(images, 'busybox.tar'),
      IMAGE,
    ]);
  });

  it('runs the server when the installer ends', async () => {
    const flags = 'server --tls-san "a board.example.org" --node-label=place=roof';
    const { code, output } = await release.install(machine, flags, {
      KEDGE_NODE_NAME: 'board',
      KEDGE_TOKEN: 'secret',
      KEDGE_WORDS: 'a $"b" `c`',
    });
    expect([code, output]).toEqual([
      0,
      expect.stringMatching(/installed \/usr\/local\/bin\/kedge: kedge version v/),
    ]);
    expect(output).not.toMatch(/secret/);
    // Neither asks twice: ready means that the API answers and the node is known.
    expect(await machine.ok(['kubectl', 'get', 'nodes', '--no-headers'])).toMatch(/^board +Ready /);
    expect(await service.commandLine()).toEqual([
      '/usr/local/bin/kedge',
      'server',
      '--tls-san',
      'a board.example.org',
      '--node-label=place=roof',
    ]);
    const unit = '/etc/systemd/system/kedge.service';
    expect(await machine.run(['systemd-analyze', 'verify', unit])).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    });
    expect(await machine.ok(['stat', '--format=%a', '/etc/kedge/kedge.env', '/etc/kedge/kedge.yaml'])).toBe(
      '600\n600\n',
    );
    const read = '. /etc/kedge/kedge.env; echo "$KEDGE_NODE_NAME $KEDGE_WORDS"';
    expect(await machine.ok(['sh', '-c', read])).toBe('board a $"b" `c`\n');
    const environment = await machine.ok(['cat', `/proc/${await service.pid()}/environ`]);
    expect(environment.split('\0')).toContain('KEDGE_WORDS=a $"b" `c`');
    // containerd would tell systemd that all is well as soon as it is.
    const child = 'cat /proc/$(cat /run/kedge/containerd/containerd.pid)/environ';
    expect(await machine.ok(['sh', '-c', child])).not.toMatch(/NOTIFY_SOCKET/);
  });

  it('does not touch what runs when it is installed again, nor its pods when it is upgraded', async () => {
    await machine.ok(['kubectl', 'apply', '-f', '-'], { input: DEPLOYMENT });
    await machine.ok(['kubectl', 'rollout', 'status', 'deployment/web', '--timeout=60s']);
    const pid = await service.pid();
    const pods = await service.containers();
    expect(pods.split('\n').length).toBeGreaterThan(2);
    expect(await machine.ok(['cat', `/proc/${pods.split('\n')[0]}/oom_score_adj`])).toBe('1000\n');

    const again = await release.install(machine, '');
    expect([again.code, again.output]).toEqual([
      0,
      expect.stringMatching(/kedge is up to date\n[\s\S]*runs and nothing has changed\n/),
    ]);
    expect(await service.pid()).toBe(pid);

    release.publishAnother();
    // As if the power had gone before the restart: the next one brings to an end what this one began.
    const cut = await release.install(machine, '', {
      KEDGE_LOG_LEVEL: 'debug',
      INSTALL_KEDGE_SKIP_START: 'true',
    });
    expect([cut.code, await service.pid()]).toEqual([0, pid]);
    await machine.ok(['mkdir', '/usr/local/bin/.kedge-install.cut']);
    const upgrade = await release.install(machine, '');
    expect(upgrade.output).not.toMatch(/nothing has changed/);
    expect((await machine.run(['ls', '/usr/local/bin/.kedge-install.cut'])).code).not.toBe(0);
    expect([upgrade.code, upgrade.output]).toEqual([0, expect.stringMatching(/starting kedge\.service/)]);
    expect(await service.pid()).not.toBe(pid);
    expect((await service.commandLine()).slice(-1)).toEqual(['--node-label=place=roof']);
    const variables = await machine.ok(['sed', 's/=.*//', '/etc/kedge/kedge.env']);
    expect(variables).toBe('KEDGE_NODE_NAME\nKEDGE_TOKEN\nKEDGE_WORDS\nKEDGE_LOG_LEVEL\n');
    expect(await service.containers()).toBe(pods);
    expect(await restarts()).toEqual(['0', '0']);
  });

  it('leaves pods alone when it is stopped or killed, and is started again', async () => {
    const pods = await service.containers();
    await machine.ok(['systemctl', 'stop', 'kedge.service']);
    expect(await service.containers()).toBe(pods);
    expect((await machine.run(['curl', '-sk', 'https://127.0.0.1:6443/readyz'])).code).toBe(7);
    await machine.ok(['systemctl', 'start', 'kedge.service']);
    expect(await machine.ok(['kubectl', 'get', 'nodes', '--no-headers'])).toMatch(/^board +Ready /);

    const pid = await service.pid();
    await machine.ok(['kill', '-9', pid]);
    await machine.until(
      'the server to be back',
      async () => (await service.pid()) !== pid && (await service.isActive()),
    );
    expect(await service.containers()).toBe(pods);
    expect(await restarts()).toEqual(['0', '0']);
  });

  it('is as it was at the time of a backup when that is restored, and its pods notice nothing', async () => {
    const pods = await service.containers();
    const saved = await machine.run(['kedge', 'backup', '/root/kedge.tar.gz']);
    expect([saved.code, saved.stderr]).toEqual([0, '']);
    expect(await machine.ok(['stat', '--format=%a', '/root/kedge.tar.gz'])).toBe('600\n');
    const later = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: later }\n';
    await machine.ok(['kubectl', 'apply', '-f', '-'], { input: later });
    const running = await machine.run(['kedge', 'restore', '/root/kedge.tar.gz']);
    expect([running.code, running.stderr]).toEqual([
      1,
      expect.stringMatching(
        /is in use by another kedge process \(pid \d+\): stop it first, systemctl stop kedge\n$/,
      ),
    ]);

    await machine.ok(['systemctl', 'stop', 'kedge.service']);
    expect(await machine.ok(['kedge', 'restore', '/root/kedge.tar.gz'])).toMatch(
      /what came after that backup is lost/,
    );
    await machine.ok(['systemctl', 'start', 'kedge.service']);
    expect((await machine.run(['kubectl', 'get', 'configmap', 'later'])).stderr).toMatch(/not found/);
    expect(await service.containers()).toBe(pods);
    expect(await restarts()).toEqual(['0', '0']);
    await machine.ok(['rm', '/root/kedge.tar.gz']);
  });

  it('gives a snapshot to its administrator alone', async () => {
    const ask = async (...flags: string[]): Promise<string> =>
      await machine.ok(['curl', '-sk', ...flags, 'https://127.0.0.1:6443/v1-kedge/snapshots']);
    const tls = '/var/lib/kedge/server/tls/client-admin';
    expect(await ask('-X', 'POST')).toMatch(/"reason": ?"(Forbidden|Unauthorized)"/);
    expect(await ask('--cert', `${tls}.crt`, '--key', `${tls}.key`)).toMatch(/"reason": ?"MethodNotAllowed"/);
    expect(await ask('--cert', `${tls}.crt`, '--key', `${tls}.key`, '-X', 'POST')).toMatch(
      /"path": ?"\/var\/lib\/kedge\/server\/db\/snapshots\/revision-/,
    );
  });

  it('deletes nothing while a disk of the owner is mounted below its data, and leaves nothing then', async () => {
    await machine.ok(['mkdir', '/var/lib/kedge/photos']);
    await machine.ok(['mount', '-t', 'tmpfs', 'photos', '/var/lib/kedge/photos']);
    await machine.ok(['touch', '/var/lib/kedge/photos/holiday']);
    await machine.ok(['sh', '-c', 'echo "node-label: [a=b]" >/etc/kedge/config.yaml']);
    const refused = await machine.run(['kedge-uninstall.sh']);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(
        /\/var\/lib\/kedge is not deleted, because something is mounted below it: \/var\/lib\/kedge\/photos\n$/,
      ),
    ]);
    expect(existsSync(join(machine.varLib, 'kedge/server/db/kedge.db'))).toBe(true);
    expect(await machine.ok(['ls', '/var/lib/kedge/photos'])).toBe('holiday\n');

    await machine.ok(['umount', '/var/lib/kedge/photos']);
    expect(await machine.ok(['kedge-uninstall.sh'])).toMatch(
      /kept: your configuration[\s\S]*Kedge is removed/,
    );
    expect(await machine.ok(['sh', '-c', 'ls /etc/kedge; rm -r /etc/kedge'])).toBe('config.yaml\n');
    expect(await traces(machine)).toEqual(before);
  });
});
