import { expect } from 'vitest';
import type { Container, Pod, Volume } from '../../../src/api/types.gen.ts';
import { type PodFields, pod } from './pods.ts';
import type { SpecContext } from './spec-context.ts';

/** What a container has printed so far. */
export async function logOf(
  { cluster, pods }: SpecContext,
  name: string,
  container = 'main',
): Promise<string> {
  const { text } = await cluster.api.raw('GET', `${pods.path}/${name}/log`, { query: { container } });
  return text;
}

/** Waits until every container of the pod has ended; resolves with the phase. */
export async function ended(context: SpecContext, name: string): Promise<Pod> {
  return await context.until(
    `pod ${name} to end`,
    async () => {
      const found = await context.pods.get(name);
      return ['Succeeded', 'Failed'].includes(found.status?.phase ?? '') && found;
    },
    60_000,
  );
}

export interface Script {
  readonly name?: string;
  /** A shell script. */
  readonly run: string;
  readonly container?: Partial<Container>;
  readonly spec?: PodFields;
  readonly labels?: Record<string, string>;
}

/** Runs a script to its end in a pod of its own, which must succeed; resolves with what it printed. */
export async function outputOf(context: SpecContext, script: Script): Promise<string> {
  const { name = 'script', run, container, spec, labels } = script;
  await context.pods.create(
    pod(name, { command: ['sh', '-c', run], ...container }, { restartPolicy: 'Never', ...spec }, labels),
  );
  const { status } = await ended(context, name);
  const output = await logOf(context, name);
  expect(status?.phase, output).toBe('Succeeded');
  return output;
}

/** Waits until the container has printed `text`. */
export async function printed(
  context: SpecContext,
  name: string,
  text: string | RegExp,
  container = 'main',
): Promise<void> {
  const holds = (log: string) => (typeof text === 'string' ? log.includes(text) : text.test(log));
  await context.until(
    `${name} to print ${text}`,
    async () => holds(await logOf(context, name, container)),
    60_000,
  );
}

export async function running(context: SpecContext, name: string): Promise<Pod> {
  return await context.until(
    `pod ${name} to be ready`,
    async () => {
      const found = await context.pods.get(name);
      return (
        found.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') && found
      );
    },
    60_000,
  );
}

/** A volume and where the container finds it. */
export function mounted(
  volume: Volume,
  mountPath = '/etc/volume',
): { container: Partial<Container>; spec: PodFields } {
  return { container: { volumeMounts: [{ name: volume.name, mountPath }] }, spec: { volumes: [volume] } };
}
