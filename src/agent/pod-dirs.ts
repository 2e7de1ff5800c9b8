import { join } from 'node:path';

/** Where things of one pod live. `data` survives a reboot, `state` is in memory and does not. */
export interface PodDirs {
  readonly data: string;
  readonly state: string;
  /** Files that every container of the pod shares: hosts, resolv.conf. */
  readonly etc: string;
  volumeData(name: string): string;
  volumeState(name: string): string;
  subPath(container: string, attempt: number, index: number): string;
  terminationLog(container: string, attempt: number): string;
}

export function podDirs(dataDir: string, stateDir: string, uid: string): PodDirs {
  const data = join(dataDir, 'pods', uid);
  const state = join(stateDir, 'pods', uid);
  return {
    data,
    state,
    etc: join(state, 'etc'),
    volumeData: (name) => join(data, 'volumes', name),
    volumeState: (name) => join(state, 'volumes', name),
    subPath: (container, attempt, index) =>
      join(state, 'subpaths', container, String(attempt), String(index)),
    terminationLog: (container, attempt) => join(state, 'termination', container, String(attempt)),
  };
}
