import { describe, expect, it } from 'vitest';
import { Environment } from '../environment.ts';
import { AUTHORIZER } from '../library/authorizer.ts';
import { listOf, STRING } from '../types.ts';
import { estimateCost, type SizeAt } from './cost-estimate.ts';

const environment = new Environment({ variables: { authorizer: AUTHORIZER, self: listOf(STRING) } });

function costOf(source: string, sizeAt: SizeAt = () => undefined): [number, number] {
  const compiled = environment.compile(source);
  if (compiled.program === undefined) throw new Error(compiled.error);
  const { min, max } = estimateCost(compiled.checked, sizeAt);
  return [min, max];
}

// As upstream estimates them (k8s.io/apiserver/pkg/cel/library/cost_test.go).
describe('the estimated cost', () => {
  it.each([
    ['[1, 2, 3, 4, 5].sum()', 15, 15],
    ["authorizer.path('/healthz').check('get').allowed()", 350003, 350003],
    ["'abc'.contains('bc')", 1, 1],
    ["'abc'.matches('[a-z]+')", 2, 2],
    ['sets.contains([1, 2, 3, 4], [2, 3])', 29, 29],
    ['sets.equivalent([1], [1, 1])', 25, 25],
    ['[1, 2].all(i, v, v > 0)', 17, 21],
    ["quantity('100m') == quantity('1')", 3, 3],
    ["ip('::1').family()", 2, 2],
    ['true || false', 0, 0],
  ])('of %s', (source, min, max) => {
    expect(costOf(source)).toEqual([min, max]);
  });

  it('grows with the data that may come', () => {
    const ten: SizeAt = ([, step]) => (step === '@items' ? { min: 0, max: 100 } : { min: 0, max: 10 });
    expect(costOf("self.all(one, one.startsWith('a'))", ten)[1]).toBe(52);
    const doubled: SizeAt = (path) => {
      const { max = 0 } = ten(path) ?? {};
      return { min: 0, max: max * 2 };
    };
    expect(costOf("self.all(one, one.startsWith('a'))", doubled)[1]).toBe(102);
    expect(costOf("self.all(one, one.contains('a'))", doubled)[1]).toBe(20 * (1 + 1 + 1 + 20 + 1) + 2);
  });

  it('is as good as endless where data has no bounds', () => {
    expect(costOf('self.all(one, self.all(other, one == other))')[1]).toBe(2 ** 64);
  });
});
