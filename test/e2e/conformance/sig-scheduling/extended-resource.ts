import type { SpecContext } from '../spec-context.ts';

/** Gives nodes a resource that nobody knows (their agents make it allocatable); it goes with the spec. */
export async function advertise(
  context: SpecContext,
  nodes: readonly string[],
  resource: string,
  count: string,
): Promise<void> {
  for (const name of nodes) {
    const { nodes: client } = context.cluster;
    const set = async (value: string | null): Promise<unknown> =>
      await client.patch(name, { status: { capacity: { [resource]: value } } }, { subresource: 'status' });
    await set(count);
    context.defer(async () => await set(null));
  }
}
