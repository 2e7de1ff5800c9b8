import { expect, it } from 'vitest';
import { ApiError } from '../../api/status.ts';
import { statusOf } from './exchange.ts';

it.each([
  [Number.NaN, 500],
  [99_999, 500],
  [200, 500],
  [0, 500],
  [418, 418],
])('answers an error of others whose code is %d with %d', (code, sent) => {
  expect(statusOf(new ApiError({ message: 'no', code }))).toMatchObject({ message: 'no', code: sent });
});

it('passes on no header that others wrote', () => {
  const retryAfterSeconds = '1\r\nset-cookie: a' as unknown as number;
  const { details } = statusOf(new ApiError({ code: 429, details: { name: 'a', retryAfterSeconds } }));
  expect(details).toEqual({ name: 'a', retryAfterSeconds: 1 });
});
