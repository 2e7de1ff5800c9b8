import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from '../../api/types.gen.ts';
import type { PodDirs } from '../pod-dirs.ts';
import type { AgentSettings } from '../settings.ts';
import { kernelHostname, podHosts, podNames } from './hosts.ts';
import { formatResolvConf, parseResolvConf, podDns } from './resolv-conf.ts';

/** Writes `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` of a pod; idempotent. */
export async function writePodFiles(
  pod: Pod,
  ips: readonly string[],
  dirs: PodDirs,
  settings: AgentSettings,
): Promise<void> {
  const names = podNames(pod, settings.clusterDomain, settings.nodeHostname);
  const onHost = pod.spec?.hostNetwork === true;
  const nodeHosts = onHost ? await readFile('/etc/hosts', 'utf8').catch(() => '') : '';
  const resolver = await readFile(settings.resolvConf, 'utf8').catch(() => '');
  const cluster = { dns: settings.clusterDNS, domain: settings.clusterDomain };
  await mkdir(dirs.etc, { recursive: true });
  await Promise.all([
    writeFile(join(dirs.etc, 'hosts'), podHosts(pod, names, ips, nodeHosts)),
    writeFile(join(dirs.etc, 'hostname'), `${kernelHostname(pod, names)}\n`),
    writeFile(
      join(dirs.etc, 'resolv.conf'),
      formatResolvConf(podDns(pod, cluster, parseResolvConf(resolver))),
    ),
  ]);
}

/** Writes them where a kill between the sandbox and its files left some out. */
export async function ensurePodFiles(
  pod: Pod,
  ips: readonly string[],
  dirs: PodDirs,
  settings: AgentSettings,
): Promise<void> {
  const missing = ['hosts', 'hostname', 'resolv.conf'].some((name) => !existsSync(join(dirs.etc, name)));
  if (missing) await writePodFiles(pod, ips, dirs, settings);
}
