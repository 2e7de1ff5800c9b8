import type { KubeObject, Resource } from '../api/resource.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../api/status.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import { LIMITS } from '../lib/limits.ts';
import type { Client } from './port.ts';

/** Runs `attempt` again, up to a bound, while it fails with a write conflict. It must read afresh each time. */
export async function retryOnConflict<R>(clock: Clock, attempt: () => Promise<R>): Promise<R> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isConflict(error) || tries >= LIMITS.client.conflictAttempts) throw error;
      await sleep(clock, LIMITS.client.conflictBaseMs * 2 ** (tries - 1));
    }
  }
}

/**
 * Makes an object be as `change` wants it: created from `change(undefined)`, or updated when `change` returns
 * something other than the object it was given. Survives losing races against other writers.
 */
export async function createOrUpdate<T extends KubeObject>(
  { client, clock }: { client: Client; clock: Clock },
  resource: Resource<T>,
  ref: { name: string; namespace?: string | undefined },
  change: (current: T | undefined) => T,
): Promise<T> {
  return await retryOnConflict(clock, async () => {
    const current = await client.get(resource, ref).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
    const wanted = change(current);
    if (wanted === current) return current;
    if (current) return await client.update(resource, wanted);
    try {
      return await client.create(resource, wanted);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const other = await client.get(resource, ref);
      const again = change(other);
      return again === other ? other : await client.update(resource, again);
    }
  });
}
