import { describe, expect, it } from 'vitest';
import {
  difference,
  EMPTY_SET,
  FieldSetBuilder,
  forEachPath,
  hasPath,
  intersection,
  parseFieldSet,
  union,
  withoutSubtrees,
} from './field-set.ts';
import { pathText } from './path-element.ts';

const setOf = (...paths: string[][]): ReturnType<FieldSetBuilder['build']> => {
  const builder = new FieldSetBuilder();
  for (const path of paths) builder.insert(path);
  return builder.build();
};
const a = ['f:a'];
const ab = ['f:a', 'f:b'];
const ac = ['f:a', 'f:c'];

describe('field sets', () => {
  it('are written as upstream writes them', () => {
    const set = setOf(
      ['f:z'],
      ['f:ports', 'k:{"port":443,"protocol":"TCP"}'],
      ['f:ports', 'k:{"port":80,"protocol":"TCP"}'],
      ['f:ports', 'k:{"port":80,"protocol":"TCP"}', 'f:name'],
      ['f:finalizers', 'v:"b"'],
      ['f:finalizers'],
      ['f:finalizers', 'v:"a"'],
    );
    expect(JSON.stringify(set)).toBe(
      '{"f:finalizers":{".":{},"v:\\"a\\"":{},"v:\\"b\\"":{}},' +
        '"f:ports":{"k:{\\"port\\":80,\\"protocol\\":\\"TCP\\"}":{".":{},"f:name":{}},' +
        '"k:{\\"port\\":443,\\"protocol\\":\\"TCP\\"}":{}},"f:z":{}}',
    );
  });

  it('keep parents and children apart', () => {
    expect(setOf(ab)).toEqual({ 'f:a': { 'f:b': {} } });
    expect(setOf(ab, a)).toEqual({ 'f:a': { '.': {}, 'f:b': {} } });
    expect(setOf(a, ab)).toEqual({ 'f:a': { '.': {}, 'f:b': {} } });
    expect(hasPath(setOf(ab), a)).toBe(false);
    expect(hasPath(setOf(ab, a), a)).toBe(true);
  });

  it('unite', () => {
    expect(union(setOf(a), setOf(ab))).toEqual(setOf(a, ab));
    expect(union(setOf(ab), setOf(ac))).toEqual(setOf(ab, ac));
    expect(union(EMPTY_SET, setOf(ab))).toEqual(setOf(ab));
  });

  it('intersect', () => {
    expect(intersection(setOf(a, ab, ac), setOf(ab))).toEqual(setOf(ab));
    expect(intersection(setOf(a), setOf(ab))).toEqual({});
  });

  it('subtract members, not what is above or below them', () => {
    expect(difference(setOf(a, ab), setOf(a))).toEqual(setOf(ab));
    expect(difference(setOf(a, ab), setOf(ab))).toEqual(setOf(a));
    expect(difference(setOf(ab), setOf(ab))).toEqual({});
    expect(withoutSubtrees(setOf(a, ab, ['f:x']), setOf(a))).toEqual(setOf(['f:x']));
  });

  it('return what they got when nothing changes', () => {
    const set = setOf(ab, ac);
    expect(difference(set, setOf(['f:x'], a))).toBe(set);
    expect(withoutSubtrees(set, setOf(['f:x']))).toBe(set);
  });

  it('list their paths as conflicts show them', () => {
    const seen: string[] = [];
    forEachPath(setOf(['f:s', 'k:{"name":"x","port":80}', 'f:image'], ['f:s', 'v:"q"'], ['f:t']), (path) =>
      seen.push(pathText(path)),
    );
    expect(seen).toEqual(['.t', '.s[="q"]', '.s[name="x",port=80].image']);
  });

  it('are read in canonical form, without what is unknown', () => {
    expect(
      parseFieldSet({ 'f:p': { 'k:{"protocol":"TCP", "port":1}': { '.': {} } }, 'x:future': {} }),
    ).toEqual({
      'f:p': { 'k:{"port":1,"protocol":"TCP"}': {} },
    });
    expect(parseFieldSet({ 'f:p': 1 })).toBeUndefined();
    expect(parseFieldSet({ nonsense: {} })).toBeUndefined();
    expect(parseFieldSet({ 'k:{broken': {} })).toBeUndefined();
  });
});
