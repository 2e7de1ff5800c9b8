import { expect } from 'vitest';
import type { CustomResourceDefinition } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import {
  ANYTHING,
  type DefinitionOptions,
  definitionsOf,
  establish,
  makeDefinition,
  remove,
  type Schema,
  version,
} from '../custom-definitions.ts';
import type { SpecContext } from '../spec-context.ts';

const FOO: Schema = {
  type: 'object',
  description: 'Foo CRD for Testing',
  properties: {
    spec: {
      type: 'object',
      description: 'Specification of Foo',
      properties: {
        bars: {
          type: 'array',
          description: 'List of Bars and their specs.',
          items: {
            type: 'object',
            required: ['name'],
            properties: {
              name: { type: 'string', description: 'Name of Bar.' },
              age: { type: 'string', description: 'Age of Bar.' },
              feeling: {
                type: 'string',
                description: 'Whether Bar is feeling great.',
                enum: ['Great', 'Down'],
              },
              bazs: { type: 'array', description: 'List of Bazs.', items: { type: 'string' } },
            },
          },
        },
      },
    },
    status: { type: 'object', description: 'Status of Foo' },
  },
};
const WALDO: Schema = {
  type: 'object',
  description: 'Waldo CRD for Testing',
  properties: {
    spec: {
      type: 'object',
      description: 'Specification of Waldo',
      properties: { dummy: { type: 'string', description: 'Dummy property.' } },
    },
    status: { type: 'object', description: 'Status of Waldo' },
  },
};
const NESTED: Schema = {
  type: 'object',
  description: 'preserve-unknown-properties in nested field for Testing',
  properties: { spec: { ...ANYTHING, description: 'Specification of Waldo' } },
};

/** Definitions of `/openapi/v2`. */
async function published({ cluster }: SpecContext): Promise<Record<string, Schema>> {
  return (await cluster.get<{ definitions: Record<string, Schema> }>('/openapi/v2')).definitions;
}

function nameOf({ spec }: CustomResourceDefinition, versionName: string): string {
  return `${spec.group.split('.').reverse().join('.')}.${versionName}.${spec.names.kind}`;
}

/** The schema as the definition has it, without what every resource has. */
async function publishedSchema(context: SpecContext, name: string): Promise<Schema | undefined> {
  const found = (await published(context))[name];
  if (!found) return undefined;
  const { 'x-kubernetes-group-version-kind': _, properties, ...rest } = found;
  const { metadata, apiVersion, kind, ...own } = properties ?? {};
  return Object.keys(own).length === 0 ? rest : { ...rest, properties: own };
}

async function setUp(
  context: SpecContext,
  schema: Schema,
  versions: readonly string[],
  options: DefinitionOptions = {},
): Promise<CustomResourceDefinition> {
  const made = versions.map((name, index) => version(name, schema, { storage: index === 0 }));
  const group = context.unique('openapi').concat('.example.com');
  const definition = await establish(
    context,
    makeDefinition(context, made, { group, scope: 'Namespaced', ...options }),
  );
  for (const name of versions) await expectPublished(context, definition, name, schema);
  return definition;
}

async function expectPublished(
  context: SpecContext,
  definition: CustomResourceDefinition,
  versionName: string,
  schema: Schema,
): Promise<void> {
  expect(await publishedSchema(context, nameOf(definition, versionName))).toEqual(
    schema === ANYTHING ? expect.objectContaining({ type: 'object' }) : schema,
  );
}

async function tearDown(context: SpecContext, definition: CustomResourceDefinition): Promise<void> {
  await remove(context, definition);
  const names = Object.keys(await published(context));
  for (const { name } of definition.spec.versions) expect(names).not.toContain(nameOf(definition, name));
}

/** kubectl creates, deletes, applies and deletes it again. */
async function acceptedByKubectl(
  context: SpecContext,
  definition: CustomResourceDefinition,
  content: object,
): Promise<void> {
  const { group, names, versions } = definition.spec;
  const object = {
    kind: names.kind,
    apiVersion: `${group}/${versions[0]?.name}`,
    metadata: { name: 'test-cr' },
    ...content,
  };
  for (const verb of ['create', 'apply']) {
    await context.ok([verb, '-f', '-'], JSON.stringify(object));
    await context.ok(['delete', `${names.plural}.${group}`, 'test-cr']);
  }
}

const explain = async (
  context: SpecContext,
  { spec }: CustomResourceDefinition,
  below = '',
): Promise<string> => await context.ok(['explain', `${spec.names.plural}${below}`]);

area('sig-api-machinery', 'CustomResourcePublishOpenAPI [Privileged:ClusterAdmin]', (spec) => {
  spec('works for CRD with validation schema', async (context) => {
    const definition = await setUp(context, FOO, ['v1']);
    await acceptedByKubectl(context, definition, { spec: { bars: [{ name: 'test-bar' }] } });
    const { kind, plural } = definition.spec.names;
    const wrong = async (bars: object, verb: string): Promise<string> => {
      const apiVersion = `${definition.spec.group}/v1`;
      const object = { kind, apiVersion, metadata: { name: 'wrong' }, spec: bars };
      const { code, stderr } = await context.kubectl([verb, '-f', '-'], JSON.stringify(object));
      expect(code).not.toBe(0);
      return stderr;
    };
    for (const verb of ['create', 'apply']) {
      expect(await wrong({ foo: true }, verb)).toContain('unknown field "spec.foo"');
      expect(await wrong({ bars: [{ age: '10' }] }, verb)).toContain('spec.bars[0].name: Required value');
    }
    expect(await wrong({ bars: [{ name: 'a', feeling: 'Other' }] }, 'create')).toContain(
      'Unsupported value: "Other"',
    );
    expect(await explain(context, definition)).toMatch(
      /DESCRIPTION:.*Foo CRD for Testing.*FIELDS:.*apiVersion.*<string>.*APIVersion defines.*spec.*<Object>.*Specification of Foo/s,
    );
    expect(await explain(context, definition, '.metadata')).toMatch(
      /DESCRIPTION:.*Standard object's metadata.*FIELDS:.*creationTimestamp.*<string>.*CreationTimestamp is a timestamp/s,
    );
    expect(await explain(context, definition, '.spec')).toMatch(
      /DESCRIPTION:.*Specification of Foo.*FIELDS:.*bars.*<\[\]Object>.*List of Bars and their specs/s,
    );
    expect(await explain(context, definition, '.spec.bars')).toMatch(
      /FIELD: bars.*<\[\]Object>.*DESCRIPTION:.*List of Bars and their specs.*FIELDS:.*bazs.*<\[\]string>.*List of Bazs.*name.*<string>.*Name of Bar/s,
    );
    const missing = await context.kubectl(['explain', `${plural}.spec.bars2`]);
    expect(missing.code).not.toBe(0);
    expect(missing.stderr).toContain('field "bars2" does not exist');
    await tearDown(context, definition);
  });

  spec('works for CRD without validation schema', async (context) => {
    const definition = await setUp(context, ANYTHING, ['v1']);
    await acceptedByKubectl(context, definition, { a: { b: [{ c: 'd' }] } });
    expect(await explain(context, definition)).toMatch(/DESCRIPTION:.*<empty>/s);
    await tearDown(context, definition);
  });

  spec('works for CRD preserving unknown fields at the schema root', async (context) => {
    const root = { ...FOO, 'x-kubernetes-preserve-unknown-fields': true };
    const made = makeDefinition(context, [version('v1', root)], {
      group: context.unique('root').concat('.example.com'),
      scope: 'Namespaced',
    });
    const definition = await establish(context, made);
    await acceptedByKubectl(context, definition, { a: { b: [{ c: 'd' }] } });
    expect(await explain(context, definition)).toMatch(
      new RegExp(`KIND:.*${definition.spec.names.kind}`, 's'),
    );
    await tearDown(context, definition);
  });

  spec('works for CRD preserving unknown fields in an embedded object', async (context) => {
    const made = makeDefinition(context, [version('v1', NESTED)], {
      group: context.unique('nested').concat('.example.com'),
      scope: 'Namespaced',
    });
    const definition = await establish(context, made);
    await acceptedByKubectl(context, definition, { spec: { a: null, b: [{ c: 'd' }] } });
    expect(await explain(context, definition)).toMatch(
      /DESCRIPTION:.*preserve-unknown-properties in nested field for\s+Testing/s,
    );
    await tearDown(context, definition);
  });

  const both = async (
    context: SpecContext,
    versions: readonly [string, string],
    isSameGroup: boolean,
  ): Promise<void> => {
    const options = isSameGroup ? { group: `${context.unique('common')}.example.com` } : {};
    const foo = await setUp(context, FOO, [versions[0]], options);
    const waldo = await setUp(context, WALDO, [versions[1]], options);
    expect(foo.spec.group === waldo.spec.group).toBe(isSameGroup);
    await expectPublished(context, foo, versions[0], FOO);
    await expectPublished(context, waldo, versions[1], WALDO);
    await tearDown(context, foo);
    await expectPublished(context, waldo, versions[1], WALDO);
    await tearDown(context, waldo);
  };

  spec('works for multiple CRDs of different groups', async (context) => {
    await both(context, ['v1', 'v1beta1'], false);
  });

  spec('works for multiple CRDs of same group but different versions', async (context) => {
    await tearDown(context, await setUp(context, FOO, ['v2', 'v3']));
    await both(context, ['v4', 'v5'], true);
  });

  spec('works for multiple CRDs of same group and version but different kinds', async (context) => {
    await both(context, ['v6', 'v6'], true);
  });

  spec('updates the published spec when one version gets renamed', async (context) => {
    const definition = await setUp(context, FOO, ['v2', 'v3']);
    const path = '/spec/versions/1/name';
    const renamed = await definitionsOf(context).patch(
      definition.metadata.name ?? '',
      [
        { op: 'test', path, value: 'v3' },
        { op: 'replace', path, value: 'v4' },
      ],
      { type: 'json' },
    );
    await context.until('the new name', async () => nameOf(renamed, 'v4') in (await published(context)));
    await expectPublished(context, renamed, 'v4', FOO);
    expect(await publishedSchema(context, nameOf(renamed, 'v3'))).toBeUndefined();
    await expectPublished(context, renamed, 'v2', FOO);
    await tearDown(context, renamed);
  });

  spec('removes definition from spec when one version gets changed to not be served', async (context) => {
    const definition = await setUp(context, FOO, ['v5', 'v6alpha1']);
    const changed = await definitionsOf(context).modify(definition.metadata.name ?? '', (found) => {
      const [, second] = found.spec.versions;
      if (second) second.served = false;
    });
    await context.until('v6alpha1 to be gone', async () =>
      nameOf(changed, 'v6alpha1') in (await published(context)) ? undefined : true,
    );
    await expectPublished(context, changed, 'v5', FOO);
    await tearDown(context, changed);
  });
});
