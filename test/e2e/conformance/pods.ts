import type { Container, Pod, PodSpec, PodTemplateSpec } from '../../../src/api/types.gen.ts';

/** The one image of a board; where no agent runs, its name is all that matters. */
export const IMAGE = 'kedge.local/busybox:1';

export type PodFields = Omit<Partial<PodSpec>, 'containers'>;

/** A container that does nothing until it is told to end. */
export function idleContainer(more: Partial<Container> = {}): Container {
  return { name: 'main', image: IMAGE, command: ['sleep', '100000'], ...more };
}

/** A pod of one container; what is left out is idle. */
export function pod(
  name: string,
  container: Partial<Container> = {},
  spec: PodFields = {},
  labels: Record<string, string> = {},
): Partial<Pod> & { metadata: { name: string } } {
  return { metadata: { name, labels }, spec: { containers: [idleContainer(container)], ...spec } };
}

export function podTemplate(
  labels: Record<string, string>,
  spec: PodFields = {},
  containers: Container[] = [idleContainer()],
): PodTemplateSpec {
  return {
    metadata: { labels },
    spec: { containers, terminationGracePeriodSeconds: 0, ...spec },
  };
}

/** Only there; boards of a test have one host name, so a selector by that does not tell them apart. */
export function onNode(name: string): PodFields {
  const term = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [name] }] };
  return {
    affinity: {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } },
    },
  };
}
