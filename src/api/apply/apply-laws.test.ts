import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { JsonObject } from '../json-value.ts';
import type { KubeObject } from '../resource.ts';
import { definitionSchema } from '../schema/built-in.ts';
import { applyPatch } from './apply-patch.ts';
import { hasPath, parseFieldSet } from './field-set.ts';
import { fieldsOf } from './object-fields.ts';
import { trackUpdate } from './track-update.ts';

const type = definitionSchema('io.k8s.api.core.v1.Service');
const optional = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(one, { nil: undefined });
const labels = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2'), {
  minKeys: 1,
  maxKeys: 3,
});
const port = fc.record({
  port: fc.constantFrom(80, 443, 53),
  protocol: fc.constantFrom('TCP', 'UDP'),
  name: fc.constantFrom('x', 'y'),
});
const config: fc.Arbitrary<JsonObject> = fc
  .record({
    labels: optional(labels),
    finalizers: optional(fc.uniqueArray(fc.constantFrom('f/a', 'f/b', 'f/c'), { minLength: 1 })),
    ports: optional(
      fc.uniqueArray(port, { selector: (one) => `${one.port}${one.protocol}`, minLength: 1, maxLength: 4 }),
    ),
    selector: optional(labels),
    externalIPs: optional(fc.array(fc.constantFrom('1.1.1.1', '2.2.2.2'), { minLength: 1, maxLength: 2 })),
  })
  .map(({ labels: given, finalizers, ports, selector, externalIPs }) => {
    const metadata = {
      name: 's',
      annotations: { always: '1' },
      ...(given && { labels: given }),
      ...(finalizers && { finalizers }),
    };
    // What is applied empty is owned by nobody, as upstream; so something always stands beside it.
    const spec = {
      type: 'ClusterIP',
      ...(ports && { ports }),
      ...(selector && { selector }),
      ...(externalIPs && { externalIPs }),
    };
    return { apiVersion: 'v1', kind: 'Service', metadata, spec };
  });
const step = fc.record({ config, manager: fc.constantFrom('one', 'two'), isApply: fc.boolean() });

const apply = (live: KubeObject | undefined, applied: JsonObject, manager: string): KubeObject =>
  applyPatch({
    live,
    applied,
    manager,
    force: true,
    apiVersion: 'v1',
    kind: 'Service',
    now: '2026-01-01T00:00:00Z',
    type,
  }).object;

function update(live: KubeObject | undefined, next: JsonObject, manager: string): KubeObject {
  const object = next as unknown as KubeObject;
  const now = '2026-01-01T00:00:00Z';
  const managedFields = trackUpdate({ old: live, new: object, manager, apiVersion: 'v1', now, type });
  return { ...object, metadata: { ...object.metadata, ...(managedFields.length > 0 && { managedFields }) } };
}

it('holds whatever managers do to an object', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), (steps) => {
      let live: KubeObject | undefined;
      for (const { config: one, manager, isApply } of steps) {
        const before = JSON.stringify(live);
        const frozen = live;
        live = isApply ? apply(live, one, manager) : update(live, one, manager);
        // Nothing it was given has changed.
        expect(JSON.stringify(frozen)).toBe(before);
        if (!isApply) continue;
        // Applying again changes nothing.
        expect(apply(live, one, manager)).toEqual(live);
        // Everything applied is there, and owned by who applied it.
        const present = fieldsOf(live as unknown as JsonObject, type);
        const entry = live.metadata.managedFields?.find(
          (each) => each.manager === manager && each.operation === 'Apply',
        );
        const owned = parseFieldSet(entry?.fieldsV1 ?? {}) ?? {};
        for (const name of Object.keys((one['metadata'] as { labels?: object }).labels ?? {})) {
          const path = ['f:metadata', 'f:labels', `f:${name}`];
          expect(hasPath(present, path) && hasPath(owned, path)).toBe(true);
        }
        for (const { port: number, protocol } of (
          one['spec'] as { ports?: { port: number; protocol: string }[] }
        ).ports ?? []) {
          const path = ['f:spec', 'f:ports', `k:${JSON.stringify({ port: number, protocol })}`];
          expect(hasPath(present, path) && hasPath(owned, path)).toBe(true);
        }
      }
    }),
    { numRuns: 150, seed: 42 },
  );
});

it('leaves nothing of an applier that applies nothing any more', () => {
  fc.assert(
    fc.property(config, config, (first, second) => {
      const empty = { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' } };
      const mine = apply(apply(undefined, first, 'one'), second, 'two');
      const left = apply(mine, empty, 'one');
      const alone = apply(undefined, second, 'two');
      const shown = (object: KubeObject): unknown => {
        const { spec, metadata } = JSON.parse(JSON.stringify(object)) as {
          spec?: object;
          metadata: KubeObject['metadata'];
        };
        return {
          ports: sorted(spec),
          labels: metadata.labels ?? {},
          finalizers: [...(metadata.finalizers ?? [])].sort(),
        };
      };
      expect(shown(left)).toEqual(shown(alone));
    }),
    { numRuns: 150, seed: 42 },
  );
});

function sorted(spec: object | undefined): unknown[] {
  const { ports = [] } = (spec ?? {}) as { ports?: object[] };
  return ports.map((one) => JSON.stringify(one)).sort();
}
