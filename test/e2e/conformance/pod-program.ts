import { dirname, join } from 'node:path';
import type { Container, Volume } from '../../../src/api/types.gen.ts';
import { IMAGE } from './pods.ts';

const ARCH =
  process.arch === 'arm64'
    ? { libraries: '/usr/lib/aarch64-linux-gnu', linker: 'ld-linux-aarch64.so.1' }
    : { libraries: '/usr/lib/x86_64-linux-gnu', linker: 'ld-linux-x86-64.so.2' };

const MOUNTS = {
  programs: [join(import.meta.dirname, 'programs'), '/programs'],
  node: [dirname(process.execPath), '/node'],
  libraries: [ARCH.libraries, '/libraries'],
} as const;

/** The command that runs a program of the folder `programs`, in a container that has `programMounts`. */
export function programCommand(program: string, ...args: string[]): string[] {
  const node = [`/libraries/${ARCH.linker}`, '--library-path', '/libraries', '/node/node'];
  return [...node, '--disable-warning=ExperimentalWarning', `/programs/${program}.ts`, ...args];
}

export const programMounts = Object.entries(MOUNTS).map(([name, [, mountPath]]) => ({
  name,
  mountPath,
  readOnly: true,
}));

/** The host's Node and its libraries: what busybox has no tool for, such as TLS, UDP and gRPC. */
export const programVolumes: Volume[] = Object.entries(MOUNTS).map(([name, [path]]) => ({
  name,
  hostPath: { path },
}));

/** A container that runs a program; its pod needs `programVolumes`. */
export function programContainer(
  [program, ...args]: readonly [string, ...string[]],
  more: Partial<Container> = {},
): Container {
  const { volumeMounts = [], ...rest } = more;
  return {
    name: 'main',
    image: IMAGE,
    command: programCommand(program, ...args),
    ...rest,
    volumeMounts: [...programMounts, ...volumeMounts],
  };
}
