import Database from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import { LIST, LogTable, SCHEMA } from './log-table.ts';

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
