import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Container, EphemeralContainer, Pod } from '../../api/types.gen.ts';
import type { Exec } from '../../lib/exec.ts';
import type { ContainerConfig, Image, Mount } from '../../runtime/port.ts';
import type { Variable } from '../env/environment.ts';
import { expand } from '../env/expand.ts';
import type { PodDirs } from '../pod-dirs.ts';
import { bindSubPath } from '../volumes/sub-path.ts';
import type { MountedVolume } from '../volumes/volume.ts';
import { containerHash } from './container-id.ts';
import { LABEL } from './labels.ts';
import { containerResources } from './resources.ts';
import { ConfigError, containerSecurity } from './security.ts';

export interface ConfigInput {
  readonly pod: Pod;
  readonly container: Container | EphemeralContainer;
  readonly id: string;
  readonly attempt: number;
  readonly image: Image;
  readonly variables: readonly Variable[];
  readonly dirs: PodDirs;
  readonly volume: (name: string) => MountedVolume | undefined;
  readonly memoryCapacityBytes: number;
  readonly pidNamespaceOf?: string;
  readonly exec: Exec;
}

/** Everything the runtime needs to start one container. Makes its small files and binds its sub-paths. */
export async function containerConfig(input: ConfigInput): Promise<ContainerConfig> {
  const { pod, container, id, attempt, image, variables } = input;
  const values = new Map(variables.map(({ name, value }) => [name, value]));
  const expanded = (texts: readonly string[] | undefined): readonly string[] =>
    (texts ?? []).map((text) => expand(text, (name) => values.get(name)));
  const security = containerSecurity(pod, container, image.user);
  const messageFile = await terminationLog(input);
  const messagePath = container.terminationMessagePath ?? '/dev/termination-log';
  const mounts = await containerMounts(input, values);
  return {
    id,
    podUid: pod.metadata.uid ?? '',
    name: container.name,
    attempt,
    image: image.id,
    command: expanded(container.command),
    args: expanded(container.args),
    ...(container.workingDir ? { workingDir: container.workingDir } : {}),
    env: variables,
    mounts: [...mounts, { hostPath: messageFile, containerPath: messagePath, readOnly: false }],
    labels: {
      [LABEL.namespace]: pod.metadata.namespace ?? '',
      [LABEL.pod]: pod.metadata.name ?? '',
      [LABEL.uid]: pod.metadata.uid ?? '',
      [LABEL.container]: container.name,
      [LABEL.hash]: containerHash(container),
      [LABEL.imageName]: imageName(image, container.image ?? ''),
      [LABEL.imageDigest]: image.digests[0] ?? image.id,
      [LABEL.messagePath]: messageFile,
      [LABEL.messagePolicy]: container.terminationMessagePolicy ?? 'File',
    },
    tty: container.tty === true,
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    security,
    resources: containerResources(pod, container as Container, input.memoryCapacityBytes),
    ...(input.pidNamespaceOf === undefined ? {} : { pidNamespaceOf: input.pidNamespaceOf }),
    ...(container.lifecycle?.stopSignal === undefined ? {} : { stopSignal: container.lifecycle.stopSignal }),
  };
}

/** The name the status shows: the one that was asked for, in full, when the image has it. */
export function imageName(image: Image, asked: string): string {
  return (
    image.references.find((name) => name.includes(asked.split('@')[0] ?? asked)) ??
    image.references[0] ??
    asked
  );
}

async function terminationLog({ dirs, container, attempt }: ConfigInput): Promise<string> {
  const file = dirs.terminationLog(container.name, attempt);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, '');
  // Any user of the container may write it.
  await chmod(file, 0o666);
  return file;
}

async function containerMounts(
  input: ConfigInput,
  values: ReadonlyMap<string, string>,
): Promise<readonly Mount[]> {
  const { container, dirs } = input;
  const mounts: Mount[] = [];
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const volume = input.volume(mount.name);
    if (volume === undefined)
      throw new ConfigError(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
    const subPath = mount.subPathExpr ? expandStrictly(mount.subPathExpr, values) : (mount.subPath ?? '');
    const source =
      subPath === ''
        ? volume.hostPath
        : await bindSubPath({
            volume: volume.hostPath,
            subPath,
            target: dirs.subPath(container.name, input.attempt, index),
            exec: input.exec,
          }).catch((cause) => {
            throw new ConfigError(
              `failed to prepare subPath for volumeMount "${mount.name}" of container "${container.name}"`,
              'CreateContainerConfigError',
              { cause },
            );
          });
    mounts.push({
      hostPath: source,
      containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
      readOnly: mount.readOnly === true || volume.readOnly === true,
      ...(mount.mountPropagation === undefined
        ? {}
        : { propagation: mount.mountPropagation as NonNullable<Mount['propagation']> }),
    });
  }
  const taken = new Set(mounts.map(({ containerPath }) => containerPath));
  for (const file of ['hosts', 'resolv.conf', 'hostname']) {
    const containerPath = `/etc/${file}`;
    if (!taken.has(containerPath))
      mounts.push({ hostPath: join(dirs.etc, file), containerPath, readOnly: false });
  }
  return mounts;
}

/** `subPathExpr` may only name variables that exist (upstream's ExpandContainerVolumeMounts). */
function expandStrictly(text: string, values: ReadonlyMap<string, string>): string {
  const missing: string[] = [];
  const result = expand(text, (name) => {
    const value = values.get(name);
    if (value === undefined) missing.push(name);
    return value;
  });
  if (missing.length > 0)
    throw new ConfigError(`missing value for "${missing[0]}" in subPathExpr ${JSON.stringify(text)}`);
  return result;
}
