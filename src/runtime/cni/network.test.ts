import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createExec } from '../../lib/exec.ts';
import { kedgeConfList, loadConfList } from './conflist.ts';
import { type Attachment, addressesOf, CniRunner, pluginInput } from './network.ts';

describe('CNI', () => {
  let dir = '';
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kedge-cni-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  /** A plugin that notes how it was called and answers with its own name. */
  const plugin = async (
    name: string,
    body = `cat > "${dir}/$CNI_COMMAND-${name}.json"; echo '{"by":"${name}"}'`,
  ) => {
    await writeFile(
      join(dir, name),
      `#!/bin/sh\necho "$CNI_COMMAND ${name} $CNI_CONTAINERID $CNI_IFNAME" >> "${dir}/calls"\n${body}\n`,
    );
    await chmod(join(dir, name), 0o755);
  };
  const calls = async () => (await readFile(join(dir, 'calls'), 'utf8')).trim().split('\n');
  const attachment = (extra: Partial<Attachment> = {}): Attachment => ({
    conf: { cniVersion: '1.0.0', name: 'net', plugins: [{ type: 'first', mtu: 9 }, { type: 'second' }] },
    containerId: 'pod-1',
    netns: dir,
    podNamespace: 'default',
    podName: 'web',
    ports: [],
    ...extra,
  });
  const runner = () => new CniRunner({ exec: createExec(), binDirs: ['/nonexistent', dir] });

  it('chains plugins on ADD, and undoes them in reverse with the cached result', async () => {
    await plugin('first');
    await plugin('second');
    const result = await runner().add(attachment());
    expect(result).toEqual({ by: 'second' });
    const second = JSON.parse(await readFile(join(dir, 'ADD-second.json'), 'utf8')) as object;
    expect(second).toEqual({ type: 'second', cniVersion: '1.0.0', name: 'net', prevResult: { by: 'first' } });
    await runner().check(attachment({ result }));
    await runner().del(attachment({ result }));
    expect(await calls()).toEqual([
      ...[
        'ADD first pod-1 eth0',
        'ADD second pod-1 eth0',
        'CHECK first pod-1 eth0',
        'CHECK second pod-1 eth0',
      ],
      ...['DEL second pod-1 eth0', 'DEL first pod-1 eth0'],
    ]);
    const deleted = JSON.parse(await readFile(join(dir, 'DEL-first.json'), 'utf8')) as { prevResult: object };
    expect(deleted.prevResult).toEqual({ by: 'second' });
  });

  it('tells plugins of a namespace only where there is one', async () => {
    await plugin('first', `echo "$CNI_COMMAND [$CNI_NETNS]" >> "${dir}/netns"; echo '{}'`);
    await writeFile(join(dir, 'net'), '');
    const conf = { cniVersion: '1.0.0', name: 'net', plugins: [{ type: 'first' }] };
    // The first is what a crash leaves between making the file and pinning the namespace at it.
    for (const netns of [join(dir, 'net'), join(dir, 'gone'), '/proc/self/ns/net']) {
      await runner().del(attachment({ conf, netns }));
    }
    expect(await readFile(join(dir, 'netns'), 'utf8')).toBe('DEL []\nDEL []\nDEL [/proc/self/ns/net]\n');
  });

  it('says what a plugin said', async () => {
    await plugin('first', `echo '{"code":7,"msg":"no address left","details":"range full"}'; exit 1`);
    await expect(runner().add(attachment())).rejects.toThrow(
      'plugin type="first" name="net" failed (add): no address left; range full',
    );
    await expect(
      runner().add(attachment({ conf: { ...attachment().conf, plugins: [{ type: '../x' }] } })),
    ).rejects.toThrow(/is not a file name/);
  });

  it('asks for port mappings and addresses only where there are some, and only who can', async () => {
    const conf = kedgeConfList({ podCidrs: ['10.42.0.0/24', 'fd42::/64'], leaseDir: '/run/x' });
    const portmap = conf.plugins[1] ?? { type: '' };
    const ports = [{ containerPort: 80, hostPort: 8080, protocol: 'TCP' as const }];
    expect(pluginInput({ conf, ports }, portmap, undefined)).toMatchObject({
      runtimeConfig: { portMappings: [{ containerPort: 80, hostPort: 8080, protocol: 'tcp' }] },
    });
    expect(pluginInput({ conf, ports: [] }, portmap, undefined)).not.toHaveProperty('runtimeConfig');
    const wantedIps = ['10.42.0.7'];
    expect(pluginInput({ conf, ports, wantedIps }, portmap, undefined)).not.toHaveProperty(
      'runtimeConfig.ips',
    );
    const [ptp = { type: '' }] = conf.plugins;
    expect(pluginInput({ conf, ports, wantedIps }, ptp, undefined)).toMatchObject({
      runtimeConfig: { ips: wantedIps },
    });
    expect(pluginInput({ conf, ports }, ptp, undefined)).not.toHaveProperty('runtimeConfig');
    expect(conf.plugins[0]).toMatchObject({
      type: 'ptp',
      ipam: { routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }], dataDir: '/run/x' },
    });
    expect(conf.plugins[0]).not.toHaveProperty('mtu');
    const small = kedgeConfList({ podCidrs: ['10.42.0.0/24'], leaseDir: '/run/x', mtu: 1450 });
    expect(small.plugins[0]).toMatchObject({ type: 'ptp', mtu: 1450 });
    await plugin('ptp');
    await runner().add(attachment({ conf }));
    expect(await calls()).toEqual(['ADD ptp pod-1 eth0']);
  });

  it("takes the user's first configuration, a list or a single plugin", async () => {
    const confDir = join(dir, 'net.d');
    expect(await loadConfList(confDir)).toBeUndefined();
    await mkdir(confDir);
    await writeFile(
      join(confDir, '20-b.conflist'),
      '{"name":"b","cniVersion":"0.4.0","plugins":[{"type":"x"}]}',
    );
    expect(await loadConfList(confDir)).toMatchObject({ name: 'b', cniVersion: '0.4.0' });
    await writeFile(join(confDir, '10-a.conf'), '{"name":"a","type":"bridge"}');
    expect(await loadConfList(confDir)).toMatchObject({ name: 'a', plugins: [{ type: 'bridge' }] });
    await writeFile(join(confDir, '00-broken.conf'), '{"name":"c"}');
    await expect(loadConfList(confDir)).rejects.toThrow(/00-broken\.conf cannot be used/);
  });

  it('gives addresses without their prefix lengths', () => {
    expect(addressesOf({ ips: [{ address: '10.0.0.2/24' }, { address: 'fd00::2/64' }] })).toEqual([
      '10.0.0.2',
      'fd00::2',
    ]);
  });
});
