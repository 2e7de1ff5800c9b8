import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { FakeClock } from '../../lib/fake-clock.ts';
import { createLogger } from '../../lib/log.ts';
import { belongsTogether } from '../../lib/pki/certificate.ts';
import type { AlternativeNames } from '../../lib/pki/names.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { servingNames } from './names.ts';
import { ensureServerPki, type ServerPki } from './server-pki.ts';

const DAY_MS = 86_400_000;
let directory: string;
let clock: FakeClock;
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'kedge-pki-')), 'tls');
  clock = new FakeClock(Date.UTC(2026, 5, 1));
});
afterEach(() => rm(join(directory, '..'), { recursive: true }));

const names = (extra: string[] = []): AlternativeNames =>
  servingNames({
    hostname: 'Pi',
    addresses: ['192.168.1.7', 'fd00:0:0::7'],
    extra,
    clusterDomain: 'cluster.local',
    serviceIps: ['10.43.0.1'],
  });
const ensure = (extra?: string[]): Promise<ServerPki> =>
  ensureServerPki({
    directory,
    names: names(extra),
    clock,
    log: createLogger({ level: 'error', write: () => {} }),
  });

describe("the server's keys and certificates", () => {
  it('are made once, belong together and only their owner may read them', async () => {
    const first = await ensure();
    expect(await ensure()).toEqual(first);
    const serving = new X509Certificate(first.serving.certificatePem);
    expect(belongsTogether(serving, first.serving.keyPem, first.serverCa.certificatePem)).toBe(true);
    for (const name of ['localhost', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local', 'pi'])
      expect(serving.checkHost(name)).toBe(name);
    for (const ip of ['127.0.0.1', '::1', '10.43.0.1', '192.168.1.7', 'fd00::7'])
      expect(serving.checkIP(ip)).toBe(ip);
    expect(new X509Certificate(first.admin.certificatePem).subject).toBe('O=system:masters\nCN=system:admin');
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    for (const file of await readdir(directory))
      expect((await stat(join(directory, file))).mode & 0o777, file).toBe(0o600);
  });

  it('serve a new name without a new key or authority', async () => {
    const before = await ensure();
    const after = await ensure(['kedge.example.org', '10.9.9.9']);
    expect(after.serving.keyPem).toBe(before.serving.keyPem);
    expect(after.serverCa).toEqual(before.serverCa);
    expect(new X509Certificate(after.serving.certificatePem).checkHost('kedge.example.org')).toBeDefined();
    expect(new X509Certificate(after.serving.certificatePem).checkIP('10.9.9.9')).toBeDefined();
  });

  it('are renewed in their last 90 days, keys and authorities kept', async () => {
    const before = await ensure();
    expect(before.renewAtMs).toBe(clock.now() + 275 * DAY_MS);
    clock.jump(274 * DAY_MS);
    expect(await ensure()).toEqual(before);
    clock.jump(2 * DAY_MS);
    const after = await ensure();
    expect(after.serving.certificatePem).not.toBe(before.serving.certificatePem);
    expect(after.admin.keyPem).toBe(before.admin.keyPem);
    expect(after.clientCa).toEqual(before.clientCa);
    clock.jump(10 * 365 * DAY_MS);
    expect(new X509Certificate((await ensure()).serving.certificatePem).validToDate.getTime()).toBe(
      clock.now() + 365 * DAY_MS,
    );
  });

  it('stay good on a board whose clock starts in 1970', async () => {
    clock = new FakeClock(0);
    const made = await ensure();
    clock.jump(Date.UTC(2026, 8, 1));
    expect(await ensure()).toEqual(made);
  });

  it('recover wherever a crash or a bad card struck', async () => {
    const before = await ensure();
    for (const file of await readdir(directory)) {
      const path = join(directory, file);
      const content = await readFile(path, 'utf8');
      await rm(path);
      const without = await ensure();
      expect(
        belongsTogether(
          new X509Certificate(without.serving.certificatePem),
          without.serving.keyPem,
          without.serverCa.certificatePem,
        ),
      ).toBe(true);
      await writeFile(path, content.slice(0, 60));
      const damaged = await ensure();
      expect(
        belongsTogether(
          new X509Certificate(damaged.admin.certificatePem),
          damaged.admin.keyPem,
          damaged.clientCa.certificatePem,
        ),
      ).toBe(true);
    }
    expect(before.serving.keyPem).not.toBe((await ensure()).serving.keyPem);
  });

  it("take a certificate authority's certificate back from its key", async () => {
    const before = await ensure();
    await rm(join(directory, 'client-ca.crt'));
    const after = await ensure();
    expect(after.clientCa.keyPem).toBe(before.clientCa.keyPem);
    expect(after.admin).toEqual(before.admin);
  });
});

describe('the kubeconfig', () => {
  it("carries the admin's certificate, with the mode asked for, written only when it changes", async () => {
    const pki = await ensure();
    const path = join(directory, '..', 'etc', 'kedge.yaml');
    const options = {
      server: 'https://127.0.0.1:6443',
      caPem: pki.serverCa.certificatePem,
      client: pki.admin,
    };
    await writeKubeconfig(path, options);
    const { ino, mode } = await stat(path);
    expect(mode & 0o777).toBe(0o600);
    const config = parse(await readFile(path, 'utf8')) as { users: [{ user: Record<string, string> }] };
    expect(Buffer.from(config.users[0].user['client-certificate-data'] ?? '', 'base64').toString()).toBe(
      pki.admin.certificatePem,
    );
    await writeKubeconfig(path, options, 0o644);
    const again = await stat(path);
    expect([again.ino, again.mode & 0o777]).toEqual([ino, 0o644]);
    await writeKubeconfig(path, { ...options, server: 'https://pi:6443' });
    expect(await readFile(path, 'utf8')).toContain('server: https://pi:6443');
  });
});

it('leaves names out that no certificate can carry', () => {
  expect(names(['bad_name', 'good.example', '*.wild.example']).dnsNames).toEqual([
    '*.wild.example',
    'good.example',
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
    'localhost',
    'pi',
  ]);
});
