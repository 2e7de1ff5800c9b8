import { isObject, own } from '../json-value.ts';

/** What identifies an item when lists are ordered: its merge key's value, or the item itself. */
export function orderBy(item: unknown, mergeKey: string | undefined): unknown {
  return mergeKey !== undefined && isObject(item) ? own(item, mergeKey) : item;
}

/**
 * Orders a merged list: items named in `patchOrder` follow it, the others keep the order of `serverOrder`, and
 * both are interleaved so that an item of the server stays before the first patch item it used to precede.
 */
export function mergeInOrder(
  merged: readonly unknown[],
  patchOrder: readonly unknown[],
  serverOrder: readonly unknown[],
  mergeKey: string | undefined,
): unknown[] {
  const rank = ranks(patchOrder, mergeKey);
  const place = ranks(serverOrder, mergeKey);
  const id = (item: unknown): unknown => orderBy(item, mergeKey);
  const byRank =
    (table: ReadonlyMap<unknown, number>) =>
    (left: unknown, right: unknown): number =>
      (table.get(id(left)) ?? Number.MAX_SAFE_INTEGER) - (table.get(id(right)) ?? Number.MAX_SAFE_INTEGER);
  const patched = merged.filter((item) => rank.has(id(item))).sort(byRank(rank));
  const serverOnly = merged.filter((item) => !rank.has(id(item))).sort(byRank(place));

  const result: unknown[] = [];
  let next = 0;
  for (const item of patched) {
    const itemPlace = place.get(id(item));
    while (next < serverOnly.length) {
      const serverPlace = place.get(id(serverOnly[next]));
      if (itemPlace === undefined || serverPlace === undefined || serverPlace > itemPlace) break;
      result.push(serverOnly[next++]);
    }
    result.push(item);
  }
  return [...result, ...serverOnly.slice(next)];
}

function ranks(list: readonly unknown[], mergeKey: string | undefined): ReadonlyMap<unknown, number> {
  const table = new Map<unknown, number>();
  list.forEach((item, index) => {
    const id = orderBy(item, mergeKey);
    if (!table.has(id)) table.set(id, index);
  });
  return table;
}
