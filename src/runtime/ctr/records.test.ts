import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Records } from './records.ts';

describe('records', () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'kedge-records-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('takes many saves of one record at once; the last one is what a restart reads', async () => {
    const records = new Records<number>(dir);
    await Promise.all(Array.from({ length: 20 }, (_, at) => records.save('one', at)));
    expect(new Records<number>(dir).get('one')).toBe(19);
    expect(readdirSync(dir)).toEqual(['one.json']);
  });

  it('does not bring back what was removed while it was being saved', async () => {
    const records = new Records<number>(dir);
    await Promise.all([records.save('one', 1), records.remove('one'), records.save('two', 2)]);
    expect(readdirSync(dir)).toEqual(['two.json']);
    await Promise.all([records.remove('two'), records.save('two', 3)]);
    expect(new Records<number>(dir).get('two')).toBe(3);
  });
});
