import type { PodInfo } from './pod-info.ts';

/** Pods that made room on a node and wait for it, known before the API shows it. */
export class Nominations {
  readonly #nodes = new Map<string, Map<string, PodInfo>>();
  readonly #byPod = new Map<string, string>();

  on(node: string): readonly PodInfo[] {
    const pods = this.#nodes.get(node);
    return pods ? [...pods.values()] : NONE;
  }

  set(info: PodInfo, node: string): void {
    this.delete(info.uid);
    if (node === '') return;
    const pods = this.#nodes.get(node) ?? new Map<string, PodInfo>();
    this.#nodes.set(node, pods.set(info.uid, info));
    this.#byPod.set(info.uid, node);
  }

  nodeOf(uid: string): string | undefined {
    return this.#byPod.get(uid);
  }

  delete(uid: string): void {
    const node = this.#byPod.get(uid);
    if (node === undefined) return;
    this.#byPod.delete(uid);
    const pods = this.#nodes.get(node);
    pods?.delete(uid);
    if (pods?.size === 0) this.#nodes.delete(node);
  }
}

const NONE: readonly PodInfo[] = [];
