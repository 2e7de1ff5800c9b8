import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject, Resource } from '../../api/resource.ts';
import { apiVersionOf, qualifiedResource } from '../../api/resource.ts';
import { isConflict } from '../../api/status.ts';
import type { Client } from '../../client/port.ts';
import type { ApiServer } from '../api-server.ts';
import * as tests from '../custom-resources/test-definitions.fake.ts';
import type { ResourceDefinition } from '../registry/definition.ts';
import { startTestServer } from '../test-server.fake.ts';
import { MINIMAL, NAMES } from './minimal-objects.fake.ts';
import { RESOURCES } from './table.ts';

const NOW_MS = Date.parse('2026-01-02T00:00:00Z');
const stored = RESOURCES.filter((one) => !one.virtual && one.verbs?.includes('create') !== false);

describe('every stored kind', () => {
  let server: ApiServer;
  let client: Client;
  beforeAll(async () => {
    ({ server } = await startTestServer());
    client = server.client({ name: 'admin', groups: ['system:masters'] });
  });
  afterAll(() => server.close());

  const build = (definition: (typeof stored)[number]): KubeObject => {
    const key = qualifiedResource(definition.resource);
    const { resource } = definition;
    return {
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      metadata: { name: NAMES[key] ?? 'minimal', ...(resource.namespaced && { namespace: 'default' }) },
      ...structuredClone(MINIMAL[key]),
    };
  };

  it.each(stored.map((one) => [qualifiedResource(one.resource), one] as const))(
    '%s: minimal object',
    async (key, definition) => {
      expect(MINIMAL[key], `a minimal ${key}`).toBeDefined();
      await holds(client, definition, build(definition));
    },
  );

  it('a kind that a CustomResourceDefinition adds', async () => {
    const size = { type: 'integer', default: 3 } as const;
    const columns = { additionalPrinterColumns: [{ name: 'Size', type: 'integer', jsonPath: '.size' }] };
    const fields = { selectableFields: [{ jsonPath: '.size' }] };
    const custom = tests.definition([tests.version('v1', tests.object({ size }), { ...columns, ...fields })]);
    const resource = tests.resourceOf(await tests.establish(client, custom));
    const served = server.registry.find(resource)?.served;
    expect(served?.definition.columns.map(({ name }) => name)).toEqual(['Name', 'Size']);
    await holds(client, served!.definition, tests.widget('minimal'));
  });
});

/** What is true of a kind, whatever it is: shown with an object that has no more than it needs. */
async function holds(client: Client, definition: ResourceDefinition, object: KubeObject): Promise<void> {
  const key = qualifiedResource(definition.resource);
  const created = await client.create(definition.resource, object);
  expect(created.metadata.uid).toMatch(/-/);

  // Defaults are idempotent, and what was stored is valid for good.
  const again = structuredClone(created);
  definition.strategy?.default?.(again);
  expect(again).toEqual(created);
  const { before, after } = await updateUnchanged(client, definition.resource, created);
  expect(after.metadata.resourceVersion).toBe(before.metadata.resourceVersion);

  for (const column of definition.columns) {
    const cell = column.cell(created, NOW_MS);
    expect(['string', 'number', 'boolean', 'object']).toContain(typeof cell);
    expect(String(cell), `${key} ${column.name}`).not.toMatch(/undefined|NaN|\[object/);
  }
  for (const [field, read] of Object.entries(definition.selectableFields ?? {})) {
    expect(typeof read(created), `${key} ${field}`).toBe('string');
  }
  for (const version of definition.otherVersions ?? []) {
    const there = version.fromStorage(structuredClone(created));
    expect(there.apiVersion).toBe(apiVersionOf(version.resource));
    expect(version.toStorage(there)).toMatchObject({ metadata: { uid: created.metadata.uid as string } });
  }
}

/** The server itself writes the status of some right after they are created. */
async function updateUnchanged(client: Client, resource: Resource, created: KubeObject, attempt = 1) {
  const { name = '', namespace } = created.metadata;
  const before = attempt === 1 ? created : await client.get(resource, { name, namespace });
  try {
    return { before, after: await client.update(resource, structuredClone(before)) };
  } catch (error) {
    if (!isConflict(error) || attempt === 5) throw error;
    return updateUnchanged(client, resource, created, attempt + 1);
  }
}

describe('the table', () => {
  it('names everything once', () => {
    const names = RESOURCES.map((one) => qualifiedResource(one.resource));
    expect(new Set(names).size).toBe(names.length);
    const short = RESOURCES.flatMap((one) => [...(one.shortNames ?? [])]);
    expect(new Set(short).size).toBe(short.length);
  });

  it('shows the name first, ages as text', () => {
    for (const { columns, resource } of RESOURCES) {
      if (columns.length === 0 || resource.kind === 'Event') continue;
      expect(columns[0], resource.kind).toMatchObject({ name: 'Name', format: 'name' });
    }
  });
});
