import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RESOURCES } from '../src/server/resources/table.ts';

const root = resolve(import.meta.dirname, '..');
const pages = [
  ...['README.md', 'CHANGELOG.md'].map((name) => join(root, name)),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(root, 'docs', name)),
];

/** Targets of `[text](target)` that are files here; code blocks are left out. */
function links(page: string): { file: string; heading: string | undefined }[] {
  const text = readFileSync(page, 'utf8').replaceAll(/^```[\s\S]*?^```/gm, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] ?? '')
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [path = '', heading] = target.split('#', 2);
      return { file: path === '' ? page : resolve(dirname(page), path), heading };
    });
}

/** A heading as GitHub names it. */
const slug = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

function headings(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(/^#+ +(.+)$/gm)].map((match) => slug(match[1] ?? ''));
}

describe('the documentation', () => {
  it.each(pages.map((page) => [relative(root, page), page]))('%s links to what exists', (_name, page) => {
    const broken = links(page).filter(
      ({ file, heading }) =>
        !existsSync(file) ||
        (heading !== undefined && file.endsWith('.md') && !headings(file).includes(heading)),
    );
    expect(broken).toEqual([]);
  });

  it('names functions that are where it says', () => {
    const page = join(root, 'docs/architecture.md');
    const named = [
      ...readFileSync(page, 'utf8').matchAll(/`([#\w.]+)`\s+\((?:`[^`]*`, )?\[[^\]]*\]\(([^)]+\.ts)\)/g),
    ].map((match) => ({
      name: match[1]?.split('.').at(-1) ?? '',
      file: resolve(dirname(page), match[2] ?? ''),
    }));
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter(({ name, file }) => !readFileSync(file, 'utf8').includes(name))).toEqual([]);
  });

  it('finds links at all', () => {
    expect(pages.flatMap(links).length).toBeGreaterThan(50);
  });

  it('names every kind that is served', () => {
    const text = readFileSync(join(root, 'docs/compatibility.md'), 'utf8');
    const missing = RESOURCES.map(({ resource }) => resource.kind).filter(
      (kind) => !new RegExp(`\\b${kind}\\b`).test(text),
    );
    expect(missing).toEqual([]);
  });
});
