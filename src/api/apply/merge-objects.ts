import { isObject, type JsonObject, own, setOwn } from '../json-value.ts';
import type { TypeNode } from '../type-node.ts';
import { isAssociative, isGranularMap } from './compare.ts';
import { ItemError, itemElement, type PathElement } from './path-element.ts';

/**
 * Lays an applied configuration over the live object: leaves of the configuration win, nothing is removed. Lists are
 * ordered like the configuration where it changes them, like the live object elsewhere. The result shares
 * structure with both.
 */
export function mergeObjects(live: JsonObject, applied: JsonObject, type: TypeNode | undefined): JsonObject {
  return mergeFields(live, applied, type);
}

function mergeValue(live: unknown, applied: unknown, type: TypeNode | undefined): unknown {
  if (applied === undefined) return live;
  if (live === undefined || live === null) return applied;
  if (isGranularMap(type) && isObject(live)) {
    if (applied === null) return live;
    if (isObject(applied)) return mergeFields(live, applied, type);
  }
  if (isAssociative(type) && Array.isArray(live)) {
    if (applied === null) return live;
    if (Array.isArray(applied)) return mergeItems(live, applied, type);
  }
  return applied;
}

function mergeFields(live: JsonObject, applied: JsonObject, type: TypeNode | undefined): JsonObject {
  const result: JsonObject = {};
  for (const name of Object.keys(live))
    setOwn(result, name, mergeValue(live[name], own(applied, name), type?.field(name)));
  for (const name of Object.keys(applied))
    if (!Object.hasOwn(live, name)) setOwn(result, name, applied[name]);
  return result;
}

/**
 * Shared items come in the order of the configuration; an item only the live list has keeps its place among its
 * neighbours; a new item follows the one before it in the configuration.
 */
function mergeItems(live: readonly unknown[], applied: readonly unknown[], type: TypeNode): unknown[] {
  const liveElements = live.map((item, index) => identify(item, index, type));
  const appliedElements = applied.map((item) => itemElement(type, item));
  const liveItems = indexLive(live, liveElements);
  const isApplied = new Set(appliedElements);
  const shared = appliedElements.filter((element) => liveItems.has(element)).values();
  let nextShared = shared.next().value;
  const merged = new Set<PathElement>();
  const result: unknown[] = [];
  let at = 0;
  let liveAt = 0;
  const takeApplied = (): void => {
    const element = appliedElements[at] ?? '';
    result.push(mergeValue(liveItems.get(element), applied[at++], type.element));
    merged.add(element);
    if (element === nextShared) nextShared = shared.next().value;
  };
  while (liveAt < live.length || at < applied.length) {
    const mine = liveElements[liveAt];
    if (mine !== undefined && !isApplied.has(mine)) result.push(live[liveAt++]);
    else if (mine !== undefined && (merged.has(mine) || (nextShared !== undefined && mine !== nextShared)))
      liveAt++;
    else {
      if (mine !== undefined && mine === appliedElements[at]) liveAt++;
      takeApplied();
    }
  }
  return result;
}

/** An item of the live list that lacks its keys gets an identity nothing else has. */
function identify(item: unknown, index: number, type: TypeNode): PathElement {
  try {
    return itemElement(type, item);
  } catch (error) {
    if (error instanceof ItemError) return `i:${index}`;
    throw error;
  }
}

/** Live items by identity; one that occurs twice is not merged with. */
function indexLive(
  live: readonly unknown[],
  elements: readonly PathElement[],
): ReadonlyMap<PathElement, unknown> {
  const index = new Map<PathElement, unknown>();
  elements.forEach((element, at) => {
    index.set(element, index.has(element) ? undefined : live[at]);
  });
  return index;
}
