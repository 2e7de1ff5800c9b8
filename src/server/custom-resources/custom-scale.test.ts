import { expect, it } from 'vitest';
import type { KubeObject } from '../../api/resource.ts';
import { scaleSubresource, validateScale } from './custom-scale.ts';

it.each(['.spec.__proto__.polluted', '.__proto__.polluted', '.spec.constructor.prototype.polluted'])(
  'writes the replicas at %s of the object alone',
  (specReplicasPath) => {
    const { set } = scaleSubresource({
      specReplicasPath,
      statusReplicasPath: '.status.replicas',
    }) as unknown as {
      set(object: KubeObject, replicas: number): void;
    };
    const object = { metadata: { name: 'a' }, spec: {} };
    set(object, 3);
    try {
      expect('polluted' in {}).toBe(false);
      expect(JSON.stringify(object)).toContain('"polluted":3');
    } finally {
      delete (Object.prototype as { polluted?: number }).polluted;
    }
  },
);

const scale = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' };

it.each([
  [{ spec: { replicas: 3 } }, []],
  [{ spec: { replicas: '3' } }, ['3 is of the type string, expected int64']],
  [{ spec: { replicas: 1.5 } }, ['1.5 is of the type float64, expected int64']],
  [{ spec: { replicas: [] } }, ['[] is of the type []interface {}, expected int64']],
  [{ spec: true }, ['true is of the type bool, expected map[string]interface{}']],
  [{ spec: null }, []],
])('tells what is in the way of a number of replicas in %j', (fields, problems) => {
  const errors = validateScale({ metadata: {}, ...fields }, scale);
  expect(errors.map(({ message }) => message)).toEqual(
    problems.map((problem) => `Invalid value: 0: .spec.replicas accessor error: ${problem}`),
  );
});
