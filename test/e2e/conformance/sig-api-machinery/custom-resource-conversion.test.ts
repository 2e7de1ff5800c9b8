import { expect } from 'vitest';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
  SelectableField,
} from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import {
  type CustomObject,
  definitionsOf,
  establish,
  makeDefinition,
  objectsOf,
  version,
} from '../custom-definitions.ts';
import type { ResourceClient } from '../resource-client.ts';
import type { SpecContext } from '../spec-context.ts';
import type { WatchEvents } from '../watch-events.ts';
import { WebhookServer } from './webhook-server.ts';

const text = { type: 'string' };
const fields = (...names: string[]): { selectableFields: SelectableField[] } => ({
  selectableFields: names.map((name) => ({ jsonPath: `.${name}` })),
});

function versions(stored: 'v1' | 'v2', isSelectable = false): CustomResourceDefinitionVersion[] {
  const schema = (...names: string[]) => ({
    type: 'object',
    properties: Object.fromEntries(names.map((name) => [name, text])),
  });
  return [
    version('v1', schema('hostPort'), {
      storage: stored === 'v1',
      ...(isSelectable ? fields('hostPort') : {}),
    }),
    version('v2', schema('host', 'port'), {
      storage: stored === 'v2',
      ...(isSelectable ? fields('host', 'port') : {}),
    }),
  ];
}

interface Converted {
  readonly definition: CustomResourceDefinition;
  readonly v1: ResourceClient<CustomObject>;
  readonly v2: ResourceClient<CustomObject>;
}

/** A definition whose versions upstream's test webhook converts. */
async function setUp(context: SpecContext, isSelectable = false): Promise<Converted> {
  const server = await WebhookServer.start(context);
  const group = `${context.unique('stable')}.example.com`;
  const made = makeDefinition(context, versions('v1', isSelectable), { group, scope: 'Namespaced' });
  made.spec.conversion = {
    strategy: 'Webhook',
    webhook: { clientConfig: server.at('/crdconvert'), conversionReviewVersions: ['v1', 'v1beta1'] },
  };
  const definition = await establish(context, made);
  const v2 = objectsOf(context, definition, 'v2');
  // Until the way to the webhook is there.
  await context.until('the webhook to convert', async () => {
    const ready = object(definition, 'v2', 'ready', {});
    return await v2.create(ready).then(
      () => true,
      () => false,
    );
  });
  await v2.delete('ready');
  return { definition, v1: objectsOf(context, definition, 'v1'), v2 };
}

const object = (
  { spec }: CustomResourceDefinition,
  versionName: string,
  name: string,
  content: object,
): CustomObject => ({
  apiVersion: `${spec.group}/${versionName}`,
  kind: spec.names.kind,
  metadata: { name },
  ...content,
});

const FIRST = { hostPort: 'localhost:8080' };
function expectFirst({ apiVersion = '', hostPort }: CustomObject): void {
  expect([apiVersion.split('/')[1], hostPort]).toEqual(['v1', 'localhost:8080']);
}
function expectSecond(found: CustomObject): void {
  expect(found.apiVersion?.split('/')[1]).toBe('v2');
  expect([found['host'], found['port'], found['hostPort']]).toEqual(['localhost', '8080', undefined]);
}

area('sig-api-machinery', 'CustomResourceConversionWebhook [Privileged:ClusterAdmin]', (spec) => {
  spec('should be able to convert from CR v1 to CR v2', async (context) => {
    const { definition, v1, v2 } = await setUp(context);
    await v1.create(object(definition, 'v1', 'cr-instance-1', FIRST));
    expectSecond(await v2.get('cr-instance-1'));
  });

  spec('should be able to convert a non homogeneous list of CRs', async (context) => {
    const { definition, v1, v2 } = await setUp(context);
    await v1.create(object(definition, 'v1', 'cr-instance-1', FIRST));
    await definitionsOf(context).modify(definition.metadata.name ?? '', (found) => {
      found.spec.versions = versions('v2');
    });
    await v1.create(object(definition, 'v1', 'cr-instance-2', FIRST));
    const first = (await v1.list()).items;
    const second = (await v2.list()).items;
    for (const list of [first, second])
      expect(list.map(({ metadata }) => metadata.name)).toEqual(['cr-instance-1', 'cr-instance-2']);
    first.forEach(expectFirst);
    second.forEach(expectSecond);
  });
});

area('sig-api-machinery', 'CustomResourceFieldSelectors [Privileged:ClusterAdmin]', (spec) => {
  spec(
    'CustomResourceFieldSelectors MUST list and watch custom resources matching the field selector',
    async (context) => {
      const { definition, v1, v2 } = await setUp(context, true);
      const watches = [
        { events: context.watch(v2, { fieldSelector: 'host=host1' }), names: ['one', 'two'] },
        { events: context.watch(v2, { fieldSelector: 'host=host1,port=80' }), names: ['one'] },
        { events: context.watch(v1, { fieldSelector: 'hostPort=host1:80' }), names: ['one'] },
      ];
      const contents = {
        one: { host: 'host1', port: '80' },
        two: { host: 'host1', port: '8080' },
        three: { host: 'host2' },
      };
      for (const [name, content] of Object.entries(contents))
        await v2.create(object(definition, 'v2', name, content));
      const listed = async (resource: ResourceClient<CustomObject>, fieldSelector: string) =>
        (await resource.list({ fieldSelector })).items.map(({ metadata }) => metadata.name);
      expect(await listed(v2, 'host=host1')).toEqual(['one', 'two']);
      expect(await listed(v2, 'host=host1,port=80')).toEqual(['one']);
      expect(await listed(v1, 'hostPort=host1:80')).toEqual(['one']);
      expect(await listed(v1, 'hostPort=host1:8080')).toEqual(['two']);
      for (const { events, names } of watches) await expectEvents(events, 'ADDED', names);
      await v2.deleteCollection({ fieldSelector: 'host=host1,port=80' }, { gracePeriodSeconds: 0 });
      await v2.modify('two', (found) => {
        found['host'] = 'host2';
      });
      expect(await listed(v2, 'host=host1')).toEqual([]);
      expect(await listed(v2, 'host=host1,port=80')).toEqual([]);
      // An object that leaves the selection is deleted for who watches it.
      for (const { events, names } of watches) await expectEvents(events, 'DELETED', names);
    },
  );
});

async function expectEvents(
  events: WatchEvents<CustomObject>,
  type: string,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    const event = await events.next();
    expect([event.type, event.object.metadata.name]).toEqual([type, name]);
  }
}
