import { expect } from 'vitest';
import { area } from '../area.ts';

area('sig-architecture', 'Conformance Tests', (spec) => {
  spec('should have at least two untainted nodes', async ({ cluster }) => {
    const { items } = await cluster.nodes.list();
    const usable = items.filter(
      ({ spec: fields, status }) =>
        !fields?.unschedulable &&
        !fields?.taints?.some(({ effect }) => effect === 'NoSchedule' || effect === 'NoExecute') &&
        status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
    );
    expect(usable.length).toBeGreaterThanOrEqual(2);
  });
});
