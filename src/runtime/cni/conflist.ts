import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A network configuration list as the CNI specification 1.0 defines it. */
export interface ConfList {
  readonly cniVersion: string;
  readonly name: string;
  readonly disableCheck?: boolean;
  readonly plugins: readonly PluginConf[];
}

export interface PluginConf {
  readonly type: string;
  readonly capabilities?: Readonly<Record<string, boolean>>;
  readonly [key: string]: unknown;
}

/**
 * Kedge's own network: one veth pair per pod with a host route each (`ptp`), addresses of the node's pod ranges, and
 * `portmap` for host ports. Every packet between pods is routed, never bridged, so Services and NetworkPolicy see
 * it without br_netfilter. `leaseDir` holds host-local's files and belongs on a tmpfs: a reboot frees all addresses.
 */
export function kedgeConfList(options: {
  readonly podCidrs: readonly string[];
  readonly leaseDir: string;
  readonly mtu?: number;
}): ConfList {
  const { podCidrs, leaseDir, mtu } = options;
  const routes = podCidrs.map((cidr) => ({ dst: cidr.includes(':') ? '::/0' : '0.0.0.0/0' }));
  return {
    cniVersion: '1.0.0',
    name: 'kedge',
    plugins: [
      {
        type: 'ptp',
        // A pod keeps its address over a reboot: what others last knew of it stays true.
        capabilities: { ips: true },
        ipMasq: false,
        ...(mtu === undefined ? {} : { mtu }),
        ipam: {
          type: 'host-local',
          ranges: podCidrs.map((subnet) => [{ subnet }]),
          routes,
          dataDir: leaseDir,
        },
      },
      { type: 'portmap', capabilities: { portMappings: true }, snat: true },
    ],
  };
}

/** The first configuration of a directory by file name, as kubelet picks one; a single `.conf` becomes a list. */
export async function loadConfList(dir: string): Promise<ConfList | undefined> {
  const names = await readdir(dir).catch(() => [] as string[]);
  const name = names.filter((file) => /\.(conflist|conf|json)$/.test(file)).toSorted()[0];
  if (name === undefined) return undefined;
  const path = join(dir, name);
  try {
    return parseConfList(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    throw new Error(`CNI configuration ${path} cannot be used`, { cause });
  }
}

function parseConfList(value: unknown): ConfList {
  if (typeof value !== 'object' || value === null) throw new Error('not an object');
  const conf = value as Partial<ConfList> & Partial<PluginConf>;
  if (typeof conf.name !== 'string') throw new Error('"name" is missing');
  const cniVersion = conf.cniVersion ?? '0.2.0';
  const plugins = conf.plugins ?? (conf.type === undefined ? [] : [conf as PluginConf]);
  if (plugins.length === 0) throw new Error('no plugins');
  const nameless = plugins.findIndex((plugin) => typeof plugin.type !== 'string');
  if (nameless >= 0) throw new Error(`plugins[${nameless}] has no "type"`);
  return { cniVersion, name: conf.name, plugins, ...(conf.disableCheck ? { disableCheck: true } : {}) };
}
