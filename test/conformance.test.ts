import { describe, expect, it } from 'vitest';
import { readSection, renderSection } from './e2e/conformance/document.ts';
import { coveredSpecs } from './e2e/conformance/files.ts';
import { officialName, readSpecs } from './e2e/conformance/spec-list.ts';

describe('the conformance specs', async () => {
  const specs = readSpecs();
  const covered = (await coveredSpecs()).map(({ name }) => name);

  it('are all that upstream has, each once', () => {
    expect(specs).toHaveLength(462);
    expect(new Set(specs.map(officialName)).size).toBe(462);
    expect(
      specs.filter(({ needs, result }) => !/^(api|pod|net|webhook|multi)(pass|fail|-)$/.test(needs + result)),
    ).toEqual([]);
  });

  it('are called as upstream calls them', () => {
    const names = specs.map(officialName);
    for (const name of [
      '[sig-node] ConfigMap should update ConfigMap successfully [Conformance] [NodeConformance]',
      '[sig-node] NoExecuteTaintManager Single Pod removing taint cancels eviction [Conformance] [Disruptive] [Serial]',
      '[sig-api-machinery] ResourceQuota should be able to update and delete ResourceQuota. [Conformance]',
    ])
      expect(names).toContain(name);
  });

  it('are covered once, and what ran is recorded (npm run conformance -- --record NAME)', () => {
    expect(new Set(covered).size).toBe(covered.length);
    const recorded = specs.filter(({ result }) => result !== '-').map(officialName);
    expect(recorded.sort()).toEqual(covered.toSorted());
  });

  it('stand in docs/compatibility.md as recorded (npm run conformance -- --document)', () => {
    expect(readSection()).toBe(renderSection(specs));
  });
});
