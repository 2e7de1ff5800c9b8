import type { NodeStatus } from '../../api/types.gen.ts';

type Amounts = Readonly<Record<string, string>>;

export interface OwnAmounts {
  readonly capacity: Amounts;
  readonly allocatable: Amounts;
}

/**
 * Resources that somebody else wrote into the node's `capacity`, such as `example.com/dongle`, are this node's to make
 * allocatable, and to take back (upstream's "advertise extended resources"). `null` removes, in a merge patch.
 */
export function withExtended(
  own: OwnAmounts,
  known: NodeStatus,
): { readonly allocatable: Record<string, string | null> } {
  const capacity: Amounts = known.capacity ?? {};
  const allocatable: Record<string, string | null> = { ...own.allocatable };
  for (const [name, amount] of Object.entries(capacity))
    if (isExtended(name, own)) allocatable[name] = amount;
  for (const name of Object.keys(known.allocatable ?? {}))
    if (isExtended(name, own) && capacity[name] === undefined) allocatable[name] = null;
  return { allocatable };
}

/** Whether that would change anything. */
export function extendedDiffers(own: OwnAmounts, known: NodeStatus): boolean {
  const { allocatable } = withExtended(own, known);
  const current: Amounts = known.allocatable ?? {};
  return Object.entries(allocatable).some(
    ([name, amount]) => isExtended(name, own) && (current[name] ?? null) !== amount,
  );
}

const isExtended = (name: string, { capacity }: OwnAmounts): boolean =>
  name.includes('/') && capacity[name] === undefined;
