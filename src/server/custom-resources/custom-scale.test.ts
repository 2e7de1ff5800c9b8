import { expect, it } from 'vitest';
import type { KubeObject } from '../../api/resource.ts';
import { scaleSubresource } from './custom-scale.ts';

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
