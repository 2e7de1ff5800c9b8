/** What every part of the agent may know of its node; `node` fills in what it measures. */
export interface AgentSettings {
  readonly nodeName: string;
  /** Addresses of the node, the first one first. */
  readonly nodeIPs: readonly string[];
  readonly nodeHostname: string;
  readonly dataDir: string;
  readonly stateDir: string;
  readonly clusterDNS: readonly string[];
  readonly clusterDomain: string;
  readonly maxPods: number;
  /** Control group that all pods are below. */
  readonly cgroupRoot: string;
  /** `v1.36.3+kedge.…` */
  readonly version: string;
  /** The node's resolver file. */
  readonly resolvConf: string;
  readonly memoryCapacityBytes: number;
  readonly allocatable: Readonly<Record<string, string>>;
}
