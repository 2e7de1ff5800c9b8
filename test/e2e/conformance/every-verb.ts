import { expect } from 'vitest';
import type { KubeObject, ResourceClient } from './resource-client.ts';
import type { SpecContext } from './spec-context.ts';

export interface EveryVerb<T extends KubeObject> {
  /** `group/version`. */
  readonly groupVersion: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced?: boolean;
  /** Everything but metadata. */
  readonly body: Omit<T, 'metadata'>;
  readonly name?: (unique: string) => string;
  /** Changes the object by an update in a way that can be seen. */
  readonly change: (object: T) => void;
  readonly changed: (object: T) => unknown;
}

/** Create, get, list, watch, patch, update, delete and deletecollection of one kind, and that discovery knows it. */
export async function everyVerb<T extends KubeObject>(
  context: SpecContext,
  kind: EveryVerb<T>,
): Promise<void> {
  const { groupVersion, plural, body } = kind;
  const all = context.cluster.resource<T>(groupVersion, plural);
  const resource = kind.namespaced ? context.resource<T>(groupVersion, plural) : all;
  await discovered(context, kind);
  const label = context.unique('crud');
  const selector = { labelSelector: `crud=${label}` };
  context.defer(async () => await resource.deleteCollection(selector));
  const nameOf = (index: number): string => (kind.name ?? ((one) => one))(`${label}-${index}`);
  const make = async (index: number): Promise<T> =>
    await resource.create({
      apiVersion: groupVersion,
      kind: kind.kind,
      metadata: { name: nameOf(index), labels: { crud: label } },
      ...body,
    } as unknown as T);

  const made = await make(0);
  expect(made).toMatchObject({ apiVersion: groupVersion, kind: kind.kind });
  expect((await resource.get(nameOf(0))).metadata.uid).toBe(made.metadata.uid);
  const { metadata, items } = await all.list(selector);
  expect(items.map((one) => one.metadata.uid)).toEqual([made.metadata.uid]);
  const events = context.watch(resource, { ...selector, resourceVersion: metadata.resourceVersion });

  await patched(resource, nameOf(0));
  expect((await events.next()).type).toBe('MODIFIED');
  const updated = await resource.modify(nameOf(0), kind.change);
  const wanted = structuredClone(made);
  kind.change(wanted);
  expect(kind.changed(updated)).toEqual(kind.changed(wanted));
  expect(kind.changed(await resource.get(nameOf(0)))).toEqual(kind.changed(wanted));
  expect((await events.next()).type).toBe('MODIFIED');
  await resource.delete(nameOf(0));
  expect((await events.next()).type).toBe('DELETED');
  expect(await resource.find(nameOf(0))).toBeUndefined();

  await make(1);
  await make(2);
  expect((await resource.list(selector)).items).toHaveLength(2);
  await resource.deleteCollection(selector);
  await context.until('the collection to go', async () => (await resource.list(selector)).items.length === 0);
}

async function patched<T extends KubeObject>(resource: ResourceClient<T>, name: string): Promise<void> {
  await resource.patch(name, { metadata: { annotations: { patched: 'true' } } });
  expect((await resource.get(name)).metadata.annotations).toMatchObject({ patched: 'true' });
}

/** In the list of groups, in the group, and in the list of the version's resources. */
async function discovered<T extends KubeObject>(context: SpecContext, kind: EveryVerb<T>): Promise<void> {
  const [group = '', version = ''] = kind.groupVersion.split('/');
  interface Group {
    name: string;
    versions: { groupVersion: string; version: string }[];
  }
  const { groups } = await context.cluster.get<{ groups: Group[] }>('/apis');
  const entry = { groupVersion: kind.groupVersion, version };
  expect(groups.find(({ name }) => name === group)?.versions).toContainEqual(entry);
  expect((await context.cluster.get<Group>(`/apis/${group}`)).versions).toContainEqual(entry);
  const { resources } = await context.cluster.get<{ resources: { name: string; kind: string }[] }>(
    `/apis/${kind.groupVersion}`,
  );
  expect(resources).toContainEqual(expect.objectContaining({ name: kind.plural, kind: kind.kind }));
}
