import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Exec, ExecError } from '../../lib/exec.ts';
import { isNamespace } from '../namespaces.ts';
import type { PortMapping } from '../port.ts';
import type { ConfList, PluginConf } from './conflist.ts';

/** One pod's place in a network; enough to run DEL after a restart with a changed configuration. */
export interface Attachment {
  readonly conf: ConfList;
  readonly containerId: string;
  readonly netns: string;
  readonly podNamespace: string;
  readonly podName: string;
  readonly ports: readonly PortMapping[];
  /** Addresses to ask for, where the configuration has the capability `ips`; ADD fails when one cannot be had. */
  readonly wantedIps?: readonly string[];
  /** The last plugin's answer; absent while ADD has not come back. */
  readonly result?: CniResult;
}

export interface CniResult {
  readonly ips?: readonly { readonly address: string }[];
  readonly [key: string]: unknown;
}

const INTERFACE = 'eth0';

/** Runs the plugins of a configuration list as the CNI specification's section 3 says. */
export class CniRunner {
  readonly #exec: Exec;
  readonly #binDirs: readonly string[];

  constructor(options: { readonly exec: Exec; readonly binDirs: readonly string[] }) {
    this.#exec = options.exec;
    this.#binDirs = options.binDirs;
  }

  /** ADDs every plugin in order, each seeing the result of the one before. Rejects with the plugin's own message. */
  async add(attachment: Attachment): Promise<CniResult> {
    let result: CniResult | undefined;
    for (const plugin of pluginsFor(attachment)) {
      result = JSON.parse(await this.#call('ADD', plugin, attachment, result)) as CniResult;
    }
    if (result === undefined) throw new Error(`CNI network ${attachment.conf.name} has no plugin to add`);
    return result;
  }

  /** DELs in reverse order. Plugins must take a DEL for what is not there, so this can be repeated. */
  async del(attachment: Attachment): Promise<void> {
    for (const plugin of pluginsFor(attachment).toReversed()) {
      await this.#call('DEL', plugin, attachment, attachment.result);
    }
  }

  /** Rejects when a plugin finds that the attachment is no longer as its ADD left it. */
  async check(attachment: Attachment): Promise<void> {
    if (attachment.conf.disableCheck || versionBelow(attachment.conf.cniVersion, [0, 4])) return;
    for (const plugin of pluginsFor(attachment)) {
      await this.#call('CHECK', plugin, attachment, attachment.result);
    }
  }

  async #call(
    command: 'ADD' | 'DEL' | 'CHECK',
    plugin: PluginConf,
    attachment: Attachment,
    prevResult: CniResult | undefined,
  ): Promise<string> {
    const binary = this.#find(plugin.type);
    const { conf, containerId, netns, podNamespace, podName } = attachment;
    try {
      const { stdout } = await this.#exec.run([binary], {
        stdin: JSON.stringify(pluginInput(attachment, plugin, prevResult)),
        env: {
          CNI_COMMAND: command,
          CNI_CONTAINERID: containerId,
          // An empty value tells a plugin that there is none: gone after a reboot, or never made.
          CNI_NETNS: command === 'DEL' && !(await isNamespace(netns)) ? '' : netns,
          CNI_IFNAME: INTERFACE,
          CNI_PATH: this.#binDirs.join(delimiter),
          CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${podNamespace};K8S_POD_NAME=${podName};K8S_POD_INFRA_CONTAINER_ID=${containerId}`,
        },
      });
      return stdout;
    } catch (cause) {
      throw new Error(
        `plugin type="${plugin.type}" name="${conf.name}" failed (${command.toLowerCase()}): ${pluginMessage(cause)}`,
        { cause },
      );
    }
  }

  #find(type: string): string {
    if (!/^[\w.-]+$/.test(type))
      throw new Error(`CNI plugin type ${JSON.stringify(type)} is not a file name`);
    const found = this.#binDirs.map((dir) => join(dir, type)).find((path) => existsSync(path));
    if (found) return found;
    throw new Error(
      `CNI plugin ${type} not found in ${this.#binDirs.join(', ')} (apt install containernetworking-plugins)`,
    );
  }
}

/** A plugin that only maps ports has nothing to do, and no process to start, for a pod without any. */
function pluginsFor({ conf, ports }: Attachment): readonly PluginConf[] {
  return conf.plugins.filter((plugin) => plugin.type !== 'portmap' || ports.length > 0);
}

/** The configuration a plugin reads on its standard input. */
export function pluginInput(
  { conf, ports, wantedIps = [] }: Pick<Attachment, 'conf' | 'ports' | 'wantedIps'>,
  plugin: PluginConf,
  prevResult: CniResult | undefined,
): object {
  const { capabilities, ...own } = plugin;
  const portMappings = ports.map(({ protocol, ...port }) => ({ ...port, protocol: protocol.toLowerCase() }));
  const runtimeConfig = {
    ...(capabilities?.['portMappings'] && portMappings.length > 0 ? { portMappings } : {}),
    ...(capabilities?.['ips'] && wantedIps.length > 0 ? { ips: wantedIps } : {}),
  };
  return {
    ...own,
    cniVersion: conf.cniVersion,
    name: conf.name,
    ...(Object.keys(runtimeConfig).length > 0 ? { runtimeConfig } : {}),
    ...(prevResult === undefined ? {} : { prevResult }),
  };
}

/** Addresses without their prefix lengths, in the order of the plugin. */
export function addressesOf(result: CniResult): readonly string[] {
  return (result.ips ?? []).map(({ address }) => address.split('/')[0] ?? address);
}

function versionBelow(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split('.').map(Number);
  return a < major || (a === major && b < minor);
}

/** Plugins report failures as JSON on their standard output. */
function pluginMessage(error: unknown): string {
  if (!(error instanceof ExecError)) return String(error);
  try {
    const { msg, details } = JSON.parse(error.stdout) as { msg?: string; details?: string };
    return [msg, details].filter(Boolean).join('; ');
  } catch {
    return error.stderr.trim() || error.message;
  }
}
