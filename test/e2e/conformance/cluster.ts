import { type ExecFileException, execFile } from 'node:child_process';
import { KubeConfig } from '@kubernetes/client-node';
import type * as api from '../../../src/api/types.gen.ts';
import type { Output } from '../board.ts';
import { helm, KUBECTL } from '../clients.ts';
import { ApiClient, type Query } from './api-client.ts';
import { type KubeObject, ResourceClient } from './resource-client.ts';

export interface ToolOptions {
  readonly input?: string;
  readonly namespace?: string;
  readonly version?: keyof typeof KUBECTL;
  readonly timeoutMs?: number;
}

/** The cluster that all specs of a run share, and its real clients: client-node, kubectl, helm. */
export class Cluster {
  static #shared: Cluster | undefined;
  readonly kubeconfig: string;
  /** Folder of the board: kubeconfig, data, log. */
  readonly folder: string;
  readonly api: ApiClient;
  /** A spec has it to itself. */
  readonly isExclusive = process.env['KEDGE_CONFORMANCE_EXCLUSIVE'] === '1';

  constructor(kubeconfig: string, folder: string) {
    this.kubeconfig = kubeconfig;
    this.folder = folder;
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    this.api = new ApiClient(config);
  }

  static shared(): Cluster {
    const { KEDGE_CONFORMANCE_KUBECONFIG: kubeconfig, KEDGE_CONFORMANCE_FOLDER: folder } = process.env;
    if (!kubeconfig || !folder) throw new Error('conformance specs are run by: npm run conformance');
    Cluster.#shared ??= new Cluster(kubeconfig, folder);
    return Cluster.#shared;
  }

  /** `groupVersion` is `v1` or `group/version`. */
  resource<T extends KubeObject>(
    groupVersion: string,
    plural: string,
    namespace?: string,
  ): ResourceClient<T> {
    return new ResourceClient<T>(this.api, groupVersion, plural, namespace);
  }

  get namespaces(): ResourceClient<api.Namespace> {
    return this.resource('v1', 'namespaces');
  }
  get nodes(): ResourceClient<api.Node> {
    return this.resource('v1', 'nodes');
  }

  /** GET of any path. */
  async get<T>(path: string, query: Query = {}): Promise<T> {
    return await this.api.json<T>('GET', path, { query });
  }

  async kubectl(args: readonly string[], options: ToolOptions = {}): Promise<Output> {
    return await this.#tool(KUBECTL[options.version ?? '1.35'](), args, options);
  }
  /** kubectl that must succeed; what it printed. */
  async ok(args: readonly string[], options: ToolOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.kubectl(args, options);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} exited with ${code}: ${stderr}${stdout}`);
    return stdout;
  }
  async helm(args: readonly string[], options: ToolOptions = {}): Promise<Output> {
    return await this.#tool(helm(), args, options);
  }

  /** What every client needs to find this cluster and to leave nothing elsewhere. */
  get env(): Record<string, string> {
    return { ...process.env, KUBECONFIG: this.kubeconfig, HOME: this.folder } as Record<string, string>;
  }

  #tool(file: string, args: readonly string[], options: ToolOptions): Promise<Output> {
    const argv = options.namespace === undefined ? args : ['--namespace', options.namespace, ...args];
    const limits = { maxBuffer: 64 * 1024 * 1024, timeout: options.timeoutMs ?? 60_000, env: this.env };
    return new Promise((done) => {
      const child = execFile(file, argv, limits, (error: ExecFileException | null, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        done({ code, stdout, stderr });
      });
      child.stdin?.on('error', () => {});
      child.stdin?.end(options.input ?? '');
    });
  }
}
