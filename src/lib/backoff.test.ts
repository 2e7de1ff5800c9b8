import { expect, it } from 'vitest';
import { Backoff } from './backoff.ts';

it('doubles per key up to a ceiling, and begins anew once forgotten', () => {
  const backoff = new Backoff({ baseMs: 100, maxMs: 500 });
  expect([1, 2, 3, 4, 5].map(() => backoff.next('a'))).toEqual([100, 200, 400, 500, 500]);
  expect(backoff.next('b')).toBe(100);
  backoff.forget('a');
  expect(backoff.next('a')).toBe(100);
});

it('stays finite however often something fails', () => {
  const backoff = new Backoff({ baseMs: 1, maxMs: Number.MAX_SAFE_INTEGER });
  for (let n = 0; n < 2000; n++) expect(Number.isFinite(backoff.next('a'))).toBe(true);
});
