import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { DiscoveredResource } from '../discovery/resource.ts';
import { ProtobufReader } from '../protobuf/reader.ts';
import { DESCRIPTIONS_ASSET, NO_DESCRIPTIONS, readDescriptions } from './descriptions.ts';
import { documentHash, openApiV2, openApiV3, openApiV3Index } from './document.ts';
import { openApiV2Protobuf } from './v2-protobuf.ts';

const deployments: DiscoveredResource = {
  group: 'apps',
  version: 'v1',
  resource: 'deployments',
  kind: 'Deployment',
  namespaced: true,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [
    {
      name: 'scale',
      kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
      verbs: ['get', 'patch', 'update'],
    },
  ],
};
const widgets: DiscoveredResource = {
  group: 'example.com',
  version: 'v1',
  resource: 'widgets',
  kind: 'Widget',
  namespaced: false,
  verbs: ['get', 'list', 'patch'],
};
const options = { resources: [deployments], descriptions: NO_DESCRIPTIONS, serverVersion: 'v1.36.3' };

interface V3 {
  paths: Record<string, Record<string, Record<string, unknown> & { parameters: { name: string }[] }>>;
  components: { schemas: Record<string, { properties: Record<string, unknown> } & Record<string, unknown>> };
}
const v3 = (changes = {}): V3 => JSON.parse([...openApiV3({ ...options, ...changes })].join('')) as V3;

function references(value: unknown, found = new Set<string>()): Set<string> {
  if (typeof value !== 'object' || value === null) return found;
  for (const [key, child] of Object.entries(value)) {
    if (key === '$ref') found.add(child as string);
    else references(child, found);
  }
  return found;
}

describe('OpenAPI v3', () => {
  it('says what kubectl asks of a kind', () => {
    const { paths, components } = v3();
    const item = paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'];
    const kind = { group: 'apps', version: 'v1', kind: 'Deployment' };
    expect(item?.['patch']).toMatchObject({
      'x-kubernetes-action': 'patch',
      'x-kubernetes-group-version-kind': kind,
    });
    expect(item?.['patch']?.parameters.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['dryRun', 'fieldManager', 'fieldValidation', 'force']),
    );
    expect(paths['/apis/apps/v1/deployments']?.['get']).toMatchObject({ 'x-kubernetes-action': 'list' });
    expect(paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale']?.['get']).toMatchObject({
      'x-kubernetes-group-version-kind': { kind: 'Scale' },
    });
    expect(components.schemas['io.k8s.api.apps.v1.Deployment']).toMatchObject({
      'x-kubernetes-group-version-kind': [kind],
    });
    expect(components.schemas['io.k8s.api.core.v1.PodSpec']?.properties['containers']).toEqual({
      type: 'array',
      items: { $ref: '#/components/schemas/io.k8s.api.core.v1.Container' },
      'x-kubernetes-list-map-keys': ['name'],
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-patch-merge-key': 'name',
      'x-kubernetes-patch-strategy': 'merge',
    });
    expect(components.schemas['io.k8s.apimachinery.pkg.api.resource.Quantity']).toMatchObject({
      oneOf: [{ type: 'string' }, { type: 'number' }],
    });
  });

  it('defines everything it refers to', () => {
    const document = v3();
    const missing = [...references(document)].filter(
      (reference) =>
        document.components.schemas[reference.replace('#/components/schemas/', '')] === undefined,
    );
    expect(missing).toEqual([]);
  });

  it('describes types and fields', async () => {
    const descriptions = await readDescriptions(
      readFileSync(new URL(`../../${DESCRIPTIONS_ASSET}`, import.meta.url)),
    );
    const { components } = v3({ descriptions });
    const container = components.schemas['io.k8s.api.core.v1.Container'];
    expect(container?.['description']).toBe(
      'A single application container that you want to run within a pod.',
    );
    expect(container?.properties['image']).toMatchObject({
      description: expect.stringContaining('image name') as unknown,
    });
    const undescribed = Object.entries(components.schemas).filter(
      ([, schema]) => schema['description'] === undefined,
    );
    expect(undescribed.map(([name]) => name)).toEqual([]);
  });

  it('carries custom resources', () => {
    const schema = { type: 'object', properties: { spec: { type: 'object' } } };
    const document = v3({
      resources: [{ ...widgets, custom: { stamp: '1' } }],
      customSchema: () => schema,
    });
    expect(document.components.schemas['com.example.v1.Widget']).toMatchObject({
      properties: { spec: { type: 'object' }, metadata: {} },
      'x-kubernetes-group-version-kind': [{ group: 'example.com', version: 'v1', kind: 'Widget' }],
    });
    expect(references(document)).toContain('#/components/schemas/com.example.v1.WidgetList');
    expect(document.components.schemas['com.example.v1.WidgetList']).toBeDefined();
  });

  it('has an index whose hashes move with the content', () => {
    const hash = documentHash(options);
    expect(documentHash({ ...options, resources: [deployments, widgets] })).not.toBe(hash);
    expect(documentHash({ ...options, serverVersion: 'v2' })).not.toBe(hash);
    expect(
      openApiV3Index([
        { group: 'apps', version: 'v1', hash },
        { group: '', version: 'v1', hash },
      ]),
    ).toEqual({
      paths: {
        'apis/apps/v1': { serverRelativeURL: `/openapi/v3/apis/apps/v1?hash=${hash}` },
        'api/v1': { serverRelativeURL: `/openapi/v3/api/v1?hash=${hash}` },
      },
    });
  });
});

describe('OpenAPI v2', () => {
  const document = JSON.parse([...openApiV2(options)].join('')) as { definitions: Record<string, object> };

  it('defines everything it refers to', () => {
    const missing = [...references(document)].filter(
      (one) => !(one.replace('#/definitions/', '') in document.definitions),
    );
    expect(missing).toEqual([]);
    expect(document.definitions['io.k8s.apimachinery.pkg.api.resource.Quantity']).toMatchObject({
      type: 'string',
    });
  });

  it('says the same in protobuf', () => {
    const names = (reader: ProtobufReader, wanted: number): string[] => {
      const found: string[] = [];
      while (!reader.isAtEnd) {
        const { number, wire } = reader.tag();
        if (number !== wanted) reader.skip(wire);
        else {
          const entry = reader.nested();
          entry.tag();
          found.push(Buffer.from(entry.bytes()).toString());
        }
      }
      return found;
    };
    const reader = new ProtobufReader(openApiV2Protobuf(options));
    let definitions: string[] = [];
    while (!reader.isAtEnd) {
      const { number, wire } = reader.tag();
      if (number === 9) definitions = names(reader.nested(), 1);
      else reader.skip(wire);
    }
    expect(definitions).toEqual(Object.keys(document.definitions));
  });
});
