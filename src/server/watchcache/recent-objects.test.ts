import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../api/resource.ts';
import { RecentObjects } from './recent-objects.ts';

/** Keeps objects by name, as records do, and says which it still has. */
function keepers(recent: RecentObjects) {
  const held = new Map<string, KubeObject>();
  return {
    held,
    keep(name: string, sizeBytes: number): void {
      const object = { metadata: { name } } as KubeObject;
      held.set(name, object);
      recent.keep({ forget: (one) => held.get(name) === one && held.delete(name) }, object, sizeBytes);
    },
  };
}

describe('recent objects', () => {
  it('are held up to a number, the newest last to go', () => {
    const { held, keep } = keepers(new RecentObjects({ objects: 4, bytes: 1000 }));
    for (const name of ['a', 'b', 'c', 'd']) keep(name, 1);
    expect([...held.keys()]).toEqual(['a', 'b', 'c', 'd']);
    keep('e', 1);
    expect([...held.keys()]).toEqual(['d', 'e']);
  });

  it('are held up to a size', () => {
    const { held, keep } = keepers(new RecentObjects({ objects: 100, bytes: 100 }));
    for (const name of ['a', 'b', 'c']) keep(name, 30);
    keep('d', 20);
    expect([...held.keys()]).toEqual(['c', 'd']);
    keep('large', 101);
    expect([...held.keys()]).toEqual([]);
    keep('e', 50);
    expect([...held.keys()]).toEqual(['e']);
  });
});
