import { expect, it } from 'vitest';
import { flatRandomUUID } from './uuid.ts';

it('makes random UUIDs, each another', () => {
  const made = Array.from({ length: 1000 }, flatRandomUUID);
  for (const one of made)
    expect(one).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set(made).size).toBe(made.length);
  // Every digit that is not fixed takes every value.
  for (const place of [0, 7, 9, 12, 15, 17, 20, 22, 24, 35])
    expect(new Set(made.map((one) => one[place])).size).toBe(16);
});
