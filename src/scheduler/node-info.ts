import type { HostPort } from '../api/host-ports.ts';
import { type Amounts, add, noAmounts, parseAmounts } from '../api/pod-requests.ts';
import { wholeValue } from '../api/quantity.ts';
import type { Node, Taint } from '../api/types.gen.ts';
import type { PodInfo } from './pod-info.ts';

/** A node and what its pods, assumed ones included, take of it. */
export class NodeInfo {
  readonly name: string;
  node: Node;
  labels: Readonly<Record<string, string>> = {};
  taints: readonly Taint[] = [];
  allocatable: Amounts = noAmounts();
  allowedPods = 0;
  /** Sizes by image name. */
  images: ReadonlyMap<string, number> = new Map();
  readonly requested: Amounts = noAmounts();
  readonly nonZero = { cpuMilli: 0, memoryBytes: 0 };
  readonly pods = new Map<string, PodInfo>();
  /** Pods by the uid of their controller. */
  readonly byOwner = new Map<string, number>();
  readonly #ports = new Map<string, number>();

  constructor(node: Node) {
    this.name = node.metadata.name ?? '';
    this.node = node;
    this.setNode(node);
  }

  setNode(node: Node): void {
    this.node = node;
    this.labels = node.metadata.labels ?? {};
    this.taints = node.spec?.taints ?? [];
    const { allocatable, images = [] } = node.status ?? {};
    this.allocatable = parseAmounts(allocatable);
    this.allowedPods = wholeValue(allocatable?.['pods']);
    this.images = new Map(
      images.flatMap(({ names = [], sizeBytes = 0 }) =>
        names.map((name): [string, number] => [name, sizeBytes]),
      ),
    );
  }

  addPod(info: PodInfo): void {
    if (this.pods.has(info.uid)) this.removePod(info.uid);
    this.pods.set(info.uid, info);
    this.#count(info, 1);
  }

  removePod(uid: string): PodInfo | undefined {
    const info = this.pods.get(uid);
    if (!info) return undefined;
    this.pods.delete(uid);
    this.#count(info, -1);
    return info;
  }

  /** Whether a pod of this node holds a port that overlaps. 0.0.0.0 overlaps with every address. */
  isPortTaken({ protocol, ip, port }: HostPort): boolean {
    if (this.#ports.size === 0) return false;
    if (ip !== '0.0.0.0') {
      return this.#ports.has(`${protocol} 0.0.0.0 ${port}`) || this.#ports.has(`${protocol} ${ip} ${port}`);
    }
    for (const taken of this.#ports.keys()) {
      if (taken.startsWith(`${protocol} `) && taken.endsWith(` ${port}`)) return true;
    }
    return false;
  }

  /** A copy to try things on. */
  clone(): NodeInfo {
    const copy = new NodeInfo(this.node);
    for (const info of this.pods.values()) copy.addPod(info);
    return copy;
  }

  #count(info: PodInfo, sign: 1 | -1): void {
    add(this.requested, info.requests, sign);
    this.nonZero.cpuMilli += sign * info.nonZero.cpuMilli;
    this.nonZero.memoryBytes += sign * info.nonZero.memoryBytes;
    if (info.owner !== undefined) bump(this.byOwner, info.owner, sign);
    for (const { protocol, ip, port } of info.hostPorts) bump(this.#ports, `${protocol} ${ip} ${port}`, sign);
  }
}

function bump(counts: Map<string, number>, key: string, sign: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + sign;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
