import Database from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import { HEAD, LIST, LogTable, SCHEMA, VISIBLE } from './log-table.ts';

describe('log table', () => {
  const db = new Database(':memory:');
  db.exec(SCHEMA);
  const insert = db.prepare(
    'INSERT INTO entries (revision, key, created, volatile, value) VALUES (?, ?, ?, 0, ?)',
  );

  afterEach(() => void db.exec('DELETE FROM entries'));

  it('reads a page without sorting what follows it', () => {
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${LIST}`).all('a', 'b', 1, 1) as { detail: string }[];
    expect(plan.map(({ detail }) => detail).filter((detail) => /TEMP|MATERIALIZE/.test(detail))).toEqual([]);
  });

  it.each([
    ['the newest row', HEAD, []],
    ['a row as of a revision', VISIBLE, [5000]],
  ])(
    'finds %s of a key by its index, with no bare parameter that makes SQLite plan again',
    (_what, sql, more) => {
      for (let n = 1; n <= 5000; n++) insert.run(n, `/k/${n % 1000}`, n, null);
      const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all('/k/1', ...more) as { detail: string }[];
      expect(plan.map(({ detail }) => detail)).toEqual([
        expect.stringMatching(/^SEARCH entries USING INDEX entries_by_key \(key=\?( AND rowid<\?)?\)$/),
      ]);
      // Nothing tells a statement that is planned again, but how long it takes; see `HEAD`.
      expect(sql).not.toMatch(/key = \?/);
    },
  );

  it('lists in the order of keys, whatever the order of writes, without what was deleted or superseded', () => {
    let revision = 0;
    const write = (key: string, value: string | null): void => {
      insert.run(++revision, key, revision, value === null ? null : Buffer.from(value));
    };
    for (const key of ['/c', '/a', '/d', '/b', '/e']) write(key, 'old');
    for (const key of ['/e', '/a']) write(key, 'new');
    write('/d', null);
    const table = new LogTable(db);
    const page = (start: string, limit: number): string[] =>
      table.list({ prefix: '/', start, limit }).keys.slice();
    expect(page('/', 2)).toEqual(['/a', '/b']);
    expect(page('/b\0', 2)).toEqual(['/c', '/e']);
    expect(table.list({ prefix: '/', start: '/' }).revisions).toEqual([7, 4, 1, 6]);
    expect(table.list({ prefix: '/', start: '/', revision: 5 }).keys).toEqual(['/a', '/b', '/c', '/d', '/e']);
  });
});
