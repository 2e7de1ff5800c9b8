import { expect } from 'vitest';
import type { Container, LimitRange, PriorityClass } from '../../../../src/api/types.gen.ts';
import { refusal } from '../api-client.ts';
import { area } from '../area.ts';
import { pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

type Resources = NonNullable<Container['resources']>;

const amounts = (cpu: string, memory: string, storage: string) => ({
  cpu,
  memory,
  'ephemeral-storage': storage,
});
const limitsOf = (context: SpecContext) => context.resource<LimitRange>('v1', 'limitranges');

area('sig-scheduling', 'LimitRange', (spec) => {
  spec(
    'should create a LimitRange with defaults and ensure pod has those defaults applied.',
    async (context) => {
      const { pods } = context;
      const ranges = limitsOf(context);
      const watch = context.watch(ranges);
      const limit = {
        type: 'Container',
        min: amounts('50m', '100Mi', '100Gi'),
        max: amounts('500m', '500Mi', '500Gi'),
        default: amounts('500m', '500Mi', '500Gi'),
        defaultRequest: amounts('100m', '200Mi', '200Gi'),
      };
      const made = await ranges.create({ metadata: { name: 'limit-range' }, spec: { limits: [limit] } });
      expect((await watch.next()).type).toBe('ADDED');
      expect(made.spec?.limits).toEqual([limit]);
      expect((await ranges.get('limit-range')).spec).toEqual(made.spec);
      const create = async (name: string, resources: Resources) => {
        const { spec } = await pods.create(pod(name, { resources }));
        return spec?.containers[0]?.resources;
      };
      expect(await create('no-resources', {})).toEqual({
        requests: limit.defaultRequest,
        limits: limit.default,
      });
      const partial = { requests: { cpu: '150m', memory: '150Mi' }, limits: { cpu: '300m' } };
      expect(await create('partial', partial)).toEqual({
        requests: { ...limit.defaultRequest, ...partial.requests },
        limits: { ...limit.default, ...partial.limits },
      });
      const tooSmall = await refusal(create('too-small', { requests: amounts('10m', '50Mi', '50Gi') }));
      expect(tooSmall.status).toMatchObject({ code: 403, reason: 'Forbidden' });
      for (const text of [
        'minimum cpu usage per Container is 50m, but request is 10m',
        'minimum memory usage per Container is 100Mi, but request is 50Mi',
      ])
        expect(tooSmall.status.message).toContain(text);
      const tooBig = {
        requests: amounts('600m', '600Mi', '600Gi'),
        limits: amounts('600m', '600Mi', '600Gi'),
      };
      expect((await refusal(create('too-big', tooBig))).status.message).toContain(
        'maximum cpu usage per Container is 500m, but limit is 600m',
      );
      // A new minimum holds for what comes from now on.
      const min = amounts('9m', '49Mi', '49Gi');
      await ranges.modify('limit-range', ({ spec }) => {
        spec!.limits[0]!.min = min;
        spec!.limits[0]!.max = amounts('1', '1Gi', '1Ti');
      });
      expect((await ranges.get('limit-range')).spec?.limits[0]?.min).toEqual(min);
      expect(await create('small-enough', { requests: amounts('10m', '50Mi', '50Gi') })).toEqual({
        requests: amounts('10m', '50Mi', '50Gi'),
        limits: limit.default,
      });
      const limits = tooBig.limits;
      expect(await create('not-too-big', tooBig)).toEqual({ requests: limits, limits });
      expect(
        (
          await refusal(
            create('still-too-big', {
              requests: amounts('2', '2Gi', '2Ti'),
              limits: amounts('2', '2Gi', '2Ti'),
            }),
          )
        ).code,
      ).toBe(403);
      await ranges.delete('limit-range');
      await watch.next(({ type }) => type === 'DELETED');
      expect(await create('unlimited', {})).toEqual({});
    },
  );

  spec('should list, patch and delete a LimitRange by collection', async (context) => {
    const label = context.unique('limitrange');
    const labelSelector = `e2e-test=${label}`;
    const other = await context.newNamespace();
    const limit = {
      type: 'Container',
      min: amounts('50m', '100Mi', '100Gi'),
      max: amounts('500m', '500Mi', '500Gi'),
    };
    const create = async (namespace: string) =>
      await context.resource<LimitRange>('v1', 'limitranges', namespace).create({
        metadata: { name: 'collected', labels: { 'e2e-test': label } },
        spec: { limits: [limit] },
      });
    await create(context.namespace);
    await create(other);
    const everywhere = context.cluster.resource<LimitRange>('v1', 'limitranges');
    expect((await everywhere.list({ labelSelector })).items).toHaveLength(2);
    const min = { cpu: '40m', memory: '90Mi' };
    const patched = await limitsOf(context).patch(
      'collected',
      {
        metadata: { labels: { collected: 'patched' } },
        spec: { limits: [{ ...limit, min: { ...limit.min, ...min } }] },
      },
      { type: 'strategic' },
    );
    expect(patched.metadata.labels?.['collected']).toBe('patched');
    expect(patched.spec?.limits[0]?.min).toEqual({ ...limit.min, ...min });
    await limitsOf(context).deleteCollection({ labelSelector: 'collected=patched' });
    expect((await refusal(limitsOf(context).get('collected'))).code).toBe(404);
    const left = await everywhere.list({ labelSelector });
    expect(left.items.map(({ metadata }) => metadata.namespace)).toEqual([other]);
  });
});

area('sig-scheduling', 'SchedulerPreemption', (spec) => {
  spec(
    'PriorityClass endpoints verify PriorityClass endpoints can be operated with different HTTP methods [Serial]',
    async (context) => {
      const classes = context.cluster.resource<PriorityClass>('scheduling.k8s.io/v1', 'priorityclasses');
      const label = context.unique('priority');
      const create = async (name: string, value: number) => {
        context.defer(async () => await classes.delete(name));
        return await classes.create({ metadata: { name, labels: { test: label } }, value });
      };
      const [one, two] = [await create(`${label}-1`, 1), await create(`${label}-2`, 2)];
      const { items } = await classes.list({ labelSelector: `test=${label}` });
      expect(items.map(({ metadata, value }) => [metadata.name, value])).toEqual([
        [`${label}-1`, 1],
        [`${label}-2`, 2],
      ]);
      expect((await classes.list()).items.map(({ metadata }) => metadata.name)).toEqual(
        expect.arrayContaining(['system-cluster-critical', 'system-node-critical']),
      );
      for (const made of [one, two]) {
        const name = made.metadata.name ?? '';
        const described = await classes.modify(name, (object) => {
          object.description = 'updated';
        });
        expect(described.description).toBe('updated');
        const replace = [{ op: 'replace', path: '/description', value: 'patched' }];
        expect((await classes.patch(name, replace, { type: 'json' })).description).toBe('patched');
        for (const [patch, field] of [
          [{ value: 1_000_000 }, 'value'],
          [{ preemptionPolicy: 'Never' }, 'preemptionPolicy'],
        ] as const) {
          const error = await refusal(classes.patch(name, patch));
          expect(error.status).toMatchObject({ code: 422, reason: 'Invalid' });
          expect(error.status.details?.causes?.[0]?.field).toBe(field);
        }
        expect(await classes.get(name)).toMatchObject({
          value: made.value,
          description: 'patched',
          preemptionPolicy: 'PreemptLowerPriority',
        });
      }
    },
  );
});
