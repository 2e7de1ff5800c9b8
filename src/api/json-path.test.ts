import { describe, expect, it } from 'vitest';
import { JsonPathError, parseJsonPath } from './json-path.ts';

const object = {
  metadata: { annotations: { 'example.com/a': 'x' }, name: 'n' },
  spec: { replicas: 3, ports: [80, 443, 8080], empty: '' },
  status: {
    conditions: [
      { type: 'Ready', status: 'True', n: 1 },
      { type: 'Synced', status: 'False', n: 2 },
    ],
  },
};

describe('a path', () => {
  it.each<[string, unknown[]]>([
    ['.spec.replicas', [3]],
    ['.spec.empty', ['']],
    ['.spec.nothing.here', []],
    ['$.spec.replicas', [3]],
    ['.metadata.annotations.example\\.com/a', ['x']],
    [".metadata.annotations['example.com/a']", ['x']],
    [".metadata['annotations','name']", [{ 'example.com/a': 'x' }, 'n']],
    ['.spec.ports[0]', [80]],
    ['.spec.ports[-1]', [8080]],
    ['.spec.ports[0,2]', [80, 8080]],
    ['.spec.ports[0:2]', [80, 443]],
    ['.spec.ports[::2]', [80, 8080]],
    ['.spec.ports[*]', [80, 443, 8080]],
    ['.spec.ports[7]', []],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    [".status.conditions[?(@.type == 'Synced')].status", ['False']],
    ['.status.conditions[?(@.type!="Ready")].status', ['False']],
    ['.status.conditions[?(@.n>1)].type', ['Synced']],
    ['.status.conditions[?(@.nothing)].type', []],
    ['.status.conditions[?(@.type=="a]b")].status', []],
    ['..type', ['Ready', 'Synced']],
    ['.status.conditions[*].type', ['Ready', 'Synced']],
    ['.status.*[0].type', ['Ready']],
    ['.constructor', []],
    ['.', [object]],
  ])('%s', (path, expected) => {
    expect(parseJsonPath(path).find(object)).toEqual(expected);
  });

  it.each(['.a[', '.a[x]', 'a', '.a[?(@.b==c)]', '.a..', '.a[::0]'])('is not %s', (path) => {
    expect(() => parseJsonPath(path)).toThrow(JsonPathError);
  });

  it('takes no time that multiplies with each step', () => {
    let nested: object = {};
    for (let depth = 0; depth < 60; depth++) nested = { a: nested };
    const before = performance.now();
    expect(parseJsonPath(`${'..a'.repeat(10)}..b`).find(nested)).toEqual([]);
    expect(performance.now() - before).toBeLessThan(20_000);
  });
});
