import type { PriorityLevelConfiguration } from '../../api/types.gen.ts';

/** How many requests of one level may run at once. */
export interface SeatLimits {
  /** Its part of the server's seats. */
  readonly nominal: number;
  /** Never lent to others. */
  readonly min: number;
  /** With what it may borrow. */
  readonly max: number;
}

/** Shares of a level, whatever its type. */
function sharesOf({ spec }: PriorityLevelConfiguration): number {
  return (spec?.limited ?? spec?.exempt)?.nominalConcurrencyShares ?? 0;
}

/** Divides the server's seats among levels by their shares, as upstream rounds them (KEP-1040). */
export function divideSeats(
  levels: readonly PriorityLevelConfiguration[],
  serverSeats: number,
): ReadonlyMap<string, SeatLimits> {
  const total = levels.reduce((sum, level) => sum + sharesOf(level), 0);
  return new Map(
    levels.map((level) => {
      const { limited, exempt } = level.spec ?? {};
      const nominal = total === 0 ? 0 : Math.ceil((serverSeats * sharesOf(level)) / total);
      const lendable = Math.round((nominal * ((limited ?? exempt)?.lendablePercent ?? 0)) / 100);
      const borrowing = limited?.borrowingLimitPercent;
      const max = borrowing === undefined ? serverSeats : nominal + Math.round((nominal * borrowing) / 100);
      return [level.metadata.name ?? '', { nominal, min: nominal - lendable, max: Math.max(max, 1) }];
    }),
  );
}

/** A level as far as lending is concerned. */
export interface Borrower extends SeatLimits {
  readonly executingSeats: number;
}

/**
 * Whether a level may take more seats now. What it never lends it always may; beyond that it takes idle seats of
 * others, as long as everybody's own minimum stays free. One request always may, so that no level starves.
 */
export function mayTake(
  level: Borrower,
  seats: number,
  all: Iterable<Borrower>,
  serverSeats: number,
): boolean {
  const wanted = level.executingSeats + seats;
  if (wanted <= level.min) return true;
  if (wanted > level.max && level.executingSeats > 0) return false;
  let used = 0;
  for (const one of all) used += Math.max(one === level ? wanted : one.executingSeats, one.min);
  return used <= serverSeats || level.executingSeats === 0;
}
