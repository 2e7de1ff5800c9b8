import { expect } from 'vitest';
import type { Container, PodSpec } from '../../../src/api/types.gen.ts';
import { running } from './pod-output.ts';
import { programCommand, programContainer, programVolumes } from './pod-program.ts';
import { type PodFields, pod } from './pods.ts';
import type { SpecContext } from './spec-context.ts';

const SOON = { terminationGracePeriodSeconds: 0 };

/** A small server: says the name of its pod to whoever connects. */
export function nameServer(port: number, more: Partial<Container> = {}): Partial<Container> {
  return {
    command: ['nc', '-ll', '-p', String(port), '-e', 'hostname'],
    readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
    ...more,
  };
}

export async function createServer(
  context: SpecContext,
  name: string,
  container: Partial<Container>,
  labels: Record<string, string>,
  spec: PodFields = {},
): Promise<void> {
  await context.pods.create(pod(name, container, { ...SOON, ...spec }, labels));
}

/** The spec of a pod that runs a program of `programs`. */
export function programPod(
  program: readonly [string, ...string[]],
  container: Partial<Container> = {},
  spec: PodFields = {},
): PodSpec {
  return { ...SOON, ...spec, volumes: programVolumes, containers: [programContainer(program, container)] };
}

/** A pod to ask from, with all programs; resolves when it is ready. */
export async function client(context: SpecContext, name = 'client', spec: PodFields = {}): Promise<Client> {
  const idle = programPod(['-'], { command: ['sleep', '100000'] }, spec);
  await context.pods.create({ metadata: { name }, spec: idle });
  await running(context, name);
  return new Client(context, name);
}

export class Client {
  readonly #context: SpecContext;
  readonly #pod: string;

  constructor(context: SpecContext, name: string) {
    this.#context = context;
    this.#pod = name;
  }

  async run(...command: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return await this.#context.kubectl(['exec', this.#pod, '-c', 'main', '--', ...command]);
  }
  async program(program: string, ...args: string[]) {
    return await this.run(...programCommand(program, ...args));
  }

  /** What a server says to each of some connections. */
  async ask(host: string, port: number, times = 1): Promise<string[]> {
    const script = `for i in $(seq ${times}); do nc -w 2 ${host} ${port} </dev/null; done`;
    return (await this.run('sh', '-c', script)).stdout.split('\n').filter((line) => line !== '');
  }
  async dial(target: string, times = 1): Promise<string[]> {
    return (await this.program('dial', target, String(times))).stdout
      .split('\n')
      .filter((line) => line !== '');
  }
  async resolve(transport: 'udp' | 'tcp' | 'libc', type: string, name: string): Promise<string[]> {
    const { stdout, code } = await this.program('dns-query', transport, type, name);
    return code === 0 ? (JSON.parse(stdout) as string[]).sort() : [];
  }

  /** Until just these pods have answered. */
  async reaches(host: string, port: number, names: readonly string[]): Promise<void> {
    const wanted = JSON.stringify(names.toSorted());
    await this.#context.until(
      `${host}:${port} to lead to ${names.join(' and ')}`,
      async () => JSON.stringify([...new Set(await this.ask(host, port, 12))].sort()) === wanted,
    );
  }
  async dials(target: string, name: string): Promise<void> {
    await this.#context.until(
      `${target} to lead to ${name}`,
      async () => (await this.dial(target))[0] === name,
    );
  }
  async resolves(
    transport: 'udp' | 'tcp' | 'libc',
    type: string,
    name: string,
    answers: readonly string[],
  ): Promise<void> {
    let last: unknown;
    await this.#context
      .until(`${type} ${name}`, async () => {
        last = await this.resolve(transport, type, name);
        return JSON.stringify(last) === JSON.stringify(answers.toSorted());
      })
      .catch(() =>
        expect({ transport, type, name, answers: last }).toEqual({ transport, type, name, answers }),
      );
  }
}

export async function addressOf({ pods }: SpecContext, name: string): Promise<string> {
  return (await pods.get(name)).status?.podIP ?? '';
}

/** The node's own address. */
export async function nodeAddress({ cluster }: SpecContext): Promise<string> {
  const [node] = (await cluster.nodes.list()).items;
  return node?.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '';
}
