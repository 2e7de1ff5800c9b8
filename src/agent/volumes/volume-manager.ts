import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from '../../api/types.gen.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import type { Exec } from '../../lib/exec.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import type { DownwardContext } from '../env/fields.ts';
import { type PodDirs, podDirs } from '../pod-dirs.ts';
import { volumeKind } from './kinds.ts';
import { applyFsGroup } from './ownership.ts';
import { removeTree } from './remove-tree.ts';
import type { CertificateSource, ImageSource, MountedVolume, TokenSource, VolumeObjects } from './volume.ts';

export interface VolumeManagerOptions {
  readonly dataDir: string;
  readonly stateDir: string;
  readonly clock: Clock;
  readonly exec: Exec;
  readonly log: Logger;
  readonly objects: VolumeObjects;
  readonly token: (pod: Pod, ...args: Parameters<TokenSource>) => ReturnType<TokenSource>;
  readonly certificate: (pod: Pod, ...args: Parameters<CertificateSource>) => ReturnType<CertificateSource>;
  readonly image: (pod: Pod, ...args: Parameters<ImageSource>) => ReturnType<ImageSource>;
  /** Tokens and certificates of the pod are of no use any more. */
  readonly forget: (podUid: string) => void;
}

interface Mounted {
  readonly volumes: Map<string, MountedVolume>;
  refresh: Timer | undefined;
  /** One mount of a pod at a time; the next waits for this. */
  busy: Promise<void>;
  /** What the refresh that waits for its turn will show; more changes meanwhile are seen by it, too. */
  due: { readonly pod: Pod; readonly downward: DownwardContext } | undefined;
  gone: boolean;
}

/** A volume that could not be mounted, in upstream's words; `cause` is what its kind said. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
  readonly volume: string;
  constructor(volume: string, cause: unknown) {
    super(`MountVolume.SetUp failed for volume "${volume}" : ${errorText(cause)}`, { cause });
    this.volume = volume;
  }
}

/** Wall clock: when the first of them has to be made anew. */
function dueMs({ volumes }: Mounted): number | undefined {
  const due = [...volumes.values()].flatMap(({ refreshAtMs }) => refreshAtMs ?? []);
  return due.length === 0 ? undefined : Math.min(...due);
}

/** The volumes of all pods: mounted before their containers, kept current, and taken away after them. */
export class VolumeManager {
  readonly #options: VolumeManagerOptions;
  readonly #pods = new Map<string, Mounted>();
  #isStopped = false;

  constructor(options: VolumeManagerOptions) {
    this.#options = options;
  }

  dirs(pod: Pod): PodDirs {
    return podDirs(this.#options.dataDir, this.#options.stateDir, pod.metadata.uid ?? '');
  }

  /** Mounts every volume of the pod; idempotent. Rejects with a `VolumeError` of the first that fails. */
  async mountAll(pod: Pod, downward: DownwardContext): Promise<void> {
    await this.#exclusively(pod, (mounted) => this.#mount(pod, downward, mounted, false));
  }

  /** Makes the content of live volumes anew: an object that it came from, or the pod's own labels, changed. */
  async refresh(pod: Pod, downward: DownwardContext): Promise<void> {
    const known = this.#pods.get(pod.metadata.uid ?? '');
    if (known === undefined) return;
    const isWaiting = known.due !== undefined;
    known.due = { pod, downward };
    if (isWaiting) return;
    await this.#exclusively(pod, async (mounted) => {
      const latest = mounted.due ?? { pod, downward };
      mounted.due = undefined;
      try {
        await this.#mount(latest.pod, latest.downward, mounted, true);
      } catch (error) {
        this.#options.log.warn('volumes of a running pod could not be refreshed', {
          pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
          error,
        });
        // A token that was refused may be given later; the one that is there ends.
        if (dueMs(mounted) !== undefined)
          this.#refreshAfter(LIMITS.agent.refreshRetryMs, { ...latest, mounted });
      }
    });
  }

  mounted(pod: Pod, name: string): MountedVolume | undefined {
    return this.#pods.get(pod.metadata.uid ?? '')?.volumes.get(name);
  }

  /** Unmounts and deletes everything of the pod. Idempotent; rejects rather than delete through a mount. */
  async remove(podUid: string): Promise<void> {
    const mounted = this.#pods.get(podUid);
    if (mounted !== undefined) {
      mounted.gone = true;
      mounted.refresh?.cancel();
      await mounted.busy.catch(() => {});
    }
    const { dataDir, stateDir, exec, forget } = this.#options;
    forget(podUid);
    const dirs = podDirs(dataDir, stateDir, podUid);
    await removeTree(dirs.state, exec);
    await removeTree(dirs.data, exec);
    this.#pods.delete(podUid);
  }

  /** Pods that have directories here, whoever made them. */
  async known(): Promise<readonly string[]> {
    const { dataDir, stateDir } = this.#options;
    const names = await Promise.all(
      [dataDir, stateDir].map((dir) => readdir(join(dir, 'pods')).catch((): string[] => [])),
    );
    return [...new Set(names.flat())];
  }

  stop(): void {
    this.#isStopped = true;
    for (const mounted of this.#pods.values()) mounted.refresh?.cancel();
  }

  #exclusively(pod: Pod, work: (mounted: Mounted) => Promise<void>): Promise<void> {
    const uid = pod.metadata.uid ?? '';
    let mounted = this.#pods.get(uid);
    if (mounted === undefined) {
      mounted = {
        volumes: new Map(),
        refresh: undefined,
        busy: Promise.resolve(),
        due: undefined,
        gone: false,
      };
      this.#pods.set(uid, mounted);
    }
    const own = mounted;
    const run = own.busy.catch(() => {}).then(() => (own.gone ? undefined : work(own)));
    own.busy = run;
    return run;
  }

  async #mount(pod: Pod, downward: DownwardContext, mounted: Mounted, liveOnly: boolean): Promise<void> {
    const { clock, exec, objects } = this.#options;
    const dirs = this.dirs(pod);
    for (const volume of pod.spec?.volumes ?? []) {
      const kind = volumeKind(volume);
      const known = mounted.volumes.get(volume.name);
      if (known !== undefined && (!liveOnly || !kind.live)) continue;
      const result = await kind
        .mount({
          pod,
          volume,
          dataDir: dirs.volumeData(volume.name),
          stateDir: dirs.volumeState(volume.name),
          objects,
          exec,
          downward,
          token: (audience, seconds) => this.#options.token(pod, audience, seconds),
          image: (of) => this.#options.image(pod, of),
          certificate: (path, source) => this.#options.certificate(pod, path, source),
          nowMs: clock.now(),
        })
        .catch((cause) => {
          throw new VolumeError(volume.name, cause);
        });
      await this.#own(pod, result);
      mounted.volumes.set(volume.name, result);
    }
    const atMs = dueMs(mounted);
    if (atMs === undefined) mounted.refresh?.cancel();
    else this.#refreshAfter(Math.max(1000, atMs - clock.now()), { pod, downward, mounted });
  }

  #refreshAfter(
    delayMs: number,
    { pod, downward, mounted }: { pod: Pod; downward: DownwardContext; mounted: Mounted },
  ): void {
    mounted.refresh?.cancel();
    if (this.#isStopped || mounted.gone) return;
    mounted.refresh = this.#options.clock.setTimer(delayMs, () => void this.refresh(pod, downward));
  }

  async #own(pod: Pod, mounted: MountedVolume): Promise<void> {
    const { fsGroup, fsGroupChangePolicy } = pod.spec?.securityContext ?? {};
    if (fsGroup === undefined || !mounted.ownable) return;
    await applyFsGroup(mounted.hostPath, fsGroup, {
      readOnly: mounted.readOnly === true,
      onRootMismatch: fsGroupChangePolicy === 'OnRootMismatch',
    });
  }
}
