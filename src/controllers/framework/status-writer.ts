import { equalJson } from '../../api/json-value.ts';
import type { KubeObject, Resource } from '../../api/resource.ts';
import { kindSchema } from '../../api/schema/built-in.ts';
import { isZero } from '../../api/schema/zero.ts';
import type { Client } from '../../client/port.ts';

/**
 * Replaces an object's status where it differs; flash is not worn for what says nothing new. Returns the object as
 * it is now.
 */
export async function writeStatus<T extends KubeObject & { status?: unknown }>(
  client: Client,
  resource: Resource<T>,
  object: T,
  status: NonNullable<T['status']>,
): Promise<T> {
  const written = asEncoded(resource, status);
  if (equalJson(asEncoded(resource, object.status ?? {}), written)) return object;
  return await client.update(resource, { ...object, status: written }, { subresource: 'status' });
}

/** As upstream encodes a status: without what is not set, which empty lists and most zeros are not. */
function asEncoded<S extends object>(kind: Kind, status: S): S {
  const copy = JSON.parse(JSON.stringify(status)) as Record<string, unknown>;
  const schema = kindSchema(kind)?.field('status');
  for (const [name, value] of Object.entries(copy)) {
    const omitsZero = Array.isArray(value) || schema?.field(name)?.omitsZero === true;
    if (omitsZero && isZero(value)) delete copy[name];
  }
  return copy as S;
}

type Kind = Parameters<typeof kindSchema>[0];

interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

/**
 * The list with this condition in it. The old entry stays as it is where status and reason (and message, when
 * `byMessage`) are the same; a changed reason alone keeps the transition time.
 */
export function withCondition<C extends Condition>(
  conditions: readonly C[] | undefined,
  wanted: C,
  byMessage = false,
): C[] {
  const all = [...(conditions ?? [])];
  const at = all.findIndex(({ type }) => type === wanted.type);
  const old = all[at];
  if (!old) return [...all, wanted];
  if (old.status === wanted.status && old.reason === wanted.reason)
    if (!byMessage || old.message === wanted.message) return all;
  const { lastTransitionTime } = old.status === wanted.status ? old : wanted;
  all[at] = { ...wanted, ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }) };
  return all;
}

export function withoutCondition<C extends Condition>(
  conditions: readonly C[] | undefined,
  type: string,
): C[] {
  return (conditions ?? []).filter((one) => one.type !== type);
}
