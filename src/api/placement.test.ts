import { describe, expect, it } from 'vitest';
import { matchesAnyTerm, matchesLabels } from './node-selector.ts';
import { isTolerated } from './tolerations.ts';

const node = { name: 'pi', labels: { arch: 'arm64', ram: '512' } };
const term = (operator: string, key: string, ...values: string[]) => [
  { matchExpressions: [{ key, operator, values }] },
];

describe('node selector terms', () => {
  it.each([
    ['In', 'arch', ['arm64'], true],
    ['NotIn', 'arch', ['arm64'], false],
    ['NotIn', 'none', ['x'], true],
    ['Exists', 'constructor', [], false],
    ['DoesNotExist', 'arch', [], false],
    ['Gt', 'ram', ['256'], true],
    ['Lt', 'ram', ['256'], false],
    ['Gt', 'arch', ['1'], false],
    ['Gt', 'ram', ['0x1'], false],
  ])('%s %s %j: %s', (operator, key, values, expected) => {
    expect(matchesAnyTerm(node, term(operator, key, ...values))).toBe(expected);
  });

  it('are alternatives, and match nothing when empty', () => {
    expect(matchesAnyTerm(node, [{}])).toBe(false);
    expect(matchesAnyTerm(node, [{}, ...term('Exists', 'arch')])).toBe(true);
    const byName = [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['pi'] }] }];
    expect(matchesAnyTerm(node, byName)).toBe(true);
    expect(matchesLabels(node, { arch: 'arm64' })).toBe(true);
    expect(matchesLabels(node, { arch: 'arm64', ram: '1024' })).toBe(false);
  });
});

describe('tolerations', () => {
  const taint = { key: 'place', value: 'roof', effect: 'NoExecute' };
  it.each([
    [{ operator: 'Exists' }, true],
    [{ key: 'place', operator: 'Exists', effect: 'NoSchedule' }, false],
    [{ key: 'place', value: 'roof' }, true],
    [{ key: 'place', value: 'cellar' }, false],
    [{ key: 'other', operator: 'Exists' }, false],
    [{ key: 'place', operator: 'Near', value: 'roof' }, false],
  ])('%j: %s', (toleration, expected) => {
    expect(isTolerated(taint, [toleration])).toBe(expected);
  });
});
