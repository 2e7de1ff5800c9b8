import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const src = resolve(import.meta.dirname, '../src');

/** What each layer may import besides itself. The api takes nothing from lib but its limits. */
const ALLOWED: Record<string, readonly string[]> = {
  api: [],
  lib: ['api'],
  datastore: ['api', 'lib'],
  client: ['api', 'lib'],
  server: ['api', 'lib', 'datastore', 'client'],
  controllers: ['api', 'lib', 'client'],
  scheduler: ['api', 'lib', 'client'],
  runtime: ['api', 'lib', 'client'],
  network: ['api', 'lib', 'client'],
  netpolicy: ['api', 'lib', 'client'],
  agent: ['api', 'lib', 'client', 'runtime', 'network', 'netpolicy'],
  cli: [
    'api',
    'lib',
    'datastore',
    'client',
    'server',
    'controllers',
    'scheduler',
    'agent',
    'runtime',
    'network',
    'netpolicy',
  ],
  'main.ts': ['cli', 'lib', 'datastore'],
};

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => path.endsWith('.ts') && statSync(path).isFile());
}

interface Import {
  from: string;
  to: string;
}

function imports(): Import[] {
  return files(src).flatMap((path) => {
    const text = readFileSync(path, 'utf8');
    const found = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '');
    return found.map((to) => ({
      from: relative(src, path),
      to: to.startsWith('.') ? relative(src, resolve(dirname(path), to)) : to,
    }));
  });
}

const layerOf = (path: string): string => path.split('/')[0] ?? path;

describe('layering', () => {
  const all = imports();
  const own = new Set(files(src).map((path) => relative(src, path)));

  it('finds imports at all', () => {
    expect(all.length).toBeGreaterThan(10);
  });

  it('points one way', () => {
    const wrong = all
      .filter(({ from, to }) => !to.startsWith('node:') && own.has(to) && layerOf(from) !== layerOf(to))
      .filter(
        ({ from, to }) =>
          !from.endsWith('.test.ts') &&
          !(ALLOWED[layerOf(from)] ?? []).includes(layerOf(to)) &&
          !(layerOf(from) === 'api' && to === 'lib/limits.ts'),
      );
    expect(wrong).toEqual([]);
  });

  it('leaves SQLite to the datastore and processes to lib/exec', () => {
    const wrong = all.filter(
      ({ from, to }) =>
        !from.endsWith('.test.ts') &&
        ((to === 'better-sqlite3' && layerOf(from) !== 'datastore') ||
          (to === 'node:child_process' && from !== 'lib/exec.ts' && !isTypeOnly(from))),
    );
    expect(wrong).toEqual([]);
  });
});

/** Files that name child_process only in `import type`. */
function isTypeOnly(path: string): boolean {
  const text = readFileSync(join(src, path), 'utf8');
  return !/import (?!type)[^;]*'node:child_process'/.test(text);
}
